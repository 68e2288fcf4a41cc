"""What is held is found while its archive is silent: by everything that a search can ask for, labelled, and
once only when the archive is back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC, XML, Edge, Reply, edge_over
from tests.scenarios.pacs import AS_STORED, SERIES, Pacs, instance
from tests.scenarios.patients import Registry
from tests.support.hospital import value
from tests.support.scripted import Reset, ScriptedUpstream, Seen

OFFLINE = "edgerouter; hit; detail=offline"
COPIES = "of its results are of copies held here, and may be out of date and incomplete"


@dataclass
class Line(Registry):
    """Its line may be cut."""

    cut_off: bool = False

    def __call__(self, seen: Seen) -> Any:
        return [Reset()] if self.cut_off else super().__call__(seen)


@asynccontextmanager
async def over(
    *archives: Pacs,
    folder: Path,
    route: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Edge]:
    """A router over north and south whose searches go by `route`."""
    names = ["north", "south"][: len(archives)]
    rule = {"name": "all", "match": {"transaction": "search"}, "route": {"upstreams": names, **(route or {})}}
    async with AsyncExitStack() as stack:
        scripted = [await stack.enter_async_context(ScriptedUpstream(pacs)) for pacs in archives]
        yield await stack.enter_async_context(
            edge_over(*scripted, cache=folder / "cache", rules=[rule], settings=settings)
        )


@asynccontextmanager
async def held(folder: Path, **settings: Any) -> AsyncIterator[tuple[Edge, Line]]:
    """A router that holds the study of an archive whose line is cut."""
    line = Line(slices=3)
    async with over(line, folder=folder, **settings) as edge:
        await edge.ask(line.study, DICOM)
        await edge.ask(f"{line.study}/metadata", JSON)
        await edge.kept()
        line.cut_off = True
        yield edge, line


def told(reply: Reply) -> list[str]:
    return [line.removeprefix(f"299 {PUBLIC}: ") for line in reply.raw.all("warning")]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "PatientName=muster*",
        "PatientName=MUSTER^M?x",
        "StudyDate=20100301-20100331",
        "ModalitiesInStudy=CT",
        "PatientName=M*&StudyDate=20100301-&ModalitiesInStudy=MR,CT&PatientID=PAT1",
        "StudyInstanceUID=1.2",
        "AccessionNumber=*",
    ],
)
async def test_a_held_study_is_found_by_what_is_asked(tmp_path: Path, query: str) -> None:
    async with held(tmp_path) as (edge, _):
        reply = await edge.ask(f"/studies?{query}", JSON)

    assert (reply.status, reply.get("cache-status")) == (200, OFFLINE)
    [row] = reply.json
    tags = ("0020000D", "00100020", "00080020", "00080061", "00080056", "00201206", "00201208", "00081190")
    assert [value(row, tag) for tag in tags] == [
        "1.2", "PAT1", "20100304", "CT", "ONLINE", 1, 3, f"{PUBLIC}{Pacs.study}"
    ]  # fmt: skip
    assert value(row, "00100010") == {"Alphabetic": "Muster^Max"}
    assert told(reply) == [f"Source north did not answer (error); 1 {COPIES}"]
    assert "next-hop=north" in (reply.get("proxy-status") or "")


@pytest.mark.parametrize(
    "query",
    [
        "PatientName=other*",
        "StudyDate=20110101-",
        "ModalitiesInStudy=MR",
        "PatientID=PAT2",
        "StudyInstanceUID=1.3",
        "AccessionNumber=1",
    ],
)
async def test_what_does_not_match_is_not_found_and_that_is_an_error(tmp_path: Path, query: str) -> None:
    async with held(tmp_path) as (edge, _):
        assert (await edge.ask(f"/studies?{query}", JSON)).status == 502


@pytest.mark.parametrize(
    ("path", "tag", "uids"),
    [
        (f"{Pacs.study}/series", "0020000E", [SERIES]),
        ("/series?Modality=CT", "0020000E", [SERIES]),
        (f"{Pacs.study}/instances", "00080018", [instance(number) for number in (1, 2, 3)]),
        (f"{Pacs.series}/instances", "00080018", [instance(number) for number in (1, 2, 3)]),
        (f"/instances?SOPInstanceUID={instance(2)}", "00080018", [instance(2)]),
    ],
)
async def test_its_series_and_instances_are_found_too(
    tmp_path: Path, path: str, tag: str, uids: list[str]
) -> None:
    async with held(tmp_path) as (edge, _):
        reply = await edge.ask(path, JSON)

    assert sorted(value(row, tag) for row in reply.json) == uids
    assert reply.get("cache-status") == OFFLINE
    if tag == "0020000E":
        assert [value(row, "00201209") for row in reply.json] == [3]


async def test_pages_and_xml_are_as_ever(tmp_path: Path) -> None:
    async with held(tmp_path) as (edge, _):
        page = await edge.ask(f"{Pacs.study}/instances?limit=2&offset=1", JSON)
        documents = await edge.ask("/studies", XML)

    assert [value(row, "00080018") for row in page.json] == [instance(2), instance(3)]
    [part] = documents.parts
    assert b"Muster" in part.body


async def test_when_the_archive_is_back_nothing_is_there_twice_or_labelled(tmp_path: Path) -> None:
    async with held(tmp_path) as (edge, line):
        assert len((await edge.ask("/studies", JSON)).json) == 1
        line.cut_off = False
        reply = await edge.ask("/studies", JSON)

    assert (len(reply.json), told(reply), reply.get("cache-status")) == (1, [], "edgerouter; fwd=bypass")


async def test_beside_an_archive_that_answers_its_copy_and_what_is_held_are_one_row(tmp_path: Path) -> None:
    north, south = Line(slices=3), Line(slices=3)
    async with over(north, south, folder=tmp_path) as edge:
        await edge.ask(Pacs.study, DICOM)
        await edge.ask(f"{Pacs.study}/metadata", JSON)
        north.cut_off = True
        reply = await edge.ask("/studies", JSON)
        other = await edge.ask("/studies", JSON)

    for each in (reply, other):
        assert [value(row, "0020000D") for row in each.json] == ["1.2"]
        assert told(each) == [f"Source north did not answer (error); 1 {COPIES}"]


async def test_counts_are_of_what_is_held(tmp_path: Path) -> None:
    line = Line(slices=3)
    async with over(line, folder=tmp_path) as edge:
        await edge.ask(line.instance(2), DICOM)
        await edge.kept()
        line.cut_off = True
        [row] = (await edge.ask("/studies?PatientName=muster*", JSON)).json

    assert [value(row, tag) for tag in ("00201206", "00201208")] == [1, 1]


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
async def test_what_is_held_without_metadata_is_read_out_of_its_instances(tmp_path: Path, level: str) -> None:
    line = Line(slices=3)
    async with over(line, folder=tmp_path) as edge:
        await edge.ask(line.study, DICOM)
        await edge.kept()
        line.cut_off = True
        rows = (await edge.ask(f"/{level}?PatientName=muster*", JSON)).json

    assert len(rows) == {"studies": 1, "series": 1, "instances": 3}[level]
    assert {value(row, "00201208") for row in rows} == {3}


async def test_frames_are_held_instances_and_metadata_alone_is_not(tmp_path: Path) -> None:
    line = Line(slices=3)
    async with over(line, folder=tmp_path, settings={"profile": "standard"}) as edge:
        await edge.ask(f"{line.study}/metadata", JSON)
        line.cut_off = True
        assert (await edge.ask("/studies", JSON)).status == 502
        line.cut_off = False
        await edge.ask(f"{line.instance(1)}/frames/1", OCTETS + AS_STORED)
        line.cut_off = True
        [row] = (await edge.ask("/studies", JSON)).json

    assert value(row, "00201208") == 1


async def test_only_upstreams_of_the_route_are_looked_into(tmp_path: Path) -> None:
    north, south = Line(slices=3), Line(slices=0)
    async with over(north, south, folder=tmp_path, route={"upstreams": "south"}) as edge:
        await edge.ask(Pacs.study, DICOM)
        await edge.ask(f"{Pacs.study}/metadata", JSON)
        north.cut_off = south.cut_off = True

        assert (await edge.ask("/studies", JSON)).status == 502


@pytest.mark.parametrize("route", [{"partial": "fail"}, {"add": {"PatientID": "PAT2"}}])
async def test_rules_hold_for_what_is_held(tmp_path: Path, route: Mapping[str, Any]) -> None:
    async with held(tmp_path, route=route) as (edge, _):
        assert (await edge.ask("/studies", JSON)).status == 502


async def test_a_rule_that_wants_a_patient_lets_that_one_through(tmp_path: Path) -> None:
    async with held(tmp_path, route={"add": {"PatientID": "PAT1"}}) as (edge, _):
        assert len((await edge.ask("/studies", JSON)).json) == 1
        assert (await edge.ask(f"{Pacs.study}/series", JSON)).status == 502  # whose it is, nobody can say


async def test_who_refuses_us_has_answered(tmp_path: Path) -> None:
    async with held(tmp_path) as (edge, line):
        for status, told_as in ((401, 502), (403, 403), (500, 200)):
            line.cut_off, line.down = False, status
            assert (await edge.ask("/studies", JSON)).status == told_as


async def test_who_wants_no_answer_from_memory_gets_none(tmp_path: Path) -> None:
    async with held(tmp_path) as (edge, _):
        reply = await edge.ask("/studies", JSON, fields=[("Cache-Control", "no-cache")])

    assert reply.status == 502


async def test_the_issuer_of_the_upstream_is_that_of_what_is_held(tmp_path: Path) -> None:
    async with held(tmp_path, settings={"issuer": "HOSP-A"}) as (edge, _):
        [row] = (await edge.ask("/studies?PatientID=PAT1&IssuerOfPatientID=HOSP-A", JSON)).json
        other = await edge.ask("/studies?PatientID=PAT1&IssuerOfPatientID=HOSP-B", JSON)

    assert (value(row, "00100021"), other.json) == ("HOSP-A", [])


async def test_a_key_that_is_no_value_asks_for_nothing_held(tmp_path: Path) -> None:
    async with held(tmp_path) as (edge, _):
        assert (await edge.ask("/studies?StudyDate=tomorrow", JSON)).status in (400, 502)
