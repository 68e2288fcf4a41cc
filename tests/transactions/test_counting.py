"""Counts of what several archives have: the largest that one says, or exact, by a listing of all of them."""

import json
from typing import Any

from edgerouter.dicomweb.resource import Level
from edgerouter.errors import ResponseTimeout
from edgerouter.transactions.counting import recounted
from edgerouter.upstream.profiles import Profile, Searching, everywhere
from tests.support.hospital import Hospital, Study, value
from tests.transactions.ask import House, inbound

LATE = ResponseTimeout("late", upstream="south")


def split() -> tuple[Hospital, Hospital]:
    """A study of four instances in three series: one series in the north, one in the south, one in part on
    both."""
    north = Study("1.1", series={"1.1.1": ("1", "2"), "1.1.2": ("3",)})
    south = Study("1.1", series={"1.1.2": ("3", "4"), "1.1.3": ("5",)})
    return Hospital("north", [north, Study("1.2", series={"1.2.1": ("6",)})]), Hospital("south", [south])


def counts(row: dict[str, Any]) -> list[Any]:
    return [value(row, tag) for tag in ("00201206", "00201208")]


async def test_by_default_the_largest_that_one_says_is_said() -> None:
    house = House.over(*split())

    assert [counts(row) for row in (await house.ask("/studies")).rows] == [[2, 3], [1, 1]]


async def test_a_listing_of_all_of_them_is_exact() -> None:
    north, south = split()
    house = House.over(north, south)

    got = await house.ask(inbound("/studies"), house.route(counts="exact"))

    assert [counts(row) for row in got.rows] == [[3, 5], [1, 1]]
    assert got.warnings == []
    assert north.targets("instances") == ["/studies/1.1/instances?limit=5000"]  # not what one alone has


async def test_it_is_remembered() -> None:
    north, south = split()
    house = House.over(north, south)
    for size in (1, 2):
        got = await house.ask(inbound(f"/studies?limit={size}"), house.route(counts="exact"))
        assert counts(got.rows[0]) == [3, 5]

    assert len(north.targets("instances")) == 1


async def test_the_counts_of_a_series_are_counted_too() -> None:
    house = House.over(*split())

    got = await house.ask(inbound("/studies/1.1/series"), house.route(counts="exact"))

    assert {value(row, "0020000E"): value(row, "00201209") for row in got.rows} == {
        "1.1.1": 2,
        "1.1.2": 2,
        "1.1.3": 1,
    }


async def test_what_cannot_be_counted_is_said() -> None:
    house = House.over(*split())
    route = house.route(counts="exact")
    await house.ask(inbound("/studies?PatientName=x"), house.route())
    south = house.archives["south"].hospital
    answer = south.answer
    south.answer = lambda target: _only_studies(answer, target)  # type: ignore[method-assign]

    got = await house.ask(inbound("/studies"), route)

    assert counts(got.rows[0]) == [2, 3]
    assert got.warnings == ["The counts of 1 results are the largest that one source says, not exact"]


def _only_studies(answer: Any, target: str) -> Any:
    if "instances" in target:
        raise LATE
    return answer(target)


async def test_a_listing_that_is_not_whole_counts_nothing() -> None:
    north, south = split()
    south.takes_offset = False
    house = House.over(north, south, profile=Profile("paged", Searching(page_limits=everywhere(2))))

    got = await house.ask(inbound("/studies"), house.route(counts="exact"))

    assert counts(got.rows[0]) == [2, 3]
    assert "not exact" in got.warnings[-1]


def test_the_spelling_of_the_row_stays() -> None:
    row = b'{"00201206":{"vr":"US","Value":[1]},"00201208":{"vr":"IS","Value":["1"]},"00201209":{"vr":"IS"}}'

    counted = json.loads(recounted(row, {"00201206": 4, "00201208": 5, "00201209": 6}, Level.STUDY))

    assert counted == {
        "00201206": {"vr": "US", "Value": [4]},
        "00201208": {"vr": "IS", "Value": [5]},
        "00201209": {"vr": "IS"},
    }
