"""After the start, in the background: rows without file, files without row, units the catalog forgot.

None of it is needed for right answers, since every unit is checked when it is opened; it gives disk space
back and makes what survived a crash or a lost catalog findable again. Small slices, bounded memory.
"""

import logging
import os
import stat
import time
from array import array
from bisect import bisect_left
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from edgerouter.cache.counts import Counts
from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.disk import FILE_NAME
from edgerouter.cache.holdings import FIRST, Position
from edgerouter.cache.reading import Reading
from edgerouter.cache.shelf import DiskRow, Shelf
from edgerouter.cache.unit import CHANGED, UNSURE, Held, UnitKey

_HANDFUL = 200  # rows in one slice
_COARSE = 0.1  # seconds by which the time of a file may lie behind the clock
_log = logging.getLogger(__name__)


class Sweep:
    """One pass over everything, from what the disk was like when the cache was opened."""

    def __init__(self, desk: Desk, shelf: Shelf, reading: Reading, folder: Path, counts: Counts) -> None:
        self._counts = counts
        self._desk = desk
        self._shelf = shelf
        self._reading = reading
        self._folder = folder
        self._begun_at = time.time()
        self._names = array("Q")  # 64-bit marks of the file names that have a row

    async def run(self) -> None:
        try:
            await self._rows()
            await self._catalog()
            names = array("Q", sorted(self._names))
            for folder in await self._reading.apart(_subfolders, self._folder):
                await self._reading.apart(_remove_orphans, folder, names, self._begun_at - _COARSE)
        except FAILURES as error:
            if not self._desk.is_closed:
                _log.warning("the sweep of the cache ended early: %s", type(error).__name__)

    async def _rows(self) -> None:
        """Tell the catalog what it does not know; remove rows that are not ours, or have lost their file."""
        number = 0
        while rows := await self._desk.write(self._check_rows, number):
            number = rows[-1].number
            sound = [row for row in rows if row.key and row.meta]
            lost = await self._reading.apart(_without_file, self._folder, sound)
            if lost:  # a power cut takes the bytes of files that are there
                removed = await self._desk.write(self._remove_lost, lost)
                self._counts.damaged += removed
            self._names.extend(_mark(row.filename) for row in sound if row not in lost)

    def _remove_lost(self, rows: list[DiskRow]) -> int:
        """How many there were; one that has another file by now is another unit. The catalog follows."""
        return sum(self._shelf.remove_row(row.number, row.filename) for row in rows)

    def _check_rows(self, after: int) -> list[DiskRow]:
        rows = self._shelf.rows(after, _HANDFUL)
        for row in rows:
            if row.key is None or row.meta is None:
                self._shelf.remove_row(row.number)
            elif not self._shelf.holdings.has(row.key, row.meta.size):
                meta, header_at = row.meta, CHANGED if row.changed else UNSURE
                held = Held(row.key, meta.size, meta.stored_at, header_at, meta.made)
                self._shelf.holdings.add(held, self._begun_at)
        return rows

    async def _catalog(self) -> None:
        """Remove from the catalog the units that have no row."""
        position: Position | None = FIRST
        while position is not None:
            position = await self._desk.write(self._check_units, position)

    def _check_units(self, after: Position) -> Position | None:
        units = self._shelf.holdings.after(after, _HANDFUL)
        gone: list[UnitKey] = [key for _, key in units if not self._shelf.has_row(key)]
        self._shelf.holdings.remove(gone)
        return units[-1][0] if units else None


def _without_file(folder: Path, rows: list[DiskRow]) -> list[DiskRow]:
    """Those whose file is missing, or not of its size. Blocks."""
    return [row for row in rows if row.meta and _size(folder / row.filename) != row.meta.size]


def _size(path: Path) -> int | None:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _mark(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _subfolders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)]


def _remove_orphans(folder: Path, names: "array[int]", before: float) -> None:
    """Remove the files below one of the 256 folders that no row names, unless they are new."""
    for subfolder in _subfolders(folder):
        for entry in _entries(subfolder):
            name = f"{folder.name}/{subfolder.name}/{entry.name}"
            with suppress(OSError):  # it is gone, or cannot be removed: the others can
                old = entry.stat(follow_symlinks=False).st_ctime < before
                if old and FILE_NAME.fullmatch(name) and not _has(names, _mark(name)):
                    os.unlink(entry)


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # eviction removes the folders that it empties
        return []


def _has(names: "array[int]", mark: int) -> bool:
    at = bisect_left(names, mark)
    return at < len(names) and names[at] == mark
