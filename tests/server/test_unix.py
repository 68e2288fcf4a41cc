"""The admin socket: for its owner alone, made anew over a dead one, never over what is not ours."""

import os
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

from edgerouter.server.unix import CannotListen, UnixListener, connected


def test_it_is_for_its_owner_alone(short_path: Path) -> None:
    path = short_path / "var" / "admin.sock"

    with closing(UnixListener(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        connected(path).close()
    assert not path.exists()


def test_the_umask_is_as_it_was(short_path: Path) -> None:
    before = os.umask(0o022)
    try:
        UnixListener(short_path / "admin.sock").close()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_dead_socket_is_replaced(short_path: Path) -> None:
    path = short_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with closing(UnixListener(path)):
        connected(path).close()


def test_a_living_socket_is_left_alone(short_path: Path) -> None:
    path = short_path / "admin.sock"

    with closing(UnixListener(path)):
        with pytest.raises(CannotListen, match="already"):
            UnixListener(path)
        connected(path).close()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(short_path: Path, kind: str) -> None:
    path, other = short_path / "admin.sock", short_path / "other"
    other.write_text("precious")
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(other)

    with pytest.raises(CannotListen, match="not a socket and was left alone"):
        UnixListener(path)

    assert path.is_dir() or path.read_text() == "precious"


def test_the_socket_of_another_user_is_left_alone(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = short_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(CannotListen, match="another user"):
        UnixListener(path)

    assert path.exists()


def test_a_folder_that_cannot_be_made_is_told(short_path: Path) -> None:
    (short_path / "file").touch()

    with pytest.raises(CannotListen, match=r"admin\.sock cannot be made: "):
        UnixListener(short_path / "file" / "admin.sock")


def test_a_path_longer_than_an_address_works(short_path: Path) -> None:
    path = short_path / ("x" * 120) / "admin.sock"

    with closing(UnixListener(path)):
        connected(path).close()
    assert not path.exists()


def test_what_took_its_place_meanwhile_is_not_removed(short_path: Path) -> None:
    path = short_path / "admin.sock"
    first = UnixListener(path)
    path.unlink()
    with closing(UnixListener(path)):
        first.close()
        connected(path).close()


def test_a_socket_that_somebody_removed_is_no_trouble(short_path: Path) -> None:
    listener = UnixListener(short_path / "admin.sock")
    (short_path / "admin.sock").unlink()

    listener.close()


def test_nobody_listens_where_nothing_is(short_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connected(short_path / "admin.sock")
