"""A caller's own deadline tells health of an upstream that is silent, not of one that only is slow."""

from edgerouter.upstream.health import FAILURES
from tests.support.scripted import Reply, ScriptedUpstream, Seen, Step
from tests.upstream.ask import archive_at, whole


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ok(request: Seen) -> list[Step]:
    return [Reply(body=b"found")]


async def test_an_upstream_from_which_nothing_is_heard_is_ejected() -> None:
    async with archive_at("http://127.0.0.1:1") as archive:
        for _ in range(FAILURES):
            assert archive.healthy
            archive.overdue(5.0)

        assert not archive.healthy
        assert archive.health.last_error == "deadline"


async def test_an_upstream_that_answers_others_meanwhile_is_not_blamed() -> None:
    clock = Clock()
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url, now=clock) as archive:
        await whole(archive)
        clock.now += 4.9
        for _ in range(FAILURES):
            archive.overdue(5.0)
        assert archive.healthy
        clock.now += 0.1
        for _ in range(FAILURES):
            archive.overdue(5.0)

        assert not archive.healthy
