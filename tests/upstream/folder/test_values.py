"""Bulk data from a folder: every BulkDataURI of the metadata leads to the value that the file holds."""

import json
import re
from pathlib import Path

import pydicom
import pytest

from edgerouter.dicomweb.resource import parse
from edgerouter.errors import Cut
from edgerouter.upstream.folder.archive import FolderArchive
from tests.dicom.build import (
    element,
    fragments,
    identity,
    image,
    item,
    oracle,
    part10,
    sequence,
)
from tests.support.doors import DICOM_JSON, OCTETS, OCTETS_AS_STORED, Reply
from tests.upstream.folder.embedded import ask, dicom, embedded, numbered, picture

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"
INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"
BASE = "http://usb-stick.folder.invalid"
OCTET = "application/octet-stream"
PDF = b"%PDF-1.7 " + b"x" * 91
J2K = "1.2.840.10008.1.2.4.90"
ONE = b"\xff\x4f\xff\x51one."


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive("usb-stick", tmp_path, interval=3600)


def uris(reply: Reply) -> list[str]:
    return re.findall(r'"BulkDataURI":"([^"]+)"', reply.body.decode())


async def test_every_reference_in_the_samples_leads_to_the_value_pydicom_reads() -> None:
    followed = 0
    async with embedded(WHEEL) as archive:
        for row in json.loads((await ask(archive, "/studies", "", DICOM_JSON)).body):
            study = row["0020000D"]["Value"][0]
            for uri in uris(await ask(archive, f"/studies/{study}/metadata", "", DICOM_JSON)):
                path = uri.removeprefix(BASE)
                reply = await ask(archive, path, "", OCTETS_AS_STORED)
                assert (uri, reply.status) == (uri, 200)
                if not path.endswith("/bulkdata/7FE00010"):
                    assert reply.parts[0].body == await by_pydicom(archive, path)
                followed += 1
    assert followed == 80


async def by_pydicom(archive: FolderArchive, path: str) -> bytes:
    """The value that a BulkDataURI names, read by pydicom out of the instance as served."""
    instance, _, where = path.partition("/bulkdata/")
    file = Path(archive._holdings.file(await name_of(archive, instance)).decode())
    data_set: pydicom.Dataset = oracle(file)
    *steps, last = where.split("/")
    for tag, number in zip(steps[::2], steps[1::2], strict=True):
        data_set = data_set[int(tag, 16)].value[int(number) - 1]
    value = data_set.get_item(int(last, 16)).value
    assert isinstance(value, bytes)
    return value


async def name_of(archive: FolderArchive, instance: str) -> bytes:
    [member] = await archive._holdings.members(parse(instance))
    return member.path


async def test_a_value_can_be_had_alone_in_a_part_or_by_range(tmp_path: Path, archive: FolderArchive) -> None:
    (tmp_path / "a").write_bytes(dicom(**picture(b"1234", b"5678")))
    where = f"{INSTANCE}/bulkdata/7FE00010"
    async with archive:
        alone = await ask(archive, where, "", "application/octet-stream")
        part = await ask(archive, where, "", OCTETS)
        middle = await ask(archive, where, "", "application/octet-stream", range="bytes=2-5")
        beyond = await ask(archive, where, "", "application/octet-stream", range="bytes=8-")

    assert (alone.status, alone.body, alone.get("content-location")) == (200, b"12345678", BASE + where)
    assert part.parts[0].body == b"12345678"
    assert part.parts[0].fields["content-location"] == BASE + where
    assert (middle.status, middle.body, middle.get("content-range")) == (206, b"3456", "bytes 2-5/8")
    assert (beyond.status, beyond.get("content-range")) == (416, "bytes */8")


async def test_a_value_in_a_sequence_has_the_path_that_leads_there(
    tmp_path: Path, archive: FolderArchive
) -> None:
    icon = sequence(
        0x00880200, item(), item(image(rows=10, columns=10) + element(0x7FE00010, "OW", b"y" * 100))
    )
    (tmp_path / "a").write_bytes(part10(identity() + icon))
    async with archive:
        [uri] = uris(await ask(archive, f"{INSTANCE}/metadata", "", DICOM_JSON))
        reply = await ask(archive, uri.removeprefix(BASE), "", "*/*")

    assert uri == f"{BASE}{INSTANCE}/bulkdata/00880200/2/7FE00010"
    assert reply.body == b"y" * 100


def pdf(media: str, length: int | None = None) -> bytes:
    told = {} if length is None else {"EncapsulatedDocumentLength": length}
    return dicom(EncapsulatedDocument=PDF, MIMETypeOfEncapsulatedDocument=media, **told)


@pytest.mark.parametrize(
    ("file", "accept", "label", "body"),
    [
        (pdf("application/pdf"), "*/*", "application/pdf", PDF),
        (pdf("application/pdf"), "application/pdf", "application/pdf", PDF),
        (pdf("application/pdf", 99), "*/*", "application/pdf", PDF[:99]),
        (pdf("application/pdf", 9999), "*/*", "application/pdf", PDF),
        (pdf("application/pdf"), f"{OCTET}; transfer-syntax=*", OCTET, PDF),
        (pdf("text/html"), "*/*", OCTET, PDF),  # no pages of ours
    ],
)  # fmt: skip
async def test_a_document_has_its_own_type_if_that_is_harmless(
    tmp_path: Path, archive: FolderArchive, file: bytes, accept: str, label: str, body: bytes
) -> None:
    (tmp_path / "a").write_bytes(file)
    async with archive:
        reply = await ask(archive, f"{INSTANCE}/bulkdata/00420011", "", accept)
        other = await ask(archive, f"{INSTANCE}/bulkdata/00420011", "", "image/png")

    assert (reply.status, reply.get("content-type"), reply.body) == (200, label, body)
    assert other.status == 406


async def test_all_values_of_a_study_are_a_part_each(tmp_path: Path, archive: FolderArchive) -> None:
    (tmp_path / "a").write_bytes(dicom("1.2.3", "1.2.3.4", "1.1", InstanceNumber="1", **picture(b"1111")))
    (tmp_path / "b").write_bytes(
        dicom("1.2.3", "1.2.3.4", "1.2", InstanceNumber="2", EncapsulatedDocument=PDF)
    )
    (tmp_path / "c").write_bytes(dicom("1.2.3", "1.2.3.4", "1.3", InstanceNumber="3"))
    (tmp_path / "d").write_bytes(part10(identity() + image(frames=2) + fragments(ONE, ONE), J2K))
    async with archive:
        plain = await ask(archive, "/studies/1.2.3/bulkdata", "", OCTETS)
        everything = await ask(archive, "/studies/1.2.3/bulkdata", "", OCTETS_AS_STORED)
        instance = "/studies/1.2.3/series/1.2.3.4/instances"
        none = await ask(archive, f"{instance}/1.3/bulkdata", "", OCTETS)
        one = await ask(archive, f"{instance}/1.2/bulkdata", "", OCTETS)

    assert (plain.status, [part.body for part in plain.parts]) == (206, [b"1111", PDF])
    assert [part.body for part in everything.parts] == [b"1111", PDF, ONE, ONE]
    located = [part.fields["content-location"] for part in plain.parts]
    assert located == [f"{BASE}{instance}/1.1/bulkdata/7FE00010", f"{BASE}{instance}/1.2/bulkdata/00420011"]
    assert (none.status, len(one.parts)) == (404, 1)


async def test_many_values_are_read_in_several_goes(
    tmp_path: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.upstream.folder.values._AT_ONCE", 4)
    for number in range(9):
        (tmp_path / str(number)).write_bytes(numbered(number, **picture(b"%d000" % number)))
    async with archive:
        reply = await ask(archive, "/studies/1.2.3/bulkdata", "", OCTETS)

    assert [part.body for part in reply.parts] == [b"%d000" % number for number in range(9)]


async def test_a_file_that_cannot_be_read_any_more_is_an_error_not_a_value(
    tmp_path: Path, archive: FolderArchive
) -> None:
    (tmp_path / "a").write_bytes(dicom(**picture(b"1111")))
    async with archive:
        await ask(archive, "/studies", "", DICOM_JSON)
        [member] = await archive._holdings.members(parse(INSTANCE))
        (tmp_path / "a").unlink()
        with pytest.raises(Cut):
            await archive._holdings.locate(member, "7FE00010")
