"""Which studies are being read: eviction and purges leave them alone."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

# (upstream, StudyInstanceUID)
StudyName = tuple[str, str]


class Readers:
    """Counts the readers of each study."""

    def __init__(self) -> None:
        self._counts: Counter[StudyName] = Counter()
        self._awaited: dict[StudyName, asyncio.Event] = {}

    def come(self, study: StudyName) -> None:
        self._counts[study] += 1

    def go(self, study: StudyName) -> None:
        self._counts[study] -= 1
        if self._counts[study] == 0:
            del self._counts[study]
            if study in self._awaited:
                self._awaited.pop(study).set()

    @contextmanager
    def reading(self, upstream: str, study: str) -> Iterator[None]:
        """Keep the study from eviction for as long as the block runs."""
        self.come((upstream, study))
        try:
            yield
        finally:
            self.go((upstream, study))

    async def gone(self, study: StudyName) -> None:
        """Wait until nobody reads the study."""
        while study in self._counts:
            await self._awaited.setdefault(study, asyncio.Event()).wait()

    @property
    def busy(self) -> frozenset[StudyName]:
        return frozenset(self._counts)
