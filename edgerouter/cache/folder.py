"""The cache's directory: ours alone, of a format we know, locked to one process.

Everything is looked at before anything is touched: a folder of another format, of another owner, open to
others, or full of somebody's documents is refused in words an operator understands.
"""

import fcntl
import logging
import os
import stat
from pathlib import Path

FORMAT = "edgerouter cache 1\n"
_SECRET = 32  # bytes
_UNIMPORTANT = {"lock", "format.new", "lost+found"}
_log = logging.getLogger(__name__)


class FolderError(Exception):
    """The cache directory cannot be used; the text is for the operator."""


class Folder:
    """A claimed cache directory; `close` gives it up. Blocks; used before the server listens."""

    def __init__(self, path: Path) -> None:
        """Claim the directory, making it if it is missing. Raises FolderError."""
        self.path = path
        self.units = path / "units"
        self.parts = path / "parts"
        self.catalog = path / "catalog.db"
        self.suspect = path / "suspect"  # there if a database was found corrupt: look closer at the start
        try:
            self._claim()
            self.secret = self._secret()
        except OSError as error:
            raise FolderError(f"The cache directory {path} cannot be used: {error.strerror}.") from error

    def close(self) -> None:
        """Give it up; whoever emptied it meanwhile shall not make it a stranger's at the next start."""
        try:
            if self.path.exists() and not (self.path / "format").exists():
                _write_private(self.path / "format", FORMAT.encode())
        except OSError as error:
            _log.warning("the format of the cache could not be written down: %s", type(error).__name__)
        finally:
            os.close(self._lock)

    def _claim(self) -> None:
        if self.path.exists():
            _check_private(self.path)
            self._check_format()
        else:
            self.path.mkdir(mode=0o700, parents=True)
        self._lock = _locked(self.path)
        try:
            self._check_format()
            self._furnish()
        except BaseException:
            os.close(self._lock)
            raise

    def _check_format(self) -> None:
        file = self.path / "format"
        if file.exists():
            found = file.read_text("utf-8", errors="replace")
            if found != FORMAT:
                raise FolderError(
                    f"The cache directory {self.path} was written in a format this version does not know"
                    f" ({found.strip()[:60]!r}). Nothing was touched: use another directory, or remove it."
                )
        elif strangers := sorted(set(os.listdir(self.path)) - _UNIMPORTANT):
            raise FolderError(
                f"The directory {self.path} is not a cache of edgerouter: it holds {strangers[0]!r}."
                " Nothing was touched: use an empty directory."
            )

    def _furnish(self) -> None:
        if not (self.path / "format").exists():
            _write_private(self.path / "format", FORMAT.encode())
        for folder in (self.units, self.parts):
            folder.mkdir(mode=0o700, exist_ok=True)
            _check_private(folder)
        for name in os.listdir(self.parts):  # of fills that died with their process
            (self.parts / name).unlink()

    def _secret(self) -> bytes:
        file = self.path / "secret"
        secret = file.read_bytes() if file.exists() else b""
        if len(secret) != _SECRET:
            secret = os.urandom(_SECRET)
            _write_private(file, secret)
        return secret


def _check_private(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise FolderError(f"{path} is not a directory.")
    if status.st_uid != os.geteuid():
        raise FolderError(f"The directory {path} belongs to another user.")
    if status.st_mode & 0o077:
        raise FolderError(
            f"The directory {path} is open to others (mode {status.st_mode & 0o777:03o});"
            f" it will hold patient data: chmod 700 {path}"
        )


def _locked(path: Path) -> int:
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise FolderError(
            f"The cache directory {path} is in use: one process owns a cache directory."
        ) from None
    return lock


def _write_private(file: Path, data: bytes) -> None:
    """Write a small file whole, or not at all."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(handle)
    new.rename(file)
