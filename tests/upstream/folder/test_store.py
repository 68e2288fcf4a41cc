"""Store into a folder: what is acknowledged is a file, what is refused says why, nothing is overwritten."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.store_response import StoreResponse, read_store_response
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.folder.index import Counts
from edgerouter.upstream.folder.landing import PartFile, path_of, sweep
from tests.support.doors import DICOM, DICOM_JSON, Reply
from tests.upstream.folder.embedded import (
    ask,
    dicom,
    embedded,
    numbered,
    picture,
    pieces,
    rows,
    store,
    upload,
    values,
)

BASE = "http://usb-stick.folder.invalid"
INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive("usb-stick", tmp_path, interval=3600)


def told(reply: Reply) -> StoreResponse:
    return read_store_response(reply.body, reply.get("content-type") or "")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_what_was_stored_is_served_at_once_and_durable(tmp_path: Path, archive: FolderArchive) -> None:
    sent = [numbered(number, **picture(os.urandom(4))) for number in range(1, 4)]
    async with archive:
        reply = await store(archive, pieces(upload(*sent), 100))
        served = await ask(archive, "/studies/1.2.3", "", DICOM)
        [row] = await rows(archive, "/studies")
        assert archive.counts == Counts(1, 3, 0, 0)

    assert reply.status == 200
    assert told(reply).retrieve_url == f"{BASE}/studies/1.2.3"
    assert [one.sop_instance for one in told(reply).outcomes] == ["1.1", "1.2", "1.3"]
    expected = f"{BASE}/studies/1.2.3/series/1.2.3.4/instances/1.1"
    assert told(reply).outcomes[0].retrieve_url == expected
    assert [part.body for part in served.parts] == sent
    assert row["00201208"]["Value"] == [3]
    assert len(files(tmp_path)) == 3


async def test_a_restarted_archive_still_has_it(tmp_path: Path) -> None:
    async with embedded(tmp_path) as archive:
        await store(archive, upload(dicom()))
    async with embedded(tmp_path) as archive:
        reply = await ask(archive, INSTANCE, "", "application/dicom")

    assert reply.body == dicom()


async def test_one_instance_may_come_alone_and_the_answer_in_xml(archive: FolderArchive) -> None:
    async with archive:
        reply = await store(
            archive, dicom(), content_type="application/dicom", accept="application/dicom+xml"
        )

    assert (reply.status, reply.get("content-type")) == (200, "application/dicom+xml")
    assert told(reply).outcomes[0].stored


async def test_a_file_s_name_is_nothing_of_the_wire_s(tmp_path: Path, archive: FolderArchive) -> None:
    async with archive:
        await store(archive, upload(dicom(PatientName="DOE^JOHN")))

    [name] = files(tmp_path)
    assert name == os.path.basename(path_of("1.2.3.4.5")).decode()
    assert "1.2.3" not in name


async def test_the_same_bytes_again_are_a_success_and_other_bytes_a_duplicate(
    tmp_path: Path, archive: FolderArchive
) -> None:
    (tmp_path / "mine.dcm").write_bytes(dicom("1.2.3", "1.2.3.4", "9.9"))
    async with archive:
        await store(archive, upload(dicom()))
        again = await store(archive, upload(dicom(), dicom("1.2.3", "1.2.3.4", "9.9")))
        other = await store(archive, upload(dicom(StudyID="2")))
        mine = await store(archive, upload(dicom("1.2.4", "1.2.3.4", "9.9")))
        served = await ask(archive, INSTANCE, "", "application/dicom")

    assert (again.status, [one.stored for one in told(again).outcomes]) == (200, [True, True])
    for refused in (other, mine):
        assert refused.status == 409
        assert [one.failure for one in told(refused).outcomes] == [0x0111]
    assert served.body == dicom()
    assert len(files(tmp_path)) == 2


async def test_each_instance_has_its_own_outcome(archive: FolderArchive) -> None:
    body = upload(dicom(), b"not an instance", b"", dicom("1.9", "1.9.1", "1.9.1.1"))
    async with archive:
        reply = await store(archive, body, path="/studies/1.2.3")
        found = values(await rows(archive, "/studies"), "0020000D")

    assert reply.status == 202
    outcomes = [(one.sop_instance, one.failure) for one in told(reply).outcomes]
    # In the answer's order: refused by UID, stored, and what has no UID.
    assert outcomes == [("1.2.3.4.5", None), ("1.9.1.1", 0xA901), ("", 0xC000), ("", 0xC000)]
    assert found == ["1.2.3"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ('multipart/related; type="application/dicom+json"; boundary=b', upload(b"[]"), 415),
        (DICOM, upload(dicom()), 400),
        (f"{DICOM}; boundary=b", upload(), 400),
        (f"{DICOM}; boundary=b", upload(dicom())[:-10], 400),
        (f"{DICOM}; boundary=b", None, 400),
        (f"{DICOM}; boundary=b", upload(b"nothing"), 400),
        (f"{DICOM}; boundary=b", upload(dicom(), part_type="image/jpeg"), 400),
        ("application/dicom", b"", 400),
    ],
)
async def test_what_is_no_upload_is_refused(
    tmp_path: Path, archive: FolderArchive, content_type: str, body: bytes | None, status: int
) -> None:
    async with archive:
        reply = await store(archive, body, content_type=content_type)

    assert reply.status == status
    assert not [name for name in files(tmp_path) if name.endswith(".part")]


async def test_an_answer_nobody_can_write_is_refused_before_anything_is_stored(
    tmp_path: Path, archive: FolderArchive
) -> None:
    async with archive:
        assert (await store(archive, upload(dicom()), accept="text/html")).status == 406

    assert files(tmp_path) == []


async def test_a_body_that_breaks_off_leaves_whole_instances_only(
    tmp_path: Path, archive: FolderArchive
) -> None:
    body = upload(numbered(1), numbered(2, EncapsulatedDocument=b"x" * 10_000))

    async def broken() -> AsyncIterator[bytes]:
        yield body[:5_000]
        raise ConnectionResetError("the client is gone")

    async with archive:
        with pytest.raises(ConnectionResetError, match="the client is gone"):
            await store(archive, broken())
        assert values(await rows(archive, "/instances"), "00080018") == ["1.1"]

    assert len(files(tmp_path)) == 1


async def test_a_folder_that_cannot_be_written_to_refuses_each_instance(
    tmp_path: Path, archive: FolderArchive, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "stored").write_bytes(b"where the uploads should go")
    async with archive:
        reply = await store(archive, pieces(upload(dicom(EncapsulatedDocument=b"x" * 3_000_000), dicom())))

    assert reply.status == 409
    assert [one.failure for one in told(reply).outcomes] == [0xA700, 0xA700]
    assert "usb-stick cannot store" in caplog.text


async def test_a_folder_that_may_not_be_written_to_takes_no_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FolderArchive("usb-stick", tmp_path).takes(Transaction.STORE)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # as root, we may write anywhere
    read_only = FolderArchive("usb-stick", tmp_path)

    assert not read_only.takes(Transaction.STORE)
    assert read_only.takes(Transaction.SEARCH)
    assert read_only.takes(Transaction.RETRIEVE)


async def test_two_uploads_of_one_instance_at_once_store_it_once(archive: FolderArchive) -> None:
    bodies = [upload(dicom(StudyID=str(number))) for number in range(6)]
    async with archive:
        replies = await asyncio.gather(*(store(archive, pieces(body, 300)) for body in bodies))
        served = await ask(archive, INSTANCE, "", "application/dicom")

    assert sorted(reply.status for reply in replies) == [200, *[409] * 5]
    winner = [reply.status for reply in replies].index(200)
    assert served.body == dicom(StudyID=str(winner))


async def test_a_stored_file_that_was_damaged_is_healed_by_storing_it_again(
    tmp_path: Path, archive: FolderArchive
) -> None:
    async with archive:
        await store(archive, upload(dicom()))
        [name] = files(tmp_path)
        (tmp_path / "stored" / name).write_bytes(dicom()[:200])
        reply = await store(archive, upload(dicom()))
        served = await ask(archive, INSTANCE, "", "application/dicom")

    assert (reply.status, served.body) == (200, dicom())


async def test_a_held_file_that_changes_while_it_is_compared_is_not_the_same(
    tmp_path: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.dcm"
    file.write_bytes(dicom())
    compare = PartFile.same_as

    def touched(self: PartFile, extent: Any) -> bool:
        os.utime(file)
        os.utime(file, (0, 0))
        return compare(self, extent)

    monkeypatch.setattr(PartFile, "same_as", touched)
    async with archive:
        reply = await store(archive, upload(dicom()))

    assert [one.failure for one in told(reply).outcomes] == [0x0111]


def test_part_files_of_a_dead_process_are_swept_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    assert sweep(root) == 0
    living = PartFile(root)
    living.write(b"arriving")
    (tmp_path / "stored" / ".0123.part").write_bytes(b"left behind")
    (tmp_path / "stored" / "kept.dcm").write_bytes(b"")

    assert sweep(root) == 1
    assert Path(os.fsdecode(living.path)).read_bytes() == b"arriving"
    assert (tmp_path / "stored" / "kept.dcm").exists()
    living.discard()
    assert files(tmp_path) == ["kept.dcm"]


def test_a_part_file_that_was_discarded_is_not_made_again(tmp_path: Path) -> None:
    part = PartFile(os.fsencode(tmp_path))
    part.discard()

    with pytest.raises(OSError, match="Bad file descriptor"):
        part.write(b"late")
    assert files(tmp_path) == []


async def test_unfinished_uploads_are_swept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / ".0123.part").write_bytes(b"left behind")
    caplog.set_level("INFO")
    async with embedded(tmp_path) as archive:
        assert json.loads((await ask(archive, "/studies", "", DICOM_JSON)).body) == []

    assert files(tmp_path) == []
    assert "removed 1 unfinished uploads" in caplog.text


async def test_unfinished_uploads_that_cannot_be_swept_do_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / ".0123.part").mkdir()
    async with embedded(tmp_path) as archive:
        assert await rows(archive, "/studies") == []

    assert "unfinished uploads stay" in caplog.text
