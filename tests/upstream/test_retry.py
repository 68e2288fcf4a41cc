"""Retries: which, how often, and never a storm. The upstream's own counter is the judge."""

from collections.abc import AsyncIterator

import httpx
import pytest

from edgerouter import errors
from edgerouter.upstream.exchange import NoAnswer, TlsError
from edgerouter.upstream.resolver import PatientResolver
from edgerouter.upstream.retry import Budget, backoff, may_repeat
from tests.support.scripted import Close, Reply, Request, Reset, ScriptedUpstream, Send, Step, closed_port
from tests.upstream.ask import archive_at, get, pieces, post, whole

CONNECT = (httpx.ConnectError(""), httpx.ConnectTimeout(""))
LATER = (httpx.ReadTimeout(""), httpx.WriteError(""), httpx.ReadError(""), httpx.RemoteProtocolError(""))


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["RST", "FIN"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_retrieve_is_tried_three_times_before_the_first_byte(method: str, end: Step) -> None:
    async with ScriptedUpstream(lambda request: [end]) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.Cut):
            await whole(archive, get(method=method))

    assert len(upstream.requests) == 3


async def test_the_third_try_may_succeed() -> None:
    async with (
        ScriptedUpstream(lambda seen: [Close() if seen.number < 3 else Reply(body=b"third")]) as upstream,
        archive_at(upstream.url) as archive,
    ):
        got = await whole(archive)

    assert (got.body, len(upstream.requests)) == (b"third", 3)


async def test_after_the_first_byte_nothing_is_tried_again() -> None:
    script = [[Request(), Send(b"H"), Close()]] * 3
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.Cut):
            await whole(archive)

    assert len(upstream.requests) == 1


async def test_a_store_is_tried_again_while_nothing_of_it_was_sent() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pulled: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        pulled.append(b"instance")
        yield b"instance"

    url = f"http://127.0.0.1:{closed_port()}"
    async with archive_at(url, sleep=sleep, jitter=lambda: 0.5) as archive:
        with pytest.raises(errors.ConnectError):
            await whole(archive, post(body()))

    assert (slept, pulled) == ([0.05, 0.1], [])


async def test_a_store_that_found_its_way_at_the_second_try_is_whole() -> None:
    class Late(PatientResolver):
        """Finds the address only when asked again."""

        asked = 0

        async def resolve(self, host, port=0, family=0):  # type: ignore[no-untyped-def]
            self.asked += 1
            if self.asked == 1:
                raise OSError("no such name yet")
            return await super().resolve("127.0.0.1", port, family)

    async with ScriptedUpstream(lambda request: [Reply()]) as upstream:
        url = f"http://archive.test:{upstream.port}"
        async with archive_at(url, resolver=Late()) as archive:
            await whole(archive, post(pieces(b"in", b"stance")))

    assert [bytes(seen.body) for seen in upstream.requests] == [b"instance"]


async def test_an_ejected_upstream_is_tried_once() -> None:
    async with (
        ScriptedUpstream(lambda request: [Close()]) as upstream,
        archive_at(upstream.url, now=lambda: 0.0) as archive,
    ):
        for _ in range(3):
            with pytest.raises(errors.Cut):
                await whole(archive)

    # Three tries, two tries until the fifth failure, then one.
    assert len(upstream.requests) == 6


def test_what_may_be_repeated() -> None:
    assert all(may_repeat(method, error, 1) for method in ("GET", "HEAD", "POST") for error in CONNECT)
    assert not any(may_repeat("GET", error, 2) for error in CONNECT)
    assert not any(may_repeat(method, error, 0) for method in ("GET", "POST") for error in LATER)
    assert [may_repeat(method, NoAnswer(""), 0) for method in ("GET", "HEAD", "POST")] == [True, True, False]
    assert not may_repeat("GET", TlsError(""), 0)


def test_the_back_off_doubles_up_to_two_seconds_with_full_jitter() -> None:
    assert [backoff(retries, 1.0) for retries in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert backoff(3, 0.0) == 0.0


def test_three_retries_may_always_be_under_way() -> None:
    budget = Budget()
    with budget.retrying(0.0), budget.retrying(0.0):
        assert budget.allows(0.0)
        with budget.retrying(0.0):
            assert not budget.allows(0.0)
        assert budget.allows(0.0)


def test_more_retries_only_up_to_a_tenth_of_the_requests_of_ten_seconds() -> None:
    budget = Budget()
    for _ in range(41):
        budget.request(0.0)
    with budget.retrying(0.0), budget.retrying(0.0), budget.retrying(0.0):
        assert budget.allows(0.0)
        with budget.retrying(0.0), budget.retrying(0.0):
            assert not budget.allows(0.0)
        assert not budget.allows(10.0)
