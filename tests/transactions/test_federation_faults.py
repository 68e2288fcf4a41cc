"""What sources do wrong in a federated search, and what becomes of them."""

from collections.abc import Sequence

import pytest

from edgerouter.dicomweb.domains import alike
from edgerouter.dicomweb.query import parse
from edgerouter.errors import Cut, Received, ResponseTimeout
from edgerouter.metrics import REGISTRY
from edgerouter.transactions.federation import Federation
from tests.support.hospital import Hospital, studies
from tests.support.scripted import ScriptedUpstream
from tests.support.steps import Reply, Stall
from tests.transactions.ask import inbound
from tests.transactions.test_federation import ask, numbered, one, uids
from tests.upstream.ask import archive_at


class Saying(Hospital):
    """Says one thing, whatever is asked."""

    reply = Reply()

    def answer(self, target: str) -> Reply:
        return self.reply


def saying(
    body: bytes = b"", *, status: int = 200, media: str = "application/dicom+json", name: str = "north"
) -> Saying:
    hospital = Saying(name)
    hospital.reply = Reply(status, body, [("Content-Type", media)] if media else [])
    return hospital


UNUSABLE = b'{"00100020":{"vr":"LO","Value":["7"]}}'
USABLE = b'{"0020000D":{"vr":"UI","Value":["1.%d"]}}'


async def test_rows_that_name_nothing_are_counted_and_do_not_end_the_reading() -> None:
    rows = [USABLE % number for number in range(9)] + [UNUSABLE]
    hospital = saying(b"[" + b",".join(rows) + b"]")
    before = REGISTRY.get_sample_value("edgerouter_search_rows_dropped_total", DROPPED) or 0

    source = await one(hospital)

    assert (len(source.rows), source.unusable) == (9, 2)
    assert len(hospital.asked) == 2
    after = REGISTRY.get_sample_value("edgerouter_search_rows_dropped_total", DROPPED)
    assert after == before + 2


DROPPED = {"upstream": "north", "reason": "unusable"}


@pytest.mark.parametrize(
    ("hospital", "outcome"),
    [
        (saying(b"<html>", media="text/html"), "error"),
        (saying(b"[]", media=""), "error"),
        (saying(b"[{"), "error"),
        (saying(status=302), "error"),
        (saying(status=206, body=b"[]"), "error"),
        (saying(status=500), "error"),
        (saying(status=404), "error"),
        (saying(status=401), "unauthorized"),
        (saying(status=407), "unauthorized"),
        (saying(status=403), "unauthorized"),
        (saying(status=429), "overloaded"),
        (saying(status=503), "overloaded"),
        (saying(status=504), "timeout"),
    ],
)
async def test_what_is_no_answer_has_a_word(hospital: Hospital, outcome: str) -> None:
    source = await one(hospital)

    assert (source.outcome, source.answered, source.rows) == (outcome, False, [])


async def test_an_empty_answer_with_status_200_is_no_match() -> None:
    assert (await one(saying(media=""))).outcome == "answered"


async def test_what_a_source_does_not_have_is_no_failure_below_a_study() -> None:
    (below,) = await ask(saying(status=404), target="/studies/1.2/series")
    (refused,) = await ask(saying(status=410), target="/studies/1.2/series")

    assert (below.absent, below.error) == (True, None)
    assert not refused.absent
    assert isinstance(refused.error, Received)


class FailsLater(Hospital):
    """Answers a first page, and no other."""

    def answer(self, target: str) -> Reply:
        return Reply(
            500 if len(self.asked) > 1 else 200,
            super().answer(target).body,
            [("Content-Type", "application/json")],
        )


async def test_pages_before_a_failure_still_count() -> None:
    source = await one(FailsLater("north", studies(*numbered(25))))

    assert uids(source) == numbered(10)
    assert (source.outcome, source.answered) == ("error", True)


async def test_sources_are_told_in_the_order_of_the_route() -> None:
    sources = await ask(Hospital("south", studies("1.1")), saying(status=500, name="north"))

    assert [(source.name, source.outcome) for source in sources] == [
        ("south", "answered"),
        ("north", "error"),
    ]


@pytest.mark.parametrize("steps", [[Stall()]])
async def test_a_source_that_is_silent_is_late_and_its_health_learns_of_it(steps: Sequence[Stall]) -> None:
    silent, well = Hospital("north", trouble=steps), Hospital("south", studies("1.1"))
    async with (
        ScriptedUpstream(silent) as first,
        ScriptedUpstream(well) as second,
        archive_at(first.url) as north,
        archive_at(second.url) as south,
    ):
        federation = Federation({"north": north, "south": south}, {}, 1 << 20)
        for _ in range(5):
            late, fine = await federation.ask(inbound(), alike(parse(""), ["north", "south"]), 0.05)

            assert isinstance(late.error, ResponseTimeout)
            assert (late.outcome, uids(fine)) == ("timeout", ["1.1"])
        assert (north.healthy, south.healthy) == (False, True)


async def test_a_source_that_breaks_off_is_a_failure() -> None:
    (source,) = await ask(Hospital("north", trouble=Cut("broken", upstream="north")))

    assert (source.outcome, source.answered) == ("error", False)
