"""The parts of a fill on their way into the cache: from whole, over on disk, to unit."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgerouter.cache.bell import Bell
from edgerouter.cache.means import Means
from edgerouter.cache.part import Part
from edgerouter.cache.readers import StudyName
from edgerouter.cache.unit import UnitKey, UnitKind, UnitMeta

_OUTSTANDING = 8  # parts on their way at once


@dataclass(frozen=True, slots=True)
class Notes:
    """What is written down beside a unit's bytes."""

    fields: tuple[tuple[str, str], ...] = ()
    validator: str = ""
    frame_table: bytes = b""
    made: bool = False


class Adoptions:
    """Belongs to one fill. Each part is seen through by a task of the app, whatever happens to the fill."""

    def __init__(self, means: Means, bell: Bell, failed: Callable[[], None]) -> None:
        self.outstanding = 0
        self._means = means
        self._bell = bell
        self._failed = failed
        self._asked_at = time.time()
        self._since = means.purges.now()
        self._studies: set[StudyName] = set()

    def begin(self, part: Part, key: UnitKey | None, notes: Notes) -> None:
        """See a whole part to the disk and, if it has a key, into the cache."""
        self.outstanding += 1
        if key is not None:
            self._means.adopting.begin(key)
        self._means.start(self._settle(part, key, notes), name="cache adoption")

    async def wait(self, most: int = _OUTSTANDING) -> None:
        """Wait until no more than that are under way."""
        while self.outstanding > most:
            await self._bell.wait()

    def hold(self, key: UnitKey) -> None:
        """Keep the key's study from eviction until the fill is disposed of."""
        study = (key.upstream, key.study)
        if study not in self._studies:
            self._studies.add(study)
            self._means.readers.come(study)

    def let_go(self) -> None:
        for study in self._studies:
            self._means.readers.go(study)
        self._studies.clear()

    async def _settle(self, part: Part, key: UnitKey | None, notes: Notes) -> None:
        try:
            if not await part.settle():
                return
            if key is None:
                part.became(None)
            elif await self._adopt(part, key, notes):
                part.became(key)
            else:  # the part's open file serves those who still follow
                self._failed()
        finally:
            part.settled = True
            self.outstanding -= 1
            if key is not None:
                self._means.adopting.end(key)
            self._bell.ring()

    async def _adopt(self, part: Part, key: UnitKey, notes: Notes) -> bool:
        self.hold(key)
        await self._means.readers.cleared((key.upstream, key.study))  # or this would be taken out with it
        if not self._means.purges.untouched(key.study, key.upstream, self._since):
            return False  # asked for before the purge: it does not come back
        frames = notes.frame_table
        if key.kind is UnitKind.INSTANCE and not frames:
            frames = await self._means.frames(part.disk.path)
        digests, asked_at = part.disk.digests(), self._asked_at
        meta = UnitMeta(part.size, digests, asked_at, notes.fields, notes.validator, frames, notes.made)
        adopted = await self._means.units.adopt(key, part.disk.path, meta)
        if not adopted:
            self._means.room.pause()
        return adopted
