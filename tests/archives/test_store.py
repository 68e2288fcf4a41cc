"""What is stored through the router is in the archive, byte for byte, and the answer is the archive's."""

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from requests import HTTPError

from tests.support.archives import Archives
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, Door, Reply
from tests.support.samples import Sample, SeriesSpec, write_series

pytestmark = pytest.mark.archives

NEW = SeriesSpec("new", "EDGE-NEW", "Phantom^New", slices=3, size=64)
LARGE = SeriesSpec("large", "EDGE-LARGE", "Phantom^Large", slices=4, size=512)
STORE = 'multipart/related; type="application/dicom"; boundary=edge'
STUDY_MISMATCH = 272  # (0110H) processing failure


@pytest.fixture
def new(archives: Archives, tmp_path: Path) -> Iterator[list[Sample]]:
    yield from removed_afterwards(archives, write_series(tmp_path, NEW))


@pytest.fixture
def large(archives: Archives, tmp_path: Path) -> Iterator[list[Sample]]:
    yield from removed_afterwards(archives, write_series(tmp_path, LARGE))


def removed_afterwards(archives: Archives, samples: list[Sample]) -> Iterator[list[Sample]]:
    before = archives.a.count()
    yield samples
    if archives.a.count() != before:
        archives.a.delete_study(samples[0].study)
    assert archives.a.count() == before


def body(*files: bytes, part_type: str = "application/dicom") -> bytes:
    head = f"--edge\r\nContent-Type: {part_type}\r\n\r\n".encode()
    return b"".join(head + file + b"\r\n" for file in files) + b"--edge--\r\n"


def store(door: Door, content: bytes, path: str = "/studies", content_type: str = STORE) -> Reply:
    fields = {"Content-Type": content_type}
    return door.ask(path, DICOM_JSON, method="POST", body=content, fields=fields)


def stored_uids(answer: pydicom.Dataset) -> set[str]:
    return {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}


def test_dicomweb_client_stores_a_series(door: Door, archives: Archives, new: list[Sample]) -> None:
    answer = door.client.store_instances([pydicom.dcmread(it.path) for it in new])
    assert stored_uids(answer) == {it.instance for it in new}
    assert not answer.get("FailedSOPSequence")
    assert [archives.a.raw(it.instance) for it in new] == [it.path.read_bytes() for it in new]


def test_dicomweb_client_stores_more_than_a_megabyte_in_chunks(
    door: Door, archives: Archives, large: list[Sample]
) -> None:
    answer = door.client.store_instances([pydicom.dcmread(it.path) for it in large], LARGE.study)
    assert stored_uids(answer) == {it.instance for it in large}
    assert [archives.a.raw(it.instance) for it in large] == [it.path.read_bytes() for it in large]


def test_the_answer_is_the_archives_but_for_links_that_work(
    door: Door, direct: Door, new: list[Sample]
) -> None:
    content = body(*(it.path.read_bytes() for it in new))
    here, there = store(door, content), store(direct, content)
    assert (here.status, here.get("content-type")) == (200, DICOM_JSON)
    assert door.unlinked(here.body) == direct.unlinked(there.body)
    items = here.json["00081199"]["Value"]
    urls = [here.json["00081190"]["Value"][0], *(item["00081190"]["Value"][0] for item in items)]
    assert len(urls) == 4
    for url in urls:
        assert url.startswith(f"{door.base}/studies/{NEW.study}")
        assert door.ask(url, DICOM_AS_STORED).parts


def test_the_answer_can_be_xml(door: Door, direct: Door, new: list[Sample]) -> None:
    def ask(at: Door) -> Reply:
        content = body(new[0].path.read_bytes())
        fields = {"Content-Type": STORE}
        return at.ask("/studies", "application/dicom+xml", method="POST", body=content, fields=fields)

    here, there = ask(door), ask(direct)
    assert here.get("content-type") == "application/dicom+xml"
    assert door.unlinked(here.body) == direct.unlinked(there.body)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/related; type=application/dicom; boundary=edge", f'{STORE[:-4]}"edge"'],
    ids=["unquoted type", "quoted boundary"],
)
def test_every_spelling_of_the_envelope_stores(
    door: Door, archives: Archives, new: list[Sample], content_type: str
) -> None:
    content = b"\r\n" + body(new[0].path.read_bytes())
    assert store(door, content, content_type=content_type).status == 200
    assert archives.a.raw(new[0].instance) == new[0].path.read_bytes()


def test_a_duplicate_is_stored_alike(door: Door, direct: Door, new: list[Sample]) -> None:
    content = body(new[0].path.read_bytes())
    first, again = store(door, content), store(door, content)
    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json


def test_an_instance_of_another_study_is_a_conflict(door: Door, new: list[Sample]) -> None:
    reply = store(door, body(new[0].path.read_bytes()), "/studies/1.2.3")
    assert reply.status == 409
    [failed] = reply.json["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [new[0].instance]
    assert failed["00081197"]["Value"] == [STUDY_MISMATCH]
    with pytest.raises(HTTPError, match="409"):
        door.client.store_instances([pydicom.dcmread(new[0].path)], "1.2.3")


def test_what_is_not_dicom_is_refused(door: Door) -> None:
    assert store(door, body(b"not DICOM")).status == 400


@pytest.mark.parametrize(
    "content_type",
    ["application/dicom", 'multipart/related; type="image/jpeg"; boundary=edge'],
    ids=["single part", "another type"],
)
def test_what_is_not_a_store_is_unsupported(door: Door, new: list[Sample], content_type: str) -> None:
    content = new[0].path.read_bytes() if content_type == "application/dicom" else body(b"x")
    assert store(door, content, content_type=content_type).status == 415


def test_what_was_stored_is_found_and_retrieved_at_once(
    door: Door, archives: Archives, new: list[Sample]
) -> None:
    door.client.store_instances([pydicom.dcmread(it.path) for it in new])
    assert len(door.client.search_for_instances(NEW.study)) == 3
    [part] = door.ask(new[1].resource, DICOM_AS_STORED).parts
    assert pydicom.dcmread(io.BytesIO(part.body)).SOPInstanceUID == new[1].instance
