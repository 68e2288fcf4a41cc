"""How much of the disk the cache may still take: asked before anything is written.

`size` covers units, catalog rows and part files, with a little left for the databases' journals;
`min_free` is what the file system keeps for everybody else. After a write error there is no room for a
while, so that a sick disk is left in peace and answers pass through.
"""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgerouter.cache.reading import Reading

PAUSE = 30.0  # seconds without writing after a write error
_JOURNALS = 16 << 20  # bytes, or a quarter of a tiny cache: two journals of 4 MiB and some
_SAMPLE = 64 << 20  # bytes written, or
_SAMPLE_AGE = 5.0  # seconds gone by: time to look at the file system again
_FULL = 0.95  # of the limit: evict in the background from here
_EASY = 0.90  # down to here


def free_bytes(path: Path) -> int:
    """What the file system has left for us. Blocks. Raises OSError."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class Room:
    """Hands out room for part files; has some made when there is none."""

    make: Callable[[], Awaitable[bool]]  # evict until what was taken fits; both are the evictor's
    ease: Callable[[], object]  # evict in the background

    def __init__(
        self,
        folder: Path,
        size: int,
        min_free: int,
        reading: Reading,
        kept: Callable[[], int],
        *,
        free: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = size
        self.parts = 0  # bytes handed out to part files
        self._limit = size - min(_JOURNALS, size // 4)
        self._folder = folder
        self._min_free = min_free
        self._reading = reading
        self._kept = kept
        self._read_free = free
        self._clock = clock
        self._free = 0
        self._sampled_at = float("-inf")
        self._promised = 0  # taken, not written yet
        self._written = 0  # since the sample
        self._paused_until = 0.0

    @property
    def is_paused(self) -> bool:
        return self._clock() < self._paused_until

    def pause(self) -> None:
        """A write failed: no room for a while."""
        self._paused_until = self._clock() + PAUSE

    async def take(self, count: int) -> bool:
        """Reserve that many bytes for part files, evicting if need be; False when there is no room."""
        if self.is_paused or count > self._limit:
            return False
        self.parts += count
        self._promised += count
        fits = False
        try:
            if self._is_old():
                await self.sample()
            fits = self.short() <= 0 or await self.make()
        finally:
            if not fits:
                self.give(count, count)
        if self.is_full:
            self.ease()
        return fits

    def wrote(self, count: int) -> None:
        """That much of what was taken is in a part file now."""
        self._promised -= count
        self._written += count

    def give(self, count: int, unwritten: int) -> None:
        """Give back what was taken, so much of it unwritten: the part became a unit, or went."""
        self.parts -= count
        self._promised -= unwritten

    def short(self) -> int:
        """How many bytes must go before what was taken fits; 0 or less when it does."""
        return max(
            self._kept() + self.parts - self._limit,
            self._min_free - (self._free - self._promised - self._written),
        )

    def wanted(self) -> int:
        """How many bytes the background eviction still has to find; 0 or less when it is done."""
        return max(self.short(), self._kept() + self.parts - int(self._limit * _EASY))

    @property
    def is_full(self) -> bool:
        return self._kept() + self.parts > self._limit * _FULL

    async def sample(self) -> None:
        """Look at the file system; one that cannot be asked has nothing free."""
        self._sampled_at = self._clock()
        try:
            self._free = await self._reading.apart(self._read_free, self._folder)
        except OSError:
            self._free = 0
        self._written = 0

    def _is_old(self) -> bool:
        return self._written > _SAMPLE or self._clock() - self._sampled_at > _SAMPLE_AGE
