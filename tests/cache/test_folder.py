"""The directory: ours alone, of a known format, one process's; looked at before it is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgerouter.cache.folder import FORMAT, Folder, FolderError
from tests.cache.support import opened


def contents(path: Path) -> dict[str, bytes | None]:
    return {
        str(entry.relative_to(path)): None if entry.is_dir() else entry.read_bytes()
        for entry in sorted(path.rglob("*"))
    }


def test_a_new_directory_is_private_and_carries_its_format(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "var" / "cache")
    folder.close()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "format").read_text() == FORMAT


def test_an_unknown_format_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("edgerouter cache 999\n")
    (tmp_path / "anything").write_text("x")
    tmp_path.chmod(0o700)
    before = contents(tmp_path)
    with pytest.raises(FolderError, match="edgerouter cache 999"):
        Folder(tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_of_other_things_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("x")
    tmp_path.chmod(0o700)
    before = contents(tmp_path)
    with pytest.raises(FolderError, match=r"thesis\.doc"):
        Folder(tmp_path)
    assert contents(tmp_path) == before


def test_a_directory_emptied_meanwhile_is_still_ours_at_the_next_start(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    (folder.path / "format").unlink()
    folder.close()
    Folder(tmp_path / "cache").close()


def test_a_directory_removed_meanwhile_is_let_go(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    shutil.rmtree(folder.path)
    folder.close()
    assert not folder.path.exists()


def test_a_format_that_cannot_be_written_again_is_said_and_the_lock_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Folder(tmp_path / "cache")
    (folder.path / "format").unlink()
    (folder.path / "format.new").mkdir()  # in the way of the new one
    folder.close()
    assert "could not be written down" in caplog.text
    (folder.path / "format.new").rmdir()
    for name in ("units", "parts"):
        (folder.path / name).rmdir()
    (folder.path / "secret").unlink()
    Folder(tmp_path / "cache").close()


def test_a_fresh_file_system_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o700)
    Folder(tmp_path).close()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
@pytest.mark.parametrize("which", ["", "units", "parts"])
def test_a_directory_open_to_others_is_refused(tmp_path: Path, mode: int, which: str) -> None:
    Folder(tmp_path / "cache").close()
    (tmp_path / "cache" / which).chmod(mode)
    with pytest.raises(FolderError, match="chmod 700"):
        Folder(tmp_path / "cache")


def test_another_users_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Folder(tmp_path / "cache").close()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(FolderError, match="another user"):
        Folder(tmp_path / "cache")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(FolderError, match="not a directory"):
        Folder(tmp_path / "cache")


def test_a_directory_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be used"):
        Folder(tmp_path / "file" / "cache")


def test_one_process_owns_a_directory(tmp_path: Path) -> None:
    first = Folder(tmp_path / "cache")
    with pytest.raises(FolderError, match="one process owns"):
        Folder(tmp_path / "cache")
    first.close()
    Folder(tmp_path / "cache").close()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import sys, os; from pathlib import Path; from edgerouter.cache.folder import Folder\n"
        "folder = Folder(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "cache"], check=False)
    assert (tmp_path / "cache" / "lock").exists()
    Folder(tmp_path / "cache").close()


def test_the_secret_stays_and_a_broken_one_is_replaced(tmp_path: Path) -> None:
    secrets = []
    for _ in range(2):
        folder = Folder(tmp_path / "cache")
        secrets.append(folder.secret)
        folder.close()
    assert secrets[0] == secrets[1]
    assert len(secrets[0]) == 32
    (tmp_path / "cache" / "secret").write_bytes(b"short")
    folder = Folder(tmp_path / "cache")
    folder.close()
    assert len(folder.secret) == 32
    assert folder.secret != secrets[0]


async def test_part_files_of_a_dead_process_are_swept_at_start(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "cache" / "parts" / "left").write_bytes(b"half")
    async with opened(tmp_path):
        assert list((tmp_path / "cache" / "parts").iterdir()) == []
