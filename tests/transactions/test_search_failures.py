"""Search when archives fail: who is named, what is an error, and who is asked again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.errors import ResponseTimeout, RouterError
from edgerouter.routing.router import Route
from edgerouter.transactions.search import Settings
from edgerouter.transactions.service import Service
from edgerouter.upstream.seam import Outbound
from tests.support.hospital import Hospital, MemoryArchive, studies, value
from tests.transactions.ask import BOX, House, inbound
from tests.transactions.hospitals import ALL, three

LATE = ResponseTimeout("late", upstream="south")


async def test_a_source_that_did_not_answer_is_named_on_every_page() -> None:
    house = three()
    house.archives["south"].hospital.trouble = LATE
    said = "Source south did not answer (timeout); results may be incomplete"

    first, second = await house.ask("/studies?limit=3"), await house.ask("/studies?limit=3&offset=3")

    assert first.uids + second.uids == ["1.1", "1.2", "1.3", "1.4", "1.5"]
    assert first.warnings == [said, "There are 2 additional results that can be requested"]
    assert second.warnings == [said]
    assert first.fields.get("proxy-status") == (
        'edgerouter; error=http_response_timeout; next-hop=south; details="late"'
    )


async def test_an_incomplete_list_is_not_given_twice_as_a_first_page() -> None:
    house = three()
    house.archives["south"].hospital.trouble = LATE
    await house.ask("/studies")
    house.archives["south"].hospital.trouble = None

    got = await house.ask("/studies")

    assert (got.uids, got.warnings) == (ALL, [])


async def test_when_nobody_answers_it_is_an_error_and_never_an_empty_list() -> None:
    house = three()
    for archive in house.archives.values():
        archive.hospital.trouble = LATE

    with pytest.raises(RouterError) as caught:
        await house.ask("/studies")
    assert caught.value.status == 504
    assert "north (timeout), south (timeout), west (timeout)" in caught.value.detail


async def test_a_rule_may_want_every_archive_or_an_error() -> None:
    house = three()
    house.archives["south"].hospital.trouble = LATE
    await house.ask("/studies")

    with pytest.raises(RouterError, match="missing: south"):
        await house.ask("/studies", house.route(strict=True))


async def test_a_resting_source_is_named_without_being_asked() -> None:
    house = three()
    house.archives["south"].healthy = False

    got = await house.ask("/studies")

    assert got.warnings == ["Source south did not answer (resting); results may be incomplete"]
    assert house.archives["south"].hospital.asked == []
    assert "next-hop=south" in (got.fields.get("proxy-status") or "")


async def test_resting_sources_are_asked_when_all_rest() -> None:
    house = three()
    for archive in house.archives.values():
        archive.healthy = False

    assert (await house.ask("/studies")).uids == ALL


async def test_resting_sources_are_asked_when_all_others_fail() -> None:
    house = three()
    house.archives["south"].healthy = False
    for name in ("north", "west"):
        house.archives[name].hospital.trouble = LATE

    got = await house.ask("/studies")

    assert got.uids == ["1.3", "1.6"]
    assert [line.split(" ")[1] for line in got.warnings] == ["north", "west"]


async def test_a_rule_that_wants_every_archive_asks_those_that_rest() -> None:
    house = three()
    house.archives["south"].healthy = False

    assert (await house.ask("/studies", house.route(strict=True))).uids == ALL


async def test_what_no_archive_has_below_a_study_is_nothing_or_unproven() -> None:
    house = three()

    assert (await house.ask("/studies/9.9/series")).rows == []
    house.archives["south"].hospital.trouble = LATE
    with pytest.raises(RouterError) as caught:
        await house.ask("/studies/9.8/series")
    assert caught.value.status == 504
    found = await house.ask("/studies/1.3/series")
    assert [value(row, "0020000E") for row in found.rows] == ["1.3.1"]
    assert found.warnings == ["Source south did not answer (timeout); results may be incomplete"]


class Silent(MemoryArchive):
    """Never answers."""

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


def patient_with(**patience: float) -> House:
    """The router over a silent archive and one that answers, and a route with time enough for all."""
    archives = {"north": Silent(Hospital("north")), "south": MemoryArchive(Hospital("south", studies("1.1")))}
    return House(archives, Service(archives, BOX, search=Settings(patience=patience)))


async def test_an_archive_may_have_less_time_than_all_have_together() -> None:
    house = patient_with(north=0.05)

    got = await house.ask(inbound("/studies"), house.route(deadline=3600))

    assert (got.uids, got.warnings) == (
        ["1.1"],
        ["Source north did not answer (timeout); results may be incomplete"],
    )
    assert house.archives["north"].waited == [0.05]


async def test_so_it_has_when_it_is_asked_alone() -> None:
    house = patient_with(north=0.05)

    with pytest.raises(ResponseTimeout):
        await house.ask(inbound("/studies"), Route(("north",), deadline=3600))
    assert house.archives["north"].waited == [0.05]
