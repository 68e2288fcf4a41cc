"""Unix sockets: one that listens for its owner alone, and the way to one.

A path may be longer than an address can be (108 bytes): it is then reached through its open folder.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 100  # bytes of an address


class CannotListen(OSError):
    """A listener cannot be had; the text is for the operator."""


class UnixListener:
    """A listening socket for this user alone, made anew where a dead one was left; `close` removes it."""

    def __init__(self, path: Path, backlog: int = 64) -> None:
        """Blocks for a moment. Raises CannotListen for what is not a dead socket of ours."""
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_way(path)
            self.socket = _bound(path)
            self.socket.listen(backlog)
            self._identity = _identity(path)
        except CannotListen:
            raise
        except OSError as error:
            raise CannotListen(f"The admin socket {path} cannot be made: {error.strerror}.") from error

    def close(self) -> None:
        """Stop listening, and remove the socket if it is still ours."""
        self.socket.close()
        try:
            if _identity(self.path) == self._identity:
                self.path.unlink()
        except OSError:  # somebody tidied up before us
            pass


def connected(path: Path) -> socket.socket:
    """A socket connected to the one that listens there. Raises OSError when none does."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _make_way(path: Path) -> None:
    """Remove what a dead process left."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise CannotListen(f"{path} is not a socket and was left alone: choose another in server.admin.")
    if status.st_uid != os.geteuid():
        raise CannotListen(f"The socket {path} belongs to another user: it was left alone.")
    try:
        connected(path).close()
    except ConnectionRefusedError:
        path.unlink()
    else:
        raise CannotListen(f"Somebody listens on {path} already.")


def _bound(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # never open to others, not even for a moment
    try:
        with _address(path) as address:
            made.bind(address)
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(mask)
    return made


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Something short that means the path, for as long as the block runs."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
