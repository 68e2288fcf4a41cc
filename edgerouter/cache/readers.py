"""Which studies are being read: eviction and purges leave them alone.

Whoever has found the first unit of an answer is about to read the others: for a moment that counts as
reading. A study that is being taken out has no readers, and gets none meanwhile: all of it is a miss.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgerouter.cache.bell import Bell
from edgerouter.cache.moments import Moments

# (upstream, StudyInstanceUID)
StudyName = tuple[str, str]
MOMENT = 2.0  # seconds from finding a unit to reading it, with plenty to spare


class Readers:
    """Counts the readers of each study."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts: Counter[StudyName] = Counter()
        self._found: OrderedDict[StudyName, float] = OrderedDict()
        self._awaited: dict[StudyName, asyncio.Event] = {}
        self._leaving: Counter[StudyName] = Counter()
        self._cleared = Bell()
        self._taken_out = Moments()
        self._clock = clock

    def come(self, study: StudyName) -> None:
        self._counts[study] += 1

    def go(self, study: StudyName) -> None:
        self._counts[study] -= 1
        if self._counts[study] == 0:
            del self._counts[study]
            if study in self._awaited:
                self._awaited.pop(study).set()

    def find(self, study: StudyName) -> None:
        """A unit of the study was found: somebody is about to read."""
        self._found[study] = self._clock()
        self._found.move_to_end(study)
        self._tidy()

    @contextmanager
    def reading(self, upstream: str, study: str) -> Iterator[None]:
        """Keep the study from eviction for as long as the block runs."""
        self.come((upstream, study))
        try:
            yield
        finally:
            self.go((upstream, study))

    @contextmanager
    def clearing(self, *studies: StudyName) -> Iterator[None]:
        """Let nobody come to these studies, which nobody reads, for as long as the block runs."""
        self._leaving.update(studies)
        try:
            yield
        finally:
            self._leaving -= Counter(studies)
            for upstream, study in studies:
                self._taken_out.mark(study, upstream)
            self._cleared.ring()

    def is_leaving(self, study: StudyName) -> bool:
        """Whether the study is being taken out."""
        return study in self._leaving

    async def cleared(self, study: StudyName) -> None:
        """Wait until the study is not being taken out: what comes to it then stays."""
        while study in self._leaving:
            await self._cleared.wait()

    def now(self) -> int:
        """To be taken before the catalog is asked, and handed to `expect` with what it said."""
        return self._taken_out.now()

    def expect(self, study: StudyName, since: int) -> bool:
        """Something of the study was found in the catalog, and is about to be read: keep it for a moment.

        False when the study is being taken out, or was since that moment: what was found may be gone."""
        upstream, uid = study
        if study in self._leaving or not self._taken_out.untouched(uid, upstream, since):
            return False
        self.find(study)
        return True

    async def gone(self, study: StudyName) -> None:
        """Wait until nobody reads the study."""
        while study in self.needed:
            if study in self._counts:
                await self._awaited.setdefault(study, asyncio.Event()).wait()
            else:
                await asyncio.sleep(self._found[study] + MOMENT - self._clock())

    @property
    def busy(self) -> frozenset[StudyName]:
        """Those that are being read."""
        return frozenset(self._counts)

    @property
    def needed(self) -> frozenset[StudyName]:
        """Those that are being read, or about to be."""
        self._tidy()
        return self.busy | frozenset(self._found)

    def _tidy(self) -> None:
        before = self._clock() - MOMENT
        while self._found and next(iter(self._found.values())) < before:
            self._found.popitem(last=False)
