"""Taking whole studies out of the cache, in slices that leave the desk to others in between."""

import time
from collections.abc import Callable, Iterable

from edgerouter.cache.desk import Desk
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.studies import Study
from edgerouter.cache.unit import UnitKey

_SLICE = 0.1  # seconds on the desk's thread
_HANDFUL = 64  # rows between two looks at the clock


class Removal:
    """Removes studies: units, metadata, listings, and the study's own row."""

    def __init__(self, desk: Desk, shelf: Shelf, forget: Callable[[list[UnitKey]], None]) -> None:
        self._desk = desk
        self._shelf = shelf
        self._forget = forget

    async def remove(self, studies: Iterable[Study]) -> int:
        """Remove them all; how many units went. Raises one of FAILURES."""
        removed = 0
        waiting = list(studies)
        while waiting:
            keys, done = await self._desk.write(self._slice, waiting)
            self._forget(keys)
            removed += len(keys)
            waiting = waiting[done:]
        return removed

    def _slice(self, studies: list[Study]) -> tuple[list[UnitKey], int]:
        """The units removed, and how many of the studies are gone for good."""
        deadline = time.monotonic() + _SLICE
        removed: list[UnitKey] = []
        for done, study in enumerate(studies):
            if not self._clear(study, deadline, removed):
                return removed, done
        return removed, len(studies)

    def _clear(self, study: Study, deadline: float, removed: list[UnitKey]) -> bool:
        name = (study.upstream, study.study)
        while keys := self._shelf.holdings.some(*name, _HANDFUL):
            self._shelf.remove(keys)
            removed += keys
            if time.monotonic() > deadline:
                return False
        while self._shelf.listings.forget_some(*name, _HANDFUL):
            if time.monotonic() > deadline:
                return False
        self._shelf.studies.forget(*name)
        return True
