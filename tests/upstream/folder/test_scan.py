"""The index follows the folder: what comes, changes and goes, and folders that are away for a while."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from edgerouter.errors import ConnectError, ResponseTimeout
from edgerouter.upstream.folder.index import Counts, Index
from edgerouter.upstream.folder.walk import Walk
from edgerouter.upstream.health import State
from tests.upstream.folder.embedded import ask, dicom, embedded, rows, values

UIDS = "0020000D"


async def test_what_is_there_at_the_start_is_found(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "a.dcm").write_bytes(dicom("1.1"))
    (tmp_path / "deep" / "down" / "b").write_bytes(dicom("1.2", "1.2.1", "1.2.1.1"))
    async with embedded(tmp_path) as archive:
        assert sorted(values(await rows(archive, "/studies"), UIDS)) == ["1.1", "1.2"]
        assert archive.ready
        assert archive.counts == Counts(2, 2, 0, 0)


async def test_what_comes_changes_and_goes_is_seen_by_the_next_scan(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dicom("1.1"))
    (tmp_path / "b").write_bytes(dicom("1.2"))
    async with embedded(tmp_path) as archive:
        assert len(await rows(archive, "/studies")) == 2
        (tmp_path / "a").unlink()
        (tmp_path / "b").write_bytes(dicom("1.3"))
        (tmp_path / "c").write_bytes(dicom("1.4", "1.4.1", "1.4.1.1"))
        await archive.rescan()

        assert sorted(values(await rows(archive, "/studies"), UIDS)) == ["1.3", "1.4"]


async def test_the_folder_is_looked_at_again_and_again(tmp_path: Path) -> None:
    async with embedded(tmp_path, interval=0.01) as archive:
        assert await rows(archive, "/studies") == []
        (tmp_path / "a").write_bytes(dicom("1.1"))
        async with asyncio.timeout(20):
            while not await rows(archive, "/studies"):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)


async def test_broken_files_are_told_by_number_and_never_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "DOE^JOHN.dcm").write_bytes(dicom()[:300])
    (tmp_path / "DOE^JOHN.txt").write_bytes(b"DOE^JOHN")
    (tmp_path / "a").write_bytes(dicom(PatientName="DOE^JOHN"))
    (tmp_path / "b").write_bytes(dicom(PatientName="DOE^JOHN"))
    async with embedded(tmp_path) as archive:
        await archive.rescan()
        assert archive.counts == Counts(1, 1, 2, 1)

    assert "1 studies, 1 instances" in caplog.text
    assert "2 files are no PS3.10 files we can read, 1 hold instances that others hold" in caplog.text
    assert "DOE" not in caplog.text


async def test_a_broken_file_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(dicom()[:300])
    async with embedded(tmp_path) as archive:
        await archive.rescan()
        assert archive.counts.unusable == 1
        file.write_bytes(dicom())
        await archive.rescan()
        assert archive.counts == Counts(1, 1, 0, 0)


async def test_a_folder_that_is_away_is_an_error_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "DOE^JOHN"
    async with embedded(folder) as archive:
        with pytest.raises(ConnectError):
            await ask(archive, "/studies")
        assert not archive.healthy
        assert (archive.health.state, archive.health.failures) == (State.EJECTED, 1)

        folder.mkdir()
        (folder / "a").write_bytes(dicom("1.1"))
        await archive.rescan()
        assert values(await rows(archive, "/studies"), UIDS) == ["1.1"]
        assert (archive.healthy, archive.health.state) == (True, State.UP)

        folder.rename(tmp_path / "elsewhere")
        await archive.rescan()
        await archive.rescan()
        with pytest.raises(ConnectError):
            await ask(archive, "/studies")
        assert archive.health.last_error == "No such file or directory"

        (tmp_path / "elsewhere").rename(folder)
        await archive.rescan()
        assert values(await rows(archive, "/studies"), UIDS) == ["1.1"]
    assert caplog.text.count("cannot be served") == 2
    assert "DOE" not in caplog.text


async def test_a_request_waits_for_the_first_scan_but_not_for_ever(tmp_path: Path) -> None:
    async with embedded(tmp_path, patience=0.01) as archive, archive._scanner._lock:
        with pytest.raises(ResponseTimeout):
            await ask(archive, "/studies")
        assert not archive.ready


async def test_an_index_that_cannot_be_used_is_a_fault_of_the_archive(tmp_path: Path) -> None:
    async with embedded(tmp_path) as archive:
        assert await rows(archive, "/studies") == []
        await archive._holdings.ask(Index.close)

        with pytest.raises(ConnectError):
            await ask(archive, "/studies")
        await archive.rescan()
        assert not archive.healthy


async def test_a_reader_that_cannot_start_does_not_make_an_empty_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(dicom())
    monkeypatch.setattr("edgerouter.parsing.describer._COMMAND", ("/bin/false",))
    async with embedded(tmp_path) as archive:
        with pytest.raises(ConnectError):
            await ask(archive, "/studies")


async def test_folders_that_cannot_be_read_keep_what_was_known_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(dicom("1.1"))
    async with embedded(tmp_path) as archive:
        assert len(await rows(archive, "/studies")) == 1
        (tmp_path / "b").write_bytes(dicom("1.2"))
        whole = os.scandir

        def scandir(path: bytes) -> object:
            if path.endswith(b"sub"):
                raise PermissionError
            return whole(path)

        monkeypatch.setattr(os, "scandir", scandir)  # as root, no permission keeps us out
        await archive.rescan()

        assert sorted(values(await rows(archive, "/studies"), UIDS)) == ["1.1", "1.2"]
    assert "some of its folders cannot be read" in caplog.text


async def test_more_files_than_can_be_served_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgerouter.upstream.folder.scan.MAX_FILES", 1)
    monkeypatch.setattr("edgerouter.upstream.folder.scan.Walk", lambda root: Walk(root, most=1))
    (tmp_path / "a").write_bytes(dicom("1.1"))
    (tmp_path / "b").write_bytes(dicom("1.2"))
    async with embedded(tmp_path) as archive:
        assert values(await rows(archive, "/studies"), UIDS) == ["1.1"]
    assert "only its first 1 files are served" in caplog.text


async def test_what_nobody_foresaw_is_a_fault_of_the_archive_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprising(index: Index, batch: object) -> object:
        raise ArithmeticError("DOE^JOHN")

    (tmp_path / "a").write_bytes(dicom("1.1"))
    with monkeypatch.context() as patch:
        patch.setattr(Index, "pass_over", surprising)
        async with embedded(tmp_path) as archive:
            with pytest.raises(ConnectError):
                await ask(archive, "/studies")
            assert archive.health.last_error == "ArithmeticError"
            patch.undo()
            await archive.rescan()
            assert values(await rows(archive, "/studies"), UIDS) == ["1.1"]
