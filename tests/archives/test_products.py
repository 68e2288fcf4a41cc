"""The orthanc profile at a real one: what it can do is asked of it, what it cannot is done by the router."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.scenarios.edge import JSON, PUBLIC, XML, Edge, Reply, edge_over
from tests.support.hospital import value
from tests.support.orthanc import Orthanc
from tests.support.samples import SeriesSpec, write_series

pytestmark = pytest.mark.archives

STUDIES = {
    "P0": ("20200101", "120000", "CT"),
    "P1": ("20200102", "100000", "MR"),
    "P2": ("20200102", "150000", "US"),
}
SPECS = {name: SeriesSpec(f"product {name}", name, f"Doe^{name}", slices=1, size=16) for name in STUDIES}
ALL = set(STUDIES)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Three studies of one instance."""
    folder = tmp_path_factory.mktemp("product")
    with Orthanc("product", folder / "orthanc") as orthanc:
        orthanc.load(_written(folder / "files"))
        yield orthanc


def _written(folder: Path) -> list[Path]:
    written = []
    for name, (date, time, modality) in STUDIES.items():
        for sample in write_series(folder / name, SPECS[name]):
            dataset = pydicom.dcmread(sample.path)
            dataset.StudyDate, dataset.StudyTime, dataset.Modality = date, time, modality
            dataset.save_as(sample.path)
            written.append(sample.path)
    return written


@asynccontextmanager
async def over(orthanc: Orthanc, **settings: Any) -> AsyncIterator[Edge]:
    given = {"url": orthanc.dicomweb_url, "profile": "orthanc", "wado_uri_url": None, **settings}
    async with edge_over(orthanc.url, settings=given) as edge:
        yield edge


def patients(reply: Reply) -> set[str]:
    return {value(row, "00100020") for row in reply.json}


UIDS = [SPECS["P0"].study, SPECS["P1"].study]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        (f"StudyInstanceUID={','.join(UIDS)}", {"P0", "P1"}),
        (f"StudyInstanceUID={'%2C'.join(UIDS)}", {"P0", "P1"}),
        (f"StudyInstanceUID={'%5C'.join(UIDS)}", {"P0", "P1"}),
        ("ModalitiesInStudy=CT%5CMR", {"P0", "P1"}),
        ("ModalitiesInStudy=CT%2CUS&includefield=00081030%2C00080060%2C00080090", {"P0", "P2"}),
        ("PatientName=*doe*&fuzzymatching=false", ALL),
        ("StudyDate=20200101-20200102&StudyTime=1130-1030", {"P0", "P1"}),
        ("StudyDate=20200101-20200102&StudyTime=1230-1030", {"P1"}),
        ("StudyDate=20200101-20200102&StudyTime=1130-1030&TimezoneOffsetFromUTC=%2B0100", {"P0", "P1"}),
        ("StudyTime=100000-130000", {"P0", "P1"}),
    ],
)
async def test_every_search_finds_what_it_means(orthanc: Orthanc, query: str, expected: set[str]) -> None:
    async with over(orthanc) as edge:
        reply = await edge.ask(f"/studies?{query}", JSON)

    assert patients(reply) == expected
    assert reply.raw.all("warning") == []


async def test_names_that_it_does_not_match_fuzzily_are_told(orthanc: Orthanc) -> None:
    async with over(orthanc) as edge:
        reply = await edge.ask("/studies?PatientName=Doe*&fuzzymatching=true", JSON)

    text = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
    assert (patients(reply), reply.raw.all("warning")) == (ALL, [f"299 {PUBLIC}: {text}"])


async def test_a_zone_that_it_does_not_know_is_told_where_it_matters(orthanc: Orthanc) -> None:
    async with over(orthanc) as edge:
        reply = await edge.ask("/studies?StudyDate=20200101&TimezoneOffsetFromUTC=%2B0100", JSON)

    assert patients(reply) == {"P0"}
    assert "neither matches nor returns TimezoneOffsetFromUTC" in reply.raw.all("warning")[0]


@pytest.mark.parametrize("path", ["/series", "/instances"])
async def test_it_could_be_asked_as_a_hierarchical_archive_too(orthanc: Orthanc, path: str) -> None:
    quirks = {"relational": "no", "page_limit": "2", "wildcards": "no", "lists": "no"}
    async with over(orthanc) as plain, over(orthanc, quirks=quirks) as walking:
        query = "PatientName=Doe*&Modality=CT,MR"
        wanted = await plain.ask(f"{path}?{query}", JSON)
        walked = await walking.ask(f"{path}?{query}", JSON)

    tag = "0020000E" if path == "/series" else "00080018"
    assert {value(row, tag) for row in walked.json} == {value(row, tag) for row in wanted.json}
    assert len(walked.json) == 2


@pytest.mark.parametrize("path", ["/series", "/instances"])
async def test_what_it_would_lose_by_a_key_is_found_and_told(orthanc: Orthanc, path: str) -> None:
    async with over(orthanc) as edge:
        reply = await edge.ask(f"{path}?ModalitiesInStudy=CT", JSON)

    assert "P0" in patients(reply)
    assert "neither matches nor returns ModalitiesInStudy" in reply.raw.all("warning")[0]


async def test_its_xml_is_as_good_as_its_json(orthanc: Orthanc) -> None:
    study = SPECS["P0"].study
    async with over(orthanc) as plain, over(orthanc, quirks={"documents": "xml"}) as translated:
        for path in (f"/studies/{study}/metadata", "/studies?PatientID=P0"):
            own, from_xml = await plain.ask(path, JSON), await translated.ask(path, JSON)
            assert from_xml.status == own.status == 200
            [row], [same] = own.json, from_xml.json
            names = ("00080020", "00100010", "00100020", "0020000D")
            assert {tag: value(same, tag) for tag in names} == {tag: value(row, tag) for tag in names}


async def test_its_json_is_xml_for_who_wants_xml(orthanc: Orthanc) -> None:
    async with over(orthanc, quirks={"documents": "json"}) as edge:
        reply = await edge.ask(f"/studies/{SPECS['P0'].study}/metadata", XML)

    assert (reply.status, len(reply.parts)) == (200, 1)
    assert b'keyword="StudyInstanceUID"' in reply.parts[0].body


async def test_guards_hold_at_a_real_archive(orthanc: Orthanc) -> None:
    rule = {
        "name": "guarded",
        "match": {"transaction": "search"},
        "route": {"upstreams": "north", "add": {"PatientID": "P0"}},
    }
    given = {"url": orthanc.dicomweb_url, "profile": "orthanc", "wado_uri_url": None}
    async with edge_over(orthanc.url, settings=given, rules=[rule]) as edge:
        assert patients(await edge.ask("/studies", JSON)) == {"P0"}
        assert (await edge.ask("/studies?00100020=P1", JSON)).json == []
        assert len((await edge.ask(f"/studies/{SPECS['P0'].study}/series", JSON)).json) == 1
        assert (await edge.ask(f"/studies/{SPECS['P1'].study}/series", JSON)).problem(404)
