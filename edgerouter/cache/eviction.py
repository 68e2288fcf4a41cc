"""Eviction by study, least recently used first; never a pinned study, never one being read.

An upstream beyond its quota loses its own studies; only when all together are too many, anybody's go.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable

from edgerouter.cache.counts import Counts
from edgerouter.cache.desk import FAILURES
from edgerouter.cache.readers import Readers, StudyName
from edgerouter.cache.removal import Removal
from edgerouter.cache.room import Room
from edgerouter.cache.start import Start
from edgerouter.cache.studies import Study

_LOOK = 64  # studies looked at in one round
_log = logging.getLogger(__name__)


def choose(by_use: Iterable[Study], need: int, busy: Collection[StudyName]) -> list[Study]:
    """The first studies, of those that may go, that together weigh `need` bytes or more."""
    chosen: list[Study] = []
    for study in by_use:
        if need <= 0:
            break
        if not study.pinned and (study.upstream, study.study) not in busy:
            chosen.append(study)
            need -= study.bytes
    return chosen


class Evictor:
    """Keeps the cache within its room; one at a time."""

    def __init__(
        self,
        room: Room,
        removal: Removal,
        readers: Readers,
        by_use: Callable[[int, str | None], Awaitable[list[Study]]],
        counts: Counts,
        start: Start,
    ) -> None:
        self._room = room
        self._removal = removal
        self._readers = readers
        self._by_use = by_use
        self._counts = counts
        self._start = start
        self._turn = asyncio.Lock()
        self._easing = False
        self._crowded: dict[str | None, int] = {}  # whose room pins filled, with how many bytes
        room.make = self.make
        room.ease = self.ease

    @property
    def is_crowded(self) -> bool:
        """Whether pinned studies left no room when some was asked for, and are no fewer bytes now."""
        return any(self._room.pinned(of) >= pinned for of, pinned in self._crowded.items())

    async def make(self, upstream: str) -> bool:
        """Evict until what was taken for the upstream fits; False when nothing more may go."""
        async with self._turn:
            for of in (upstream, None):
                await self._room.sample()
                while (short := self._room.short(of)) > 0:
                    if not await self._round(short, of):
                        self._note_pins(of)
                        return False
                    await self._room.sample()
            return True

    def ease(self) -> None:
        """Evict in the background, unless that is going on already, so that fills need not wait."""
        if not self._easing:
            self._easing = True
            self._start(self._ease(), name="cache eviction")

    async def _ease(self) -> None:
        try:
            async with self._turn:
                for of in self._bounded:
                    await self._room.sample()
                    while (wanted := self._room.wanted(of)) > 0 and await self._round(wanted, of):
                        await self._room.sample()
        finally:
            self._easing = False

    @property
    def _bounded(self) -> tuple[str | None, ...]:
        return (*self._room.quotas, None)

    def _note_pins(self, of: str | None) -> None:
        """Say so once when it is for the pins that nothing more may go."""
        if not self._room.is_pinned_full(of):
            return
        if not self.is_crowded:
            whose = "the cache" if of is None else f"the quota of {of}"
            _log.warning("pinned studies fill %s: what is fetched passes through and is not kept", whose)
        self._crowded[of] = self._room.pinned(of)

    async def _round(self, need: int, of: str | None) -> bool:
        """Evict what weighs that much; False when there was nothing, or the database refused."""
        try:
            by_use = await self._by_use(_LOOK + len(self._readers.needed), of)
            chosen = choose(by_use, need, self._readers.needed)  # as of now, until they are gone
            with self._readers.clearing(*((study.upstream, study.study) for study in chosen)):
                self._counts.evicted += await self._removal.remove(chosen)
        except FAILURES as error:
            self._counts.errors += 1
            _log.warning("eviction failed: %s", type(error).__name__)
            return False
        return bool(chosen)
