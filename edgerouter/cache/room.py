"""How much of the disk the cache may still take: asked before anything is written.

`size` covers units, catalog rows and part files, with a little left for the databases' journals; a quota
covers the same of one upstream; `min_free` is what the file system keeps for everybody else. After a
write error there is no room for a while, so that a sick disk is left in peace and answers pass through.
"""

import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edgerouter.cache.reading import Reading
from edgerouter.cache.studies import Weight

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


_NOTHING: Mapping[str, Weight] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a cache may take of the disk: `size`, and what it leaves free there, in bytes; `quotas` are the
    sizes of those upstreams that have one."""

    size: int
    min_free: int
    quotas: Mapping[str, int]


class Room:
    """Hands out room for part files; has some made when there is none.

    Where an upstream is named, None stands for all of them together.
    """

    make: Callable[[str], Awaitable[bool]]  # evict until what was taken for an upstream fits
    ease: Callable[[], object]  # evict in the background; both are the evictor's

    def __init__(
        self,
        folder: Path,
        bounds: Bounds,
        reading: Reading,
        kept: Callable[[], int],
        weights: Callable[[], Mapping[str, Weight]] = lambda: _NOTHING,
        *,
        free: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = bounds.size
        self.quotas = bounds.quotas
        self.parts = 0  # bytes handed out to part files
        self._parts_of: Counter[str] = Counter()
        self._limit = bounds.size - min(_JOURNALS, bounds.size // 4)
        self._folder = folder
        self._min_free = bounds.min_free
        self._weights = weights
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

    def share(self, upstream: str) -> "Share":
        """Room for what comes from one upstream."""
        return Share(self, upstream)

    async def take(self, upstream: str, count: int) -> bool:
        """Reserve that many bytes for part files, evicting if need be; False when there is no room."""
        if self.is_paused or count > min(self._limit, self.quotas.get(upstream, self._limit)):
            return False
        self._reserve(upstream, count)
        self._promised += count
        fits = False
        try:
            if self._is_old():
                await self.sample()
            fits = max(self.short(), self.short(upstream)) <= 0 or await self.make(upstream)
        finally:
            if not fits:
                self.give(upstream, count, count)
        if self.is_full(None) or self.is_full(upstream):
            self.ease()
        return fits

    def wrote(self, count: int) -> None:
        """That much of what was taken is in a part file now."""
        self._promised -= count
        self._written += count

    def give(self, upstream: str, count: int, unwritten: int) -> None:
        """Give back what was taken, so much of it unwritten: the part became a unit, or went."""
        self._reserve(upstream, -count)
        self._promised -= unwritten

    def short(self, upstream: str | None = None) -> int:
        """How many bytes must go before what was taken fits; 0 or less when it does."""
        short = self.used(upstream) - self.limit(upstream)
        if upstream is None:
            short = max(short, self._min_free - (self._free - self._promised - self._written))
        return short

    def wanted(self, upstream: str | None = None) -> int:
        """How many bytes the background eviction still has to find; 0 or less when it is done."""
        return max(self.short(upstream), self.used(upstream) - int(self.limit(upstream) * _EASY))

    def used(self, upstream: str | None = None) -> int:
        """Bytes of units, catalog rows and part files."""
        if upstream is None:
            return self._kept() + self.parts
        return self.weight(upstream).bytes + self._parts_of[upstream]

    def limit(self, upstream: str | None = None) -> int:
        """What that may be at most; an upstream without a quota may have everything."""
        return self._limit if upstream is None else self.quotas.get(upstream, self.size)

    def is_full(self, upstream: str | None) -> bool:
        """Whether it is time to evict in the background."""
        return self.used(upstream) > self.limit(upstream) * _FULL

    def is_pinned_full(self, upstream: str | None) -> bool:
        """Whether pinned studies alone leave no room for what was taken."""
        pinned, parts = self.pinned(upstream), self.parts if upstream is None else self._parts_of[upstream]
        return pinned > 0 and pinned + parts > self.limit(upstream)

    def pinned(self, upstream: str | None = None) -> int:
        """Bytes of pinned studies."""
        if upstream is None:
            return sum(weight.pinned for weight in self._weights().values())
        return self.weight(upstream).pinned

    def weight(self, upstream: str) -> Weight:
        """What the studies of an upstream take."""
        return self._weights().get(upstream, Weight())

    @property
    def upstreams(self) -> list[str]:
        """Those that have something here or a quota, by name."""
        return sorted({*self.quotas, *(name for name, weight in self._weights().items() if weight.bytes)})

    async def sample(self) -> None:
        """Look at the file system; one that cannot be asked has nothing free."""
        self._sampled_at = self._clock()
        try:
            self._free = await self._reading.apart(self._read_free, self._folder)
        except OSError:
            self._free = 0
        self._written = 0

    def _reserve(self, upstream: str, count: int) -> None:
        self.parts += count
        self._parts_of[upstream] += count
        if not self._parts_of[upstream]:
            del self._parts_of[upstream]

    def _is_old(self) -> bool:
        return self._written > _SAMPLE or self._clock() - self._sampled_at > _SAMPLE_AGE


class Share:
    """The room for what comes from one upstream, as a part asks for it."""

    def __init__(self, room: Room, upstream: str) -> None:
        self._room = room
        self._upstream = upstream

    async def take(self, count: int) -> bool:
        """Room.take"""
        return await self._room.take(self._upstream, count)

    def give(self, count: int, unwritten: int) -> None:
        """Room.give"""
        self._room.give(self._upstream, count, unwritten)

    def wrote(self, count: int) -> None:
        """Room.wrote"""
        self._room.wrote(count)

    def pause(self) -> None:
        """Room.pause"""
        self._room.pause()
