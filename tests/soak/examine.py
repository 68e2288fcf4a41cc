"""What a cache directory holds after its process died: every unit, compared with the origin."""

import asyncio
import shutil
import time
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from edgerouter.cache.cache import Cache
from edgerouter.cache.folder import Folder
from edgerouter.cache.holdings import FIRST
from edgerouter.cache.shelf import DiskRow, Shelf
from tests.soak.origin import Origin


@dataclass
class Found:
    """Counts of one directory, or of many together.

    `compared` units were there and checked, `wrong` of them are not what the archive has; `damaged` have a
    row and not their bytes; `forgotten` had no row although the catalog had them; `orphans` are unit files
    and part files that nobody knows."""

    compared: int = 0
    wrong: int = 0
    damaged: int = 0
    forgotten: int = 0
    orphans: int = 0

    def __iadd__(self, other: "Found") -> "Found":
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        return self


def examine(folder: Path, origin: Origin) -> Found:
    """Examine a copy of a cache directory that no process has: the next start finds it as it was left."""
    if not folder.exists():
        return Found()
    with TemporaryDirectory(prefix="examined") as place:
        copy = Path(place, "cache")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("admin.sock"))
        copy.chmod(0o700)
        found, rows = _looked_at(copy)
        found += asyncio.run(_compared(copy, rows, origin))
        return found


def leftovers(folder: Path) -> int:
    """Start on the directory itself and sweep it to the end; how many files nobody knows are there then."""
    time.sleep(0.3)  # what is swept must be older than the start by more than files' times are coarse
    asyncio.run(_swept(folder))
    return _looked_at(folder)[0].orphans


async def _swept(folder: Path) -> None:
    async with asyncio.TaskGroup() as group:
        cache = await Cache.open(folder, size=1 << 40, min_free=0, start=group.create_task)
        await cache._sweep.run()  # once more, to its end
        await cache.close()


def _looked_at(path: Path) -> tuple[Found, list[DiskRow]]:
    """What is there by rows, catalog and files, before any sweep."""
    parts = len(list((path / "parts").glob("*")))
    folder = Folder(path)
    shelf = Shelf(folder.units, folder.catalog, folder.suspect)
    try:
        rows = _rows(shelf)
        believed = {key for _, key in shelf.holdings.after(FIRST, 1 << 30)}
    finally:
        shelf.close()
        folder.close()
    files = {str(file.relative_to(folder.units)) for file in folder.units.rglob("*.val")}
    orphans = parts + len(files - {row.filename for row in rows})
    return Found(forgotten=len(believed - {row.key for row in rows}), orphans=orphans), rows


def _rows(shelf: Shelf) -> list[DiskRow]:
    rows: list[DiskRow] = []
    while some := shelf.rows(rows[-1].number if rows else 0, 500):
        rows += some
    return rows


async def _compared(folder: Path, rows: list[DiskRow], origin: Origin) -> Found:
    found = Found()
    async with asyncio.TaskGroup() as group:
        cache = await Cache.open(folder, size=1 << 40, min_free=0, start=group.create_task)
        try:
            for row in rows:
                found += await _one(cache, row, origin)
        finally:
            await cache.close()
    return found


async def _one(cache: Cache, row: DiskRow, origin: Origin) -> Found:
    if row.key is None or row.meta is None:
        return Found(damaged=1)
    digest = sha256()
    try:
        async with cache.units.open(row.key) as unit:
            if unit is None:
                return Found(damaged=1)
            async for piece in unit.read():
                digest.update(piece)
    except OSError:  # found while it was read
        return Found(damaged=1)
    right = digest.hexdigest() == await asyncio.to_thread(origin.digest, row.key)
    return Found(compared=1, wrong=0 if right else 1)
