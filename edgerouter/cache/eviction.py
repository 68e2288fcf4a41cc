"""Eviction by study, least recently used first; never a pinned study, never one being read."""

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
        by_use: Callable[[int], Awaitable[list[Study]]],
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
        room.make = self.make
        room.ease = self.ease

    async def make(self) -> bool:
        """Evict until what was taken fits; False when nothing more may go."""
        async with self._turn:
            await self._room.sample()
            while (short := self._room.short()) > 0:
                if not await self._round(short):
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
                await self._room.sample()
                while (wanted := self._room.wanted()) > 0 and await self._round(wanted):
                    await self._room.sample()
        finally:
            self._easing = False

    async def _round(self, need: int) -> bool:
        """Evict what weighs that much; False when there was nothing, or the database refused."""
        busy = self._readers.busy
        try:
            chosen = choose(await self._by_use(_LOOK + len(busy)), need, busy)
            await self._removal.remove(chosen)
        except FAILURES as error:
            self._counts.errors += 1
            _log.warning("eviction failed: %s", type(error).__name__)
            return False
        self._counts.evicted += len(chosen)
        return bool(chosen)
