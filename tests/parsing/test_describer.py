"""The reading process: what it says of files, and what becomes of it when they are hostile."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from edgerouter.dicom.explicit_view import explicit_view
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import IMPLICIT_LITTLE_ENDIAN
from edgerouter.parsing import describer as module
from edgerouter.parsing import worker
from edgerouter.parsing.describer import Describer, Unread
from edgerouter.parsing.worker import MAX_ATTRIBUTE, Describe, Entry, Reply, ToXml, View
from tests.dicom import build
from tests.upstream.folder.embedded import dicom, picture

BASE = "http://usb-stick.folder.invalid"


@pytest.fixture
async def describer() -> AsyncIterator[Describer]:
    describer = Describer("test")
    yield describer
    await describer.aclose()


@pytest.fixture
def file(tmp_path: Path) -> bytes:
    path = tmp_path / "file.dcm"
    path.write_bytes(dicom(StudyDate="20240102", InstanceNumber="3", **picture(b"1234", b"5678")))
    return os.fsencode(path)


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def process_of(describer: Describer) -> "subprocess.Popen[bytes]":
    process = describer._process
    assert process is not None
    return process


async def test_a_file_is_described_with_what_an_index_needs(describer: Describer, file: bytes) -> None:
    entry = await describer.describe(file, BASE)

    assert (entry.study, entry.series, entry.instance) == ("1.2.3", "1.2.3.4", "1.2.3.4.5")
    assert (entry.moment, entry.number, entry.series_number) == ("20240102", 3, None)
    assert entry.has_pixels
    uri = json.loads(entry.metadata)["7FE00010"]["BulkDataURI"]
    assert uri == f"{BASE}/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/bulkdata/7FE00010"


async def test_what_cannot_be_searched_is_not_kept_for_it(describer: Describer, tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(dicom(PatientComments="x" * MAX_ATTRIBUTE, StudyID="1"))
    entry = await describer.describe(os.fsencode(path), BASE)

    assert "00104000" in json.loads(entry.metadata)
    assert "00104000" not in json.loads(entry.attributes)
    assert "00200010" in json.loads(entry.attributes)


async def test_a_value_is_located_and_a_dataset_written_as_xml(describer: Describer, file: bytes) -> None:
    place = await describer.locate(file, "7FE00010")

    assert place is not None
    [(offset, length)] = place.pieces
    assert content(os.fsdecode(file))[offset : offset + length] == b"12345678"
    assert await describer.locate(file, "00100010") is None
    assert b'keyword="StudyID"' in await describer.to_xml(b'{"00200010":{"vr":"SH","Value":["1"]}}')


async def test_what_is_no_instance_is_refused_in_a_sentence_of_ours(
    describer: Describer, tmp_path: Path
) -> None:
    path = tmp_path / "DOE^JOHN.txt"
    path.write_bytes(b"DOE^JOHN" * 100)

    with pytest.raises(Part10Error, match="The file has no DICM prefix"):
        await describer.describe(os.fsencode(path), BASE)
    with pytest.raises(FileNotFoundError) as caught:
        await describer.describe(os.fsencode(tmp_path / "gone"), BASE)
    assert "gone" not in str(caught.value)
    with pytest.raises(Part10Error, match="cannot be understood"):
        await describer.to_xml(b"[")


async def test_one_process_answers_questions_that_come_at_once(describer: Describer, file: bytes) -> None:
    entries = await asyncio.gather(*(describer.describe(file, BASE) for _ in range(20)))

    assert len({entry.instance for entry in entries}) == 1
    assert process_of(describer).poll() is None


async def test_a_process_that_dies_of_a_file_is_replaced(describer: Describer, file: bytes) -> None:
    await describer.describe(file, BASE)
    first = process_of(describer)
    first.send_signal(signal.SIGSTOP)
    asking = asyncio.ensure_future(describer.describe(file, BASE))  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    first.kill()

    with pytest.raises(Unread):
        await asking
    assert (await describer.describe(file, BASE)).instance == "1.2.3.4.5"
    assert process_of(describer).pid != first.pid


async def test_a_file_that_takes_too_long_is_given_up(describer: Describer, file: bytes) -> None:
    await describer.describe(file, BASE)
    process_of(describer).send_signal(signal.SIGSTOP)
    describer._limit = 0.05

    with pytest.raises(Unread):
        await describer.describe(file, BASE)


async def test_a_process_that_does_not_start_is_no_fault_of_the_file(
    file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMMAND", ("/bin/false",))
    describer = Describer("test")
    try:
        with pytest.raises(OSError, match="did not start"):
            await describer.describe(file, BASE)
    finally:
        await describer.aclose()


async def test_the_process_is_given_no_secrets_and_ends_with_us(
    file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    describer = Describer("test")
    monkeypatch.setenv("EDGE_TEST_PASSWORD", "of-hospital-a")
    await describer.describe(file, BASE)
    process = process_of(describer)

    assert b"of-hospital-a" not in content(f"/proc/{process.pid}/environ")
    await describer.aclose()
    assert process.returncode is not None


@pytest.mark.parametrize("cut", [b"", b"\1\0", b"\4\0\0\0abc"])
def test_half_a_message_is_none(cut: bytes) -> None:
    with pytest.raises(EOFError):
        module._message(BytesIO(cut))


def test_the_process_ends_when_nobody_asks_any_more() -> None:
    requests, answers = BytesIO(), BytesIO()
    request = msgspec.msgpack.encode(ToXml(b"{}"))
    requests.write(worker.LENGTH.pack(len(request)) + request)
    requests.seek(0)

    worker.run(requests, answers)

    reply = msgspec.msgpack.decode(answers.getvalue()[worker.LENGTH.size :], type=Reply)
    assert b"NativeDicomModel" in msgspec.msgpack.decode(reply.value, type=bytes)


@pytest.mark.parametrize("number", ["99999999999", "1.5", "x"])
def test_a_number_that_is_none_sorts_as_no_number(tmp_path: Path, number: str) -> None:
    path = tmp_path / "odd.dcm"
    path.write_bytes(dicom(InstanceNumber="1234567").replace(b"1234567 ", number.encode()[:8].ljust(8)))
    reply = worker.answer(Describe(os.fsencode(path), ""))

    entry = msgspec.msgpack.decode(reply.value, type=Entry)
    assert entry.number in (None, 99999999)


async def test_references_can_stand_under_another_word(describer: Describer, file: bytes) -> None:
    entry = await describer.describe(file, BASE, "dataset")

    uri = json.loads(entry.metadata)["7FE00010"]["BulkDataURI"]
    assert uri.endswith("/instances/1.2.3.4.5/dataset/7FE00010")


async def test_a_document_is_found_in_its_file(describer: Describer, file: bytes, tmp_path: Path) -> None:
    content = b"%PDF-1.7\n" + b"text " * 20 + b"%%EOF\n"
    path = tmp_path / "document.dcm"
    path.write_bytes(
        dicom(EncapsulatedDocument=content + b"\0", MIMETypeOfEncapsulatedDocument="application/pdf")
    )
    document = await describer.document(os.fsencode(path))

    assert document is not None
    assert document.media == "application/pdf"
    [(offset, length)] = document.pieces
    assert path.read_bytes()[offset : offset + length] == content
    assert await describer.document(file) is None


async def test_a_view_is_told_as_what_is_new_and_what_stands_in_the_file(
    describer: Describer, file: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "implicit.dcm"
    path.write_bytes(build.part10(build.identity(explicit=False), IMPLICIT_LITTLE_ENDIAN))
    view = await describer.view(os.fsencode(path))

    assert view is not None
    assert view == View(*explicit_view(str(path)) or ())
    assert await describer.view(file) is None, "it is explicit already"
