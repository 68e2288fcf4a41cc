"""The cache of one router: units, catalog, fills and eviction over one directory."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.counts import Counts, Stats
from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.eviction import Evictor
from edgerouter.cache.fills import Fills
from edgerouter.cache.folder import Folder, FolderError
from edgerouter.cache.means import Means
from edgerouter.cache.moments import Moments
from edgerouter.cache.partfile import Opener, open_new
from edgerouter.cache.readers import Readers
from edgerouter.cache.reading import Reading
from edgerouter.cache.removal import Removal
from edgerouter.cache.room import Room, free_bytes
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.start import Start
from edgerouter.cache.sweep import Sweep
from edgerouter.cache.units import Units

_SOUND_SQLITE = (3, 51, 3)  # before it, a WAL can be corrupted if two connections write
_log = logging.getLogger(__name__)


class Cache:
    """What is kept, and how to get at it; made by `open`, given up by `close`.

    `secret` are 32 bytes that stay the same as long as the directory does.
    """

    def __init__(
        self,
        folder: Folder,
        desk: Desk,
        shelf: Shelf,
        reading: Reading,
        start: Start,
        size: int,
        min_free: int,
        free: Callable[[Path], int],
        opener: Opener,
    ) -> None:
        self.secret = folder.secret
        self.counts = Counts()
        self.readers = Readers()
        self.catalog = Catalog(desk, shelf, self.counts)
        self.units = Units(
            desk, shelf, reading, self.readers, self.counts, self.catalog.changed, self.catalog.touch
        )
        self._purges = Moments()
        self.room = Room(folder.path, size, min_free, reading, lambda: shelf.bytes, free=free)
        self._removal = Removal(desk, shelf, self.units.forget)
        self.evictor = Evictor(
            self.room, self._removal, self.readers, self.catalog.by_use, self.counts, start
        )
        means = Means(
            self.units,
            self._purges,
            self.room,
            self.readers,
            reading,
            self.counts,
            start,
            folder.parts,
            opener,
        )
        self.fills = Fills(means)
        self._folder = folder
        self._desk = desk
        self._shelf = shelf
        self._reading = reading
        self._sweep = Sweep(desk, shelf, reading, folder.units, self.counts)
        start(self._sweep.run(), name="cache sweep")
        self.evictor.ease()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        size: int,
        min_free: int,
        start: Start,
        free: Callable[[Path], int] = free_bytes,
        opener: Opener = open_new,
    ) -> "Cache":
        """Open the cache in a directory of its own, making it if need be; sizes in bytes.

        `start` starts tasks that belong to the app and outlive requests. Raises FolderError, whose text
        is for the operator, when the directory cannot be used.
        """
        _warn_of_sqlite(sqlite3.sqlite_version_info)
        folder = await asyncio.to_thread(Folder, path)
        desk = Desk()
        try:
            shelf = await desk.run(Shelf, folder.units, folder.catalog, folder.suspect)
        except FAILURES as error:
            await desk.close(lambda: None)
            folder.close()
            raise FolderError(f"The cache in {path} cannot be opened: {type(error).__name__}.") from error
        desk.bracket = shelf.transaction
        desk.noticed = shelf.notice
        return cls(folder, desk, shelf, Reading(), start, size, min_free, free, opener)

    async def purge(self, *, study: str | None = None, upstream: str | None = None) -> int:
        """Forget a study, all of an upstream, or everything: how many units went. Raises one of FAILURES.

        What is on its way from before does not come back. Those who are reading read on.
        """
        self._purges.mark(study, upstream)
        self.catalog.voids.mark(study, upstream)
        removed = await self._removal.remove(await self.catalog.studies(upstream, study))
        await self.catalog.forget_locations(study, upstream)
        return removed

    async def stats(self) -> Stats:
        """How full the cache is and what happened, for people and metrics."""
        try:
            units, studies = await self._desk.run(self._count)
        except FAILURES:
            units = studies = 0
        return Stats(
            size=self.room.size,
            bytes=self._shelf.bytes,
            filling=self.room.parts,
            units=units,
            studies=studies,
            paused=self.room.is_paused,
            counts=self.counts,
        )

    async def close(self) -> None:
        """Give up what is being fetched, write down what is known, let go of the directory."""
        await self.fills.close()
        await self.catalog.flush()
        self.units.close()
        await self._desk.close(self._shelf.close)
        await asyncio.to_thread(self._reading.close)
        self._folder.close()

    def _count(self) -> tuple[int, int]:
        return self._shelf.count(), self._shelf.studies.count()


def _warn_of_sqlite(version: tuple[int, ...]) -> None:
    if version < _SOUND_SQLITE:
        _log.warning(
            "SQLite %s has a known fault in its write-ahead log (fixed in 3.51.3);"
            " the cache uses one connection to each database, which avoids it",
            ".".join(map(str, version)),
        )
