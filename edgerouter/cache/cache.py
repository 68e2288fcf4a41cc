"""The cache of one router: units, catalog, fills and eviction over one directory."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, tzinfo
from pathlib import Path
from types import MappingProxyType

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.counts import Counts, PinStats, Stats, UpstreamShare
from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.eviction import Evictor
from edgerouter.cache.fills import Fills
from edgerouter.cache.folder import Folder, FolderError
from edgerouter.cache.ledger import Ledger
from edgerouter.cache.means import FrameNotes, Means, no_notes
from edgerouter.cache.moments import Moments
from edgerouter.cache.partfile import Opener, open_new
from edgerouter.cache.purging import Purger
from edgerouter.cache.readers import Readers
from edgerouter.cache.reading import Reading
from edgerouter.cache.removal import Removal
from edgerouter.cache.room import Bounds, Room, free_bytes
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.start import Start
from edgerouter.cache.survey import Survey
from edgerouter.cache.sweep import Sweep
from edgerouter.cache.units import Units
from edgerouter.cache.verifying import Verifier

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
        bounds: Bounds,
        issuers: Mapping[str, str],
        free: Callable[[Path], int],
        opener: Opener,
        frames: FrameNotes,
    ) -> None:
        self.secret = folder.secret
        self.counts = Counts()
        self.readers = Readers()
        self.catalog = Catalog(desk, shelf, self.counts)
        self.units = Units(
            desk, shelf, reading, self.readers, self.counts, self.catalog.changed, self.catalog.touch
        )
        self.pins = Ledger(desk, shelf)
        self.survey = Survey(desk, shelf, self.catalog)
        self.verifier = Verifier(desk, shelf, self.units, reading)
        self.start = start
        purges = Moments()
        self.room = Room(folder.path, bounds, reading, lambda: shelf.bytes, lambda: shelf.weights, free=free)
        self._purges = purges
        self._removal = Removal(desk, shelf, self.units.forget)
        self.evictor = Evictor(
            self.room, self._removal, self.readers, self.catalog.by_use, self.counts, start
        )
        self.purger = Purger(
            desk, shelf, self.catalog, self._removal, self.readers, purges, issuers, self.counts
        )
        means = Means(
            self.units,
            purges,
            self.room,
            self.readers,
            reading,
            self.counts,
            start,
            folder.parts,
            opener,
            frames,
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
        quotas: Mapping[str, int] = MappingProxyType({}),
        issuers: Mapping[str, str] = MappingProxyType({}),
        zone: tzinfo | None = None,
        free: Callable[[Path], int] = free_bytes,
        opener: Opener = open_new,
        frames: FrameNotes = no_notes,
    ) -> "Cache":
        """Open the cache in a directory of its own, making it if need be; sizes in bytes.

        `start` starts tasks that belong to the app and outlive requests; `quotas` and `issuers` are of
        upstreams that have one; in `zone` a day begins for pins; `frames` tells what to write down of the
        frames of an instance. Raises FolderError, whose text
        is for the operator, when the directory cannot be used.
        """
        _warn_of_sqlite(sqlite3.sqlite_version_info)

        def today() -> date:
            return datetime.now(zone).date()

        folder = await asyncio.to_thread(Folder, path)
        desk = Desk()
        try:
            shelf = await desk.run(Shelf, folder.units, folder.catalog, folder.suspect, today)
        except FAILURES as error:
            await desk.close(lambda: None)
            folder.close()
            raise FolderError(f"The cache in {path} cannot be opened: {type(error).__name__}.") from error
        desk.bracket = shelf.transaction
        desk.noticed = shelf.notice
        bounds = Bounds(size, min_free, quotas)
        return cls(folder, desk, shelf, Reading(), start, bounds, issuers, free, opener, frames)

    async def purge(self, *, study: str | None = None, upstream: str | None = None) -> int:
        """Forget a study, all of an upstream, or everything: how many units went. Raises one of FAILURES.

        What is on its way from before does not come back. Those who are reading read on.
        """
        return await self.purger.now(study, upstream)

    async def replaced(self, study: str, instances: Iterable[str]) -> None:
        """Forget these instances of a study, from any upstream; what is on its way does not come back."""
        self._purges.mark(study, None)
        for instance in instances:
            await self.units.remove(await self.catalog.units(study, instance))

    async def stats(self) -> Stats:
        """How full the cache is and what happened, for people and metrics."""
        try:
            units, studies, pins, pinned, lost_at = await self._desk.run(self._count)
        except FAILURES:
            units = studies = pins = pinned = 0
            lost_at = None
        room = self.room
        return Stats(
            size=room.size,
            bytes=self._shelf.bytes,
            filling=room.parts,
            units=units,
            studies=studies,
            paused=room.is_paused,
            shares=tuple(
                UpstreamShare(name, room.used(name), room.pinned(name), room.quotas.get(name))
                for name in room.upstreams
            ),
            pinned=PinStats(pins, pinned, room.pinned(), self.evictor.is_crowded, lost_at),
            verified=self.verifier.verified,
            verifying=self.verifier.is_running,
            counts=self.counts,
        )

    async def close(self) -> None:
        """Give up what is being fetched, write down what is known, let go of the directory."""
        self.verifier.stop()
        await self.fills.close()
        await self.catalog.flush()
        self.units.close()
        await self._desk.close(self._shelf.close)
        await asyncio.to_thread(self._reading.close)
        self._folder.close()

    def _count(self) -> tuple[int, int, int, int, float | None]:
        shelf = self._shelf
        pins = shelf.pins
        return shelf.count(), shelf.studies.count(), len(pins.all()), pins.count(), pins.lost_at()


def _warn_of_sqlite(version: tuple[int, ...]) -> None:
    if version < _SOUND_SQLITE:
        _log.warning(
            "SQLite %s has a known fault in its write-ahead log (fixed in 3.51.3);"
            " the cache uses one connection to each database, which avoids it",
            ".".join(map(str, version)),
        )
