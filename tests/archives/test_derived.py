"""What a study's instances answer for once they are held: every other form of it, with no byte more from the
archive, compared with what the archive or pydicom says."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.encaps import generate_frames

from edgerouter.dicomweb.same_header import same_header
from edgerouter.dicomweb.xml_to_json import xml_to_json
from tests.archives.test_same_header import DIFFERENT, UNREAD
from tests.dicom.build import oracle
from tests.support.archives import Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, DICOM_XML, OCTETS, Door, Reply
from tests.support.samples import CHEST, Sample

pytestmark = pytest.mark.archives

UNNAMED = "ExplVR_BigEnd.dcm"  # big endian: passed on and never kept
ANY_PIXELS = ", ".join(
    f'multipart/related; type="{media}"; transfer-syntax=*'
    for media in (
        "application/octet-stream",
        "image/jpeg",
        "image/jls",
        "image/jp2",
        "image/jpx",
        "image/dicom-rle",
    )
)


@pytest.fixture(scope="module")
def held(archives: Archives) -> Iterator[Edge]:
    """A router that holds every instance of archive a, the generated series apart."""
    with (
        tempfile.TemporaryDirectory(prefix="edge") as folder,
        edge_over(Path(folder), {"a": archives.a}, cache="2 GB") as edge,
        Door(edge.dicomweb, f"{edge.dicomweb}/wado") as door,
    ):
        for study in {sample.study for sample in samples(archives)}:
            assert door.ask(f"/studies/{study}", DICOM_AS_STORED).status == 200
        edge.relays["a"].quiet()
        yield edge


@pytest.fixture
def door(held: Edge) -> Iterator[Door]:
    with Door(held.dicomweb, f"{held.dicomweb}/wado") as door:
        yield door


def samples(archives: Archives) -> list[Sample]:
    """Those whose files can be named, so that they are kept."""
    others = [sample for sample in archives.in_a if sample.study != CHEST.study]
    return [sample for sample in others if sample.path.name != UNNAMED]


def derived(reply: Reply) -> bool:
    return reply.status == 200 and "hit; detail=derived" in (reply.get("cache-status") or "")


def links(row: Any) -> Iterator[tuple[str, str]]:
    """The values of a row that are given by reference, those of its top level: tag and URI."""
    for tag, attribute in row.items():
        if uri := attribute.get("BulkDataURI"):
            yield tag, uri


def every_link(row: Any) -> Iterator[str]:
    """The URIs of all values that are given by reference, at any depth, in order."""
    for attribute in row.values():
        if uri := attribute.get("BulkDataURI"):
            yield uri
        if attribute["vr"] == "SQ":
            for item in attribute.get("Value", ()):
                yield from every_link(item)


def test_every_sample_is_described_as_the_archive_describes_it(
    held: Edge, door: Door, direct: Door, archives: Archives
) -> None:
    mark = held.relays["a"].mark()
    rows: dict[Sample, bytes] = {}
    documents: dict[Sample, bytes] = {}
    asked = set()
    for sample in samples(archives):
        if sample.path.name in UNREAD:
            continue
        json_, xml = (door.ask(f"{sample.resource}/metadata", form) for form in (DICOM_JSON, DICOM_XML))
        if not derived(json_):
            asked.add(sample.path.name)
            continue
        assert derived(xml)
        [rows[sample]] = door.rows(json_)
        documents[sample] = xml.parts[0].body
    assert asked == set()
    assert held.relays["a"].since(mark) == []
    assert len(rows) > 90

    different = set()
    for sample, row in rows.items():
        [theirs] = direct.rows(direct.ask(f"{sample.resource}/metadata", DICOM_JSON))
        assert same_header(row, xml_to_json(documents[sample]))
        if not same_header(theirs, row):
            different.add(sample.path.name)
    assert different <= set(DIFFERENT)


def test_every_value_that_is_referred_to_is_the_files(held: Edge, door: Door, archives: Archives) -> None:
    mark = held.relays["a"].mark()
    seen = 0
    for sample in samples(archives):
        if sample.path.name in UNREAD:
            continue
        [row] = door.ask(f"{sample.resource}/metadata", DICOM_JSON).json
        data_set = oracle(sample.path)
        for tag, uri in links(row):
            if tag == "7FE00010" and pydicom.uid.UID(sample.syntax).is_encapsulated:
                continue
            raw = data_set.get_item(int(tag, 16)).value
            if not isinstance(raw, bytes):  # converted by now; the raw ones are enough
                continue
            reply = door.ask(uri, "application/octet-stream")
            assert derived(reply), (sample.path.name, tag)
            assert reply.body == raw
            some = door.ask(uri, "application/octet-stream", fields={"Range": "bytes=3-70"})
            assert (some.status, some.body) == (206, raw[3:71])
            seen += 1
    assert held.relays["a"].since(mark) == []
    assert seen > 50


def test_all_bulk_data_is_every_value_that_is_referred_to(held: Edge, door: Door, archives: Archives) -> None:
    mark = held.relays["a"].mark()
    seen = parts = 0
    for sample in samples(archives):
        if sample.path.name in UNREAD or pydicom.uid.UID(sample.syntax).is_encapsulated:
            continue
        [row] = door.ask(f"{sample.resource}/metadata", DICOM_JSON).json
        uris = list(every_link(row))
        if not uris:
            continue
        reply = door.ask(f"{sample.resource}/bulkdata", OCTETS)
        assert derived(reply), sample.path.name
        alone = [door.ask(uri, "application/octet-stream").body for uri in uris]
        assert [(part.fields["content-location"], part.body) for part in reply.parts] == list(
            zip(uris, alone, strict=True)
        )
        seen, parts = seen + 1, parts + len(uris)
    assert held.relays["a"].since(mark) == []
    assert parts > seen > 40


def test_all_pixel_data_is_the_frames_that_pydicom_finds(held: Edge, door: Door, archives: Archives) -> None:
    compared, passed = 0, set()
    for sample in samples(archives):
        if not sample.frames or sample.path.name in UNREAD:
            continue
        reply = door.ask(f"{sample.resource}/pixeldata", ANY_PIXELS)
        if not derived(reply):
            passed.add(sample.path.name)
            continue
        data_set = oracle(sample.path)
        if pydicom.uid.UID(sample.syntax).is_encapsulated:
            frames = [*generate_frames(data_set.PixelData, number_of_frames=sample.frames)]
            assert [part.body.rstrip(b"\0") for part in reply.parts] == [one.rstrip(b"\0") for one in frames]
        else:
            values = (data_set.get(name) for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
            whole = next(value for value in values if value is not None)
            parts = b"".join(part.body for part in reply.parts)
            assert (len(reply.parts), parts) == (sample.frames, whole[: len(parts)])
            assert len(whole) - len(parts) <= 1
        compared += 1
    assert passed == set()
    assert compared > 60


def test_every_study_is_a_zip_archive_of_its_files(held: Edge, door: Door, archives: Archives) -> None:
    mark = held.relays["a"].mark()
    files = {sample.instance: sample for sample in samples(archives)}
    found = set()
    for study in {sample.study for sample in files.values()}:
        reply = door.ask(f"/studies/{study}", "application/zip; transfer-syntax=*")
        assert derived(reply)
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            assert archive.testzip() is None
            for name in archive.namelist():
                uid = name.rsplit("/", 1)[1].removesuffix(".dcm")
                assert archive.read(name) == archives.a.raw(uid)
                found.add(uid)
    assert found == set(files)
    assert held.relays["a"].since(mark) == []


def test_the_uri_service_gives_the_file(held: Edge, door: Door, archives: Archives) -> None:
    mark = held.relays["a"].mark()
    for sample in samples(archives):
        query = f"studyUID={sample.study}&seriesUID={sample.series}&objectUID={sample.instance}"
        syntax = f"transferSyntax={sample.syntax}"
        reply = door.ask(f"{door.wado_uri}?requestType=WADO&{query}&contentType=application/dicom&{syntax}")
        assert reply.status == 200
        assert reply.body == archives.a.raw(sample.instance)
    assert held.relays["a"].since(mark) == []


def test_a_mixed_session_costs_the_line_one_copy(archives: Archives, short_path: Path) -> None:
    """Frames in any order, the series, metadata of each level in both forms, zip, ranges, HEAD."""
    study, series = f"/studies/{CHEST.study}", f"/studies/{CHEST.study}/series/{CHEST.series}"
    files = sum(len(archives.a.raw(CHEST.instance(number))) for number in range(1, CHEST.slices + 1))
    with (
        edge_over(short_path, {"a": archives.a}, cache="2 GB") as edge,
        Door(edge.dicomweb, f"{edge.dicomweb}/wado") as door,
    ):
        for turn in range(2):
            mark = edge.relays["a"].mark()
            for number in (7, 3, 199, 100):
                instance = f"{series}/instances/{CHEST.instance(number)}"
                assert door.ask(f"{instance}/frames/1", "application/octet-stream").status == 200
            for path in (series, study):
                assert door.ask(path, DICOM_AS_STORED).status == 200
            for path in (study, series, f"{series}/instances/{CHEST.instance(5)}"):
                for form in (DICOM_JSON, DICOM_XML):
                    assert door.ask(f"{path}/metadata", form).status == 200
            assert door.ask(study, "application/zip").status == 200
            assert door.ask(series, "application/zip", fields={"Range": "bytes=-1000"}).status == 206
            assert door.ask(study, DICOM_AS_STORED, method="HEAD").status == 200
            assert door.ask(f"{study}/pixeldata", ANY_PIXELS).status == 200
            edge.relays["a"].quiet()
            exchanges = edge.relays["a"].since(mark)
            if turn:
                assert exchanges == []
            else:
                crossed = sum(exchange.body_down for exchange in exchanges)
                print(f"{crossed} bytes crossed the line for {files} bytes of files")
                assert crossed <= 1.03 * files
                assert json.loads(door.ask(f"{study}/metadata", DICOM_JSON).body)
