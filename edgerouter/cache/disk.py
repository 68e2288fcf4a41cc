"""The hardened Disk under diskcache: whole files adopted by rename, bytes only, nothing believed unseen.

A row is worth something only if it is one we wrote (text key, binary mode, a file name of our shape, a
meta that decodes) and its file is a regular one of ours, of exactly that size; everything else raises
OSError, which diskcache takes for a miss. No pickle is ever read, and none written.
"""

import os
import re
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

import diskcache

from edgerouter.cache.unit import UnitMeta

MODE_BINARY = 2  # diskcache's own number for "the value is in a file"
FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")


class File:
    """An open file that closes with its last holder, so that a cancelled reader never leaks it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class Opened:
    """A unit's file, where it stands, and its meta, as `fetch` found them; `row` is the meta as written, with
    its seal."""

    __slots__ = ("file", "meta", "path", "row")

    def __init__(self, file: File, path: str, meta: UnitMeta, row: bytes) -> None:
        self.file = file
        self.path = path
        self.meta = meta
        self.row = row


class Adoption:
    """A finished part file that is to become a unit; `final` is where it ended up."""

    __slots__ = ("final", "meta", "path")

    def __init__(self, path: Path, meta: UnitMeta) -> None:
        self.path = path
        self.meta = meta
        self.final: Path | None = None


def open_regular(path: Path | str) -> File:
    """Open a file of ours for reading: not a link, not a device, not another user's. Raises OSError."""
    file = File(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK))
    status = os.fstat(file.fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise OSError("A file of the cache is not a regular file of ours.")
    return file


class UnitDisk(diskcache.Disk):  # type: ignore[misc]
    """Keys are text, values are Adoptions on the way in and Opened on the way out.

    Files whose rows go are only noted in `gone`: they are removed once that is committed, so that neither
    a crash nor a rollback leaves a row without its file.
    """

    def __init__(self, directory: str, min_file_size: int = 0, pickle_protocol: int = 0) -> None:
        super().__init__(directory, min_file_size, pickle_protocol)
        self.gone: list[str] = []

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError("The key of a unit is text.")
        return key, True

    def get(self, key: object, raw: bool) -> str:
        return key if raw and type(key) is str else ""

    def store(
        self, value: object, read: bool, key: object = diskcache.UNKNOWN
    ) -> tuple[int, int, str, sqlite3.Binary]:
        """Rename the part file into the cache's folder. Raises OSError."""
        if not isinstance(value, Adoption) or not isinstance(key, str):
            raise TypeError("Only finished part files are stored.")
        name, full = self.filename()
        folder = os.path.dirname(full)
        for level in (self._directory, os.path.dirname(folder), folder):
            with suppress(FileExistsError):  # makedirs would give its mode to the last level only
                os.mkdir(level, 0o700)
        os.rename(value.path, full)
        value.final = Path(full)
        return value.meta.size, MODE_BINARY, name, sqlite3.Binary(value.meta.encode(key))

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> Opened:
        """Open what a row promises. Raises OSError when anything is not as we left it."""
        if mode != MODE_BINARY or not isinstance(value, bytes):
            raise OSError("A row of the cache is not of our making.")
        if not isinstance(filename, str) or not FILE_NAME.fullmatch(filename):
            raise OSError("A row of the cache names a strange file.")
        meta = UnitMeta.decode(value)
        path = os.path.join(self._directory, filename)
        file = open_regular(path)
        if os.fstat(file.fd).st_size != meta.size:
            raise OSError("A file of the cache is cut or too long.")
        return Opened(file, path, meta, value)

    def remove(self, file_path: object) -> None:
        """Note the file of a row; a name that is not of our shape is left alone."""
        if isinstance(file_path, str) and FILE_NAME.fullmatch(file_path):
            self.gone.append(file_path)

    def settle(self, committed: bool) -> None:
        """Remove the files noted, or if nothing came of it leave them. Blocks."""
        names, self.gone = self.gone, []
        for name in names if committed else ():
            super().remove(name)
