"""A lone archive's search passes through as it is, and is seen through where it has to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import NotFound, ResponseTimeout
from edgerouter.transactions.search import Settings
from edgerouter.upstream.seam import Outbound
from tests.support.hospital import Hospital, MemoryArchive, attribute, studies, value
from tests.transactions.ask import House, inbound
from tests.transactions.hospitals import dated


async def test_nobody_to_search_is_not_found() -> None:
    class Mute(MemoryArchive):
        def takes(self, transaction: Transaction) -> bool:
            return False

    house = House.over(Hospital("north"))
    house.archives["north"].__class__ = Mute

    with pytest.raises(NotFound):
        await house.ask("/studies")


class Stuck(MemoryArchive):
    """Never answers."""

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


async def test_a_lone_archive_has_the_deadline_of_the_rule_too() -> None:
    house = House.over(Hospital("north"))
    house.archives["north"].__class__ = Stuck

    with pytest.raises(ResponseTimeout):
        await house.ask("/studies", house.route(deadline=0.02))
    assert house.archives["north"].waited == [0.02]


async def test_a_lone_archive_s_pages_are_its_own() -> None:
    north = Hospital("north", studies("1.3", "1.1", "1.2"), cap=2, warns=True)
    house = House.over(north)

    got = await house.ask("/studies?limit=2&offset=0")

    assert got.uids == ["1.3", "1.1"]
    assert got.warnings == ["There are 1 additional results that can be requested"]
    assert north.targets() == ["/studies?limit=2&offset=0"]
    assert house.service.locations.holders("1.1", "", ["north"]) == ["north"]


async def test_a_lone_archive_that_ignores_a_key_is_seen_through() -> None:
    mine = [dated(f"1.{n}", "20200101", t00100020=attribute("LO", "7")) for n in range(3)]
    others = [dated(f"2.{n}", "20200101", t00100020=attribute("LO", "8")) for n in range(3)]
    mixed = [study for pair in zip(others, mine, strict=True) for study in pair]
    north = Hospital("north", mixed, ignores=frozenset({"00100020"}))
    house = House.over(north)

    first = await house.ask("/studies?PatientID=7")
    pages = [await house.ask(f"/studies?PatientID=7&limit=2&offset={offset}") for offset in (0, 2)]
    plain = await house.ask("/studies?limit=2")

    assert first.uids == ["1.0", "1.1", "1.2"]
    assert [page.uids for page in pages] == [["1.0", "1.1"], ["1.2"]]
    assert pages[0].warnings == ["There are 1 additional results that can be requested"]
    assert (plain.uids, north.targets()[-1]) == (["2.0", "1.0"], "/studies?limit=2")


async def test_a_lone_archive_s_rows_get_issuer_and_modalities_too() -> None:
    bare = {"t00080061": attribute("CS"), "t00100020": attribute("LO", "7")}
    north = Hospital("north", [dated("1.1", "20200101", **bare), dated("1.2", "20200101")])
    house = House.over(north, search=Settings(issuers={"north": "HOSP-N"}))

    got = await house.ask("/studies")

    assert [value(row, "00080061") for row in got.rows] == ["CT", "CT"]
    assert [value(row, "00100021") for row in got.rows] == ["HOSP-N", None]
    assert north.targets("series") == ["/studies/1.1/series?limit=5000"]


async def test_a_lone_archive_s_modalities_are_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(MemoryArchive):
        @asynccontextmanager
        async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
            if outbound.path.endswith("series"):
                await asyncio.Event().wait()
            async with super().open(outbound) as answer:
                yield answer

    monkeypatch.setattr("edgerouter.transactions.passing.PATIENCE", 0.02)
    bare = [dated(f"1.{n}", "20200101", t00080061=attribute("CS")) for n in range(40)]
    house = House.over(Hospital("north", bare))
    house.archives["north"].__class__ = Slow

    got = await house.ask("/studies")

    assert len(got.rows) == 40
    assert not any("00080061" in row for row in got.rows)


async def test_only_so_many_studies_are_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.transactions.passing.MOST", 10)
    bare = [dated(f"1.{n}", "20200101", t00080061=attribute("CS")) for n in range(40)]
    house = House.over(Hospital("north", bare))

    got = await house.ask("/studies")

    found = ["00080061" in row for row in got.rows]
    assert found == sorted(found, reverse=True)
    assert 10 <= sum(found) < 10 + 16  # some leave together, and are looked into together


async def test_what_is_no_row_of_ours_leaves_as_it_is() -> None:
    odd = dated("1.1", "20200101", t0020000D=attribute("UI", "none"))
    bare = dated("1.2", "20200101", t00080061=attribute("CS"))
    house = House.over(Hospital("north", [odd, bare]))

    got = await house.ask("/studies")

    assert got.uids == ["none", "1.2"]
    assert [value(row, "00080061") for row in got.rows] == ["CT", "CT"]


async def test_series_and_instances_pass_too_and_tell_where_they_are() -> None:
    house = House.over(Hospital("north", [dated("1.1", "20200101", "1", "2")]))

    await house.ask("/studies/1.1/series")
    await house.ask("/instances")

    assert house.service.locations.holders("1.1", "1.1.1", ["north"]) == ["north"]


async def test_in_xml_other_patients_do_not_pass_either() -> None:
    mine = dated("1.1", "20200101", t00100020=attribute("LO", "7"))
    other = dated("1.2", "20200101", t00100020=attribute("LO", "8"))
    house = House.over(Hospital("north", [mine, other], ignores=frozenset({"00100020"})))
    xml = 'multipart/related; type="application/dicom+xml"'

    got = await house.ask(inbound("/studies?PatientID=7", accept=xml))

    assert b">1.1<" in got.body
    assert b">1.2<" not in got.body
