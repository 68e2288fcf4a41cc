"""Retrieve from a folder, judged by pydicom and by the files themselves."""

import os
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.encaps import generate_frames

from edgerouter.dicomweb.resource import Transaction
from edgerouter.upstream.folder.archive import FolderArchive
from tests.dicom.build import element, identity, image, oracle, part10
from tests.dicom.test_json_model import comparable
from tests.support.doors import DICOM, DICOM_JSON, DICOM_XML, OCTETS_AS_STORED
from tests.support.samples import Sample, wheel_samples
from tests.upstream.folder.embedded import AS_STORED, ask, dicom, embedded, picture

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"
INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"
BASE = "http://usb-stick.folder.invalid"
BROKEN = {"big endian": "bigend BigEnd big_endian expb", "cut": "truncated"}


def readable(sample: Sample) -> bool:
    return not any(word in sample.path.name for words in BROKEN.values() for word in words.split())


def chosen(samples: list[Sample]) -> list[Sample]:
    """Of files that share all their UIDs, the first by path is the one that is served."""
    first: dict[str, Sample] = {}
    for sample in sorted(filter(readable, samples), key=lambda each: os.fsencode(each.path)):
        first.setdefault(sample.resource, sample)
    return list(first.values())


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    found = chosen(wheel_samples())
    assert len(found) > 100
    return found


async def test_every_sample_file_is_served_byte_for_byte(samples: list[Sample]) -> None:
    async with embedded(WHEEL) as archive:
        for sample in samples:
            reply = await ask(archive, sample.resource, "", "application/dicom; transfer-syntax=*")
            assert (sample.path.name, reply.status) == (sample.path.name, 200)
            assert reply.body == sample.path.read_bytes()
            assert reply.get("content-type") == f"application/dicom; transfer-syntax={sample.syntax}"


async def test_the_metadata_of_every_sample_is_what_pydicom_says(samples: list[Sample]) -> None:
    async with embedded(WHEEL) as archive:
        for sample in samples:
            reply = await ask(archive, f"{sample.resource}/metadata", "", DICOM_JSON)
            [found] = reply.json
            expected = as_pydicom_says(sample, found)
            assert comparable(found) == comparable(expected)


def as_pydicom_says(sample: Sample, found: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected: dict[str, Any] = oracle(sample.path).to_json_dict(
            bulk_data_threshold=64, bulk_data_element_handler=lambda _: "uri", suppress_invalid_tags=True
        )
    for tag in ("300C0002", "00280008"):  # numbers that are none, which pydicom leaves out
        if tag not in expected:
            found.pop(tag, None)
    return expected


async def test_the_frames_of_every_sample_are_those_pydicom_cuts(samples: list[Sample]) -> None:
    served = 0
    async with embedded(WHEEL) as archive:
        for sample in (each for each in samples if each.frames):
            numbers = ",".join(str(number) for number in range(1, sample.frames + 1))
            reply = await ask(archive, f"{sample.resource}/frames/{numbers}", "", OCTETS_AS_STORED)
            served += 1
            parts = reply.parts
            assert [part.body for part in parts] == frames_by_pydicom(sample, len(parts[0].body))
            assert parts[-1].fields["content-location"] == f"{BASE}{sample.resource}/frames/{sample.frames}"
    assert served == 60


def frames_by_pydicom(sample: Sample, size: int) -> list[bytes]:
    data_set = oracle(sample.path)
    if data_set.file_meta.TransferSyntaxUID.is_encapsulated:
        return list(generate_frames(data_set.PixelData, number_of_frames=sample.frames))
    return [data_set.PixelData[at * size : (at + 1) * size] for at in range(sample.frames)]


async def test_a_study_and_a_series_are_their_instances_in_one_body(samples: list[Sample]) -> None:
    study = "1.3.6.1.4.1.5962.1.1.0.0.0.1194734704.16302.0.1"
    held = {sample.resource: sample for sample in samples if sample.study == study}
    series = {sample.series for sample in held.values()}
    assert len(series) > 1
    async with embedded(WHEEL) as archive:
        for path in (f"/studies/{study}", *(f"/studies/{study}/series/{one}" for one in series)):
            parts = (await ask(archive, path, "", AS_STORED)).parts
            locations = [part.fields["content-location"].removeprefix(BASE) for part in parts]
            assert sorted(locations) == sorted(one for one in held if one.startswith(path))
            for location, part in zip(locations, parts, strict=True):
                assert part.body == held[location].path.read_bytes()


IMPLICIT, EXPLICIT, J2K = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"
JPEG, DEFLATED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99"


@pytest.fixture
def small(tmp_path: Path) -> FolderArchive:
    """Not entered: each test says what is in the folder first."""
    return FolderArchive("usb-stick", tmp_path, interval=3600)


def encoded(syntax: str, instance: str = "1.2.3.4.5") -> bytes:
    """A small file in a transfer syntax; those of compressed ones have no pixels."""
    explicit = syntax != IMPLICIT
    data_set = identity(explicit=explicit).replace(b"1.2.3.4.5", instance.encode())
    return part10(data_set, syntax)


async def test_a_file_is_given_in_its_own_transfer_syntax_or_not_at_all(
    tmp_path: Path, small: FolderArchive
) -> None:
    syntaxes = (IMPLICIT, EXPLICIT, J2K, JPEG, DEFLATED)
    files = {syntax: encoded(syntax, f"1.2.3.4.{number}") for number, syntax in enumerate(syntaxes)}
    for number, file in enumerate(files.values()):
        (tmp_path / str(number)).write_bytes(file)
    async with small as archive:
        for syntax, accept, status in GIVEN:
            path = f"/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.{syntaxes.index(syntax)}"
            reply = await ask(archive, path, "", accept)
            assert (syntax, accept, reply.status) == (syntax, accept, status)
            if status == 200:
                [part] = reply.parts
                assert part.body == files[syntax]
                assert part.fields["content-type"] == f"application/dicom; transfer-syntax={syntax}"


GIVEN = [
    (EXPLICIT, DICOM, 200),
    (EXPLICIT, f"{DICOM}; transfer-syntax={J2K}", 406),
    (IMPLICIT, DICOM, 200),  # uncompressed, though not as it should be
    (IMPLICIT, f"{DICOM}; transfer-syntax={EXPLICIT}", 406),
    (JPEG, DICOM, 200),  # only lossy data exist
    (JPEG, f"{DICOM}; transfer-syntax={EXPLICIT}", 406),
    (J2K, DICOM, 406),  # could be decoded, but not here
    (J2K, "*/*", 406),
    (J2K, AS_STORED, 200),
    (J2K, f"{DICOM}; transfer-syntax={J2K}", 200),
    (J2K, f"{DICOM}, {AS_STORED};q=0.1", 200),
    (DEFLATED, DICOM, 406),
    (EXPLICIT, "application/zip", 406),
    (EXPLICIT, "text/html", 406),
]


async def test_instances_that_would_need_transcoding_are_said_to_be_missing(
    tmp_path: Path, small: FolderArchive
) -> None:
    (tmp_path / "a").write_bytes(encoded(J2K))
    (tmp_path / "b").write_bytes(dicom("1.2.3", "1.2.3.4", "1.2.3.4.6"))
    async with small as archive:
        reply = await ask(archive, "/studies/1.2.3", "", DICOM)

    assert (reply.status, len(reply.parts)) == (206, 1)
    expected = f"299 {BASE}: There are 1 instances that are not held in an acceptable transfer syntax"
    assert reply.get("warning") == expected


STATUSES = {
    "/studies/9": 404,
    "/studies/1.2.3/series/9/metadata": 404,
    f"{INSTANCE}/frames/1": 200,
    f"{INSTANCE}/frames/3": 404,
    f"{INSTANCE}/rendered": 501,
    f"{INSTANCE}/frames/1/rendered": 501,
    f"{INSTANCE}/thumbnail": 501,
    "/studies/1.2.3/thumbnail": 501,
    f"{INSTANCE}/bulkdata/00000000": 404,
    f"{INSTANCE}/nothing/here": 404,
    "/studies/1.2.3/bulkdata/7FE00010": 404,
    "/studies/x": 400,
    f"{INSTANCE}/frames/0": 400,
    "/patients": 404,
}


async def test_what_is_not_there_or_not_done_has_its_status(tmp_path: Path, small: FolderArchive) -> None:
    (tmp_path / "a").write_bytes(dicom(**picture(b"1234", b"5678")))
    async with small as archive:
        for path, status in STATUSES.items():
            reply = await ask(archive, path, transaction=Transaction.RETRIEVE)
            assert (path, reply.status) == (path, status)
            assert status < 400 or reply.get("content-type") == "application/problem+json"


async def test_metadata_in_xml_is_a_document_for_each_instance(tmp_path: Path, small: FolderArchive) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).write_bytes(dicom("1.2.3", "1.2.3.4", f"1.2.3.4.{number}", StudyID="S"))
    async with small as archive:
        reply = await ask(archive, "/studies/1.2.3/metadata", "", DICOM_XML)

    assert [part.fields["content-type"] for part in reply.parts] == ["application/dicom+xml"] * 2
    assert all(b'keyword="StudyID"' in part.body for part in reply.parts)


TAGGED = [
    (INSTANCE, "application/dicom"),
    (INSTANCE, DICOM),
    ("/studies/1.2.3", DICOM),
    (f"{INSTANCE}/metadata", DICOM_JSON),
    (f"{INSTANCE}/frames/1,2", "*/*"),
]


async def test_an_entity_tag_stands_for_the_bytes(tmp_path: Path, small: FolderArchive) -> None:
    file = tmp_path / "a"
    file.write_bytes(dicom(**picture(b"1234", b"5678")))
    async with small as archive:
        first = [await ask(archive, path, "", accept) for path, accept in TAGGED]
        tags = [reply.get("etag") or "" for reply in first]
        assert len(set(tags)) == len(TAGGED) - 1  # of one instance, the series body is the instance body
        for (path, accept), before, tag in zip(TAGGED, first, tags, strict=True):
            assert (await ask(archive, path, "", accept)).body == before.body
            again = await ask(archive, path, "", accept, if_none_match=tag)
            assert (again.status, again.body, again.get("etag")) == (304, b"", tag)

        file.write_bytes(dicom(StudyID="2", **picture(b"1234", b"5678")))
        for (path, accept), tag in zip(TAGGED, tags, strict=True):
            changed = await ask(archive, path, "", accept, if_none_match=tag)
            assert (changed.status, changed.get("etag") == tag) == (200, False)


async def test_a_range_of_an_instance_is_cut_from_its_file(tmp_path: Path, small: FolderArchive) -> None:
    file = dicom(StudyID="1")
    size = len(file)
    (tmp_path / "a").write_bytes(file)
    expected = {
        "bytes=0-3": (206, file[:4], f"bytes 0-3/{size}"),
        "bytes=-5": (206, file[-5:], f"bytes {size - 5}-{size - 1}/{size}"),
        "bytes=9999999-": (416, b"", f"bytes */{size}"),
        "lines=1-2": (200, file, None),
    }
    async with small as archive:
        for given, answer in expected.items():
            reply = await ask(archive, INSTANCE, "", "application/dicom", range=given)
            assert (reply.status, reply.body, reply.get("content-range")) == answer


async def test_the_uri_service_gives_the_file(tmp_path: Path, small: FolderArchive) -> None:
    (tmp_path / "a").write_bytes(dicom())
    where = "requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.4&objectUID=1.2.3.4.5"
    statuses = {
        "": 501,
        "&contentType=image%2Fjpeg": 501,
        "&contentType=application%2Fdicom&anonymize=yes": 501,
        "&contentType=application%2Fdicom&transferSyntax=1.2.840.10008.1.2.4.90": 406,
        "&contentType=application%2Fdicom": 200,
    }
    async with small as archive:
        for more, status in statuses.items():
            reply = await ask(archive, "", where + more, transaction=Transaction.WADO_URI)
            assert (more, reply.status) == (more, status)
        gone = where.replace("1.2.3.4.5", "9") + more
        assert (await ask(archive, "", gone, transaction=Transaction.WADO_URI)).status == 404
    assert reply.body == dicom()


async def test_deflated_pixels_are_served_inflated(tmp_path: Path, small: FolderArchive) -> None:
    pixels = element(0x7FE00010, "OW", b"12345678")
    data_set = identity() + image(frames=2) + pixels
    (tmp_path / "a").write_bytes(part10(data_set, DEFLATED))
    async with small as archive:
        reply = await ask(archive, f"{INSTANCE}/frames/2,1", "", "*/*")

    assert [part.body for part in reply.parts] == [b"5678", b"1234"]
