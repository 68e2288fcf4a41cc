"""Search over several archives: which rows, in which order, and on which page."""

import asyncio

import pytest

from edgerouter.dicomweb.merge import Match
from edgerouter.errors import Overloaded, ResponseTimeout
from edgerouter.transactions.spill import Spilled
from tests.support.hospital import value
from tests.transactions.ask import PUBLIC, inbound
from tests.transactions.hospitals import ALL, dated, three

LATE = ResponseTimeout("late", upstream="south")


async def test_the_archives_are_one_list_each_study_once_newest_first() -> None:
    got = await three().ask("/studies")

    assert (got.status, got.uids, got.warnings) == (200, ALL, [])
    assert got.fields.get("content-type") == "application/dicom+json"
    assert got.fields.get("cache-control") == "private, no-store"
    assert got.fields.get("vary") == "accept, accept-encoding"
    assert all(value(row, "00081190") == f"{PUBLIC}/studies/{value(row, '0020000D')}" for row in got.rows)


@pytest.mark.parametrize("size", range(1, 8))
async def test_pages_of_any_size_are_slices_of_that_list(size: int) -> None:
    house = three()
    found: list[str] = []
    for offset in range(0, 12, size):
        got = await house.ask(f"/studies?limit={size}&offset={offset}")
        found += got.uids
        left = max(0, 6 - offset - size)
        assert got.warnings == (
            [f"There are {left} additional results that can be requested"] if left else []
        )

    assert found == ALL
    assert all(len(archive.hospital.asked) == 1 for archive in house.archives.values())


async def test_a_later_page_says_that_it_was_kept() -> None:
    house = three()

    first, second = await house.ask("/studies?limit=2"), await house.ask("/studies?limit=2&offset=2")

    assert first.fields.get("cache-status") == "edgerouter; fwd=bypass"
    assert second.fields.get("cache-status") == "edgerouter; hit"


async def test_no_page_at_all_still_tells_how_many_there_are() -> None:
    got = await three().ask("/studies?limit=0")

    assert (got.rows, got.warnings) == ([], ["There are 6 additional results that can be requested"])


async def test_a_list_stays_as_it_was_while_it_is_paged_through() -> None:
    house = three()
    first = await house.ask("/studies?limit=3")
    house.archives["south"].hospital.studies = [dated("1.9", "20250101")]
    house.archives["north"].hospital.trouble = LATE

    second = await house.ask("/studies?limit=3&offset=3")

    assert first.uids + second.uids == ALL
    assert second.warnings == []


async def test_every_client_pages_through_a_list_of_its_own() -> None:
    house = three()
    first = await house.ask("/studies?limit=3")
    house.archives["south"].hospital.studies = [dated("1.9", "20250101")]
    no_memory = [("cache-control", "no-cache")]
    other = await house.ask(inbound("/studies?limit=3", client="192.0.2.2", fields=no_memory))

    second = await house.ask("/studies?limit=3&offset=3")

    assert other.uids[0] == "1.9"
    assert first.uids + second.uids == ALL


async def test_who_wants_nothing_from_memory_gets_a_new_list() -> None:
    house = three()
    await house.ask("/studies")
    house.archives["south"].hospital.studies = [dated("1.9", "20250101")]

    fresh = await house.ask(inbound("/studies", fields=[("cache-control", "no-cache")]))

    assert fresh.uids[0] == "1.9"
    assert fresh.fields.get("cache-status") == "edgerouter; fwd=bypass"


async def test_pages_asked_for_at_once_come_from_one_list() -> None:
    house = three()
    async with asyncio.TaskGroup() as group:
        pages = [group.create_task(house.ask(f"/studies?limit=2&offset={offset}")) for offset in (0, 2, 4)]

    assert [uid for page in pages for uid in page.result().uids] == ALL
    assert all(len(archive.hospital.asked) == 1 for archive in house.archives.values())


async def test_what_another_client_asked_a_moment_ago_is_answered_from_that() -> None:
    house = three()
    first, second = inbound("/studies"), inbound("/studies", client="192.0.2.2")
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(house.ask(one)) for one in (first, second)]
    third = await house.ask(inbound("/studies", client="192.0.2.3"))

    assert [got.result().uids for got in asking] == [ALL, ALL]
    assert third.uids == ALL
    assert all(len(archive.hospital.asked) == 1 for archive in house.archives.values())


async def test_a_list_that_went_to_disk_is_paged_through_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    house = three()
    monkeypatch.setattr(house.service._search._snapshots, "_capacity", 0)
    found = (await house.ask("/studies?limit=2")).uids
    await house.service._search._snapshots.settled()
    for offset in (2, 4):
        found += (await house.ask(f"/studies?limit=2&offset={offset}")).uids

    assert found == ALL
    assert house.service._search._snapshots.spilled > 0
    assert all(len(archive.hospital.asked) == 1 for archive in house.archives.values())


async def test_a_disk_that_lost_the_list_costs_a_new_one_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(self: Spilled, places: range) -> list[Match]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Spilled, "read", lost)
    house = three()
    kept = house.service._search._snapshots
    kept._capacity = 0
    await house.ask("/studies?limit=2")
    await kept.settled()
    kept._capacity = 1 << 20

    assert (await house.ask("/studies?limit=2&offset=2")).uids == ALL[2:4]
    assert "cannot be read: Input/output error" in caplog.text
    assert all(len(archive.hospital.asked) == 2 for archive in house.archives.values())


async def test_who_finds_no_room_within_the_deadline_is_told_to_come_again() -> None:
    house = three()
    async with house.service._search._take._allowance.portion() as portion:
        portion.add(1 << 40)
        with pytest.raises(Overloaded) as caught:
            await house.ask(inbound("/studies"), house.route(deadline=0.01))

    assert dict(caught.value.fields)["retry-after"]
    assert (await house.ask("/studies")).uids == ALL
    assert house.service._search._take._allowance.held == 0


async def test_another_question_is_another_list() -> None:
    house = three()
    await house.ask("/studies")
    await house.ask("/studies?includefield=00081030")
    await house.ask("/studies?PatientID=7")

    assert len(house.archives["north"].hospital.asked) == 3
