"""Units for readers: opened by key, read in verified pieces, adopted, and removed when damaged."""

import logging
import os
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from edgerouter.cache.counts import Counts
from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.disk import Adoption, File, Opened
from edgerouter.cache.readers import Readers
from edgerouter.cache.reading import Reading
from edgerouter.cache.segments import Verified, is_whole
from edgerouter.cache.shelf import Shelf, discard
from edgerouter.cache.unit import SEGMENT, UnitKey, UnitMeta, segments

_HANDLES = 128  # units kept open for the next reader
_TROUBLE = 3  # read errors of the disk within _WATCH seconds: the cache is off for as long
_WATCH = 60.0
_log = logging.getLogger(__name__)


class Damaged(OSError):
    """A unit is not what was kept: the bytes asked for cannot be had."""


class Unit:
    """An open unit. An evicted one can be read to its end."""

    def __init__(
        self,
        key: UnitKey,
        opened: Opened,
        reading: Reading,
        verified: Verified,
        report: Callable[[UnitKey, Damaged], Awaitable[None]],
    ) -> None:
        self.key = key
        self.meta: UnitMeta = opened.meta
        self.path = opened.path
        self._file: File = opened.file
        self._reading = reading
        self._verified = verified
        self._report = report
        self._identity = Verified.identity(os.fstat(self._file.fd))

    @property
    def is_current(self) -> bool:
        """Whether nobody has touched or unlinked the file since it was opened."""
        status = os.fstat(self._file.fd)
        return status.st_nlink > 0 and Verified.identity(status) == self._identity

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a range in order, in pieces, each verified. Raises Damaged."""
        end = self.meta.size if stop is None else min(stop, self.meta.size)
        while start < end:
            data = await self.piece(start, end)
            start += len(data)
            yield data

    async def piece(self, start: int, stop: int) -> bytes:
        """The first verified piece of a range, of a size that suits us. Raises Damaged."""
        segment = start // SEGMENT
        await self.verify(segment)
        try:
            return await self._reading.piece(self._file, start, min(stop, (segment + 1) * SEGMENT))
        except OSError as error:
            raise await self._damaged(error) from error

    async def verify_all(self) -> None:
        """Make sure of the whole, for somebody who reads the file himself. Raises Damaged."""
        for segment in range(segments(self.meta.size)):
            await self.verify(segment)

    async def verify(self, segment: int) -> None:
        """Make sure of one segment; once for as long as the file stays untouched. Raises Damaged."""
        if self._verified.has(self._identity, segment):
            return
        size, digests = self.meta.size, self.meta.digests
        try:
            good = await self._reading.apart(is_whole, self._file, segment, size, digests)
        except OSError as error:
            raise await self._damaged(error) from error
        if not good:
            raise await self._damaged(OSError("A segment of a unit does not have its digest."))
        self._verified.add(self._identity, segment)

    async def _damaged(self, error: OSError) -> "Damaged":
        damaged = Damaged(*error.args)
        await self._report(self.key, damaged)
        return damaged


class Units:
    """The units of one cache directory."""

    def __init__(
        self,
        desk: Desk,
        shelf: Shelf,
        reading: Reading,
        readers: Readers,
        counts: Counts,
        changed: Callable[[UnitKey], None],
        used: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._shelf = shelf
        self._reading = reading
        self._readers = readers
        self._counts = counts
        self._changed = changed
        self._used = used
        self._clock = clock
        self._verified = Verified()
        self._handles: OrderedDict[UnitKey, Unit] = OrderedDict()
        self._trouble: deque[float] = deque(maxlen=_TROUBLE)

    @asynccontextmanager
    async def open(self, key: UnitKey, start: int = 0) -> AsyncIterator[Unit | None]:
        """`get`, the unit's study being kept from eviction meanwhile."""
        with self._readers.reading(key.upstream, key.study):
            yield await self.get(key, start)

    async def get(self, key: UnitKey, start: int = 0) -> Unit | None:
        """The unit, its segment at `start` verified, or None for a miss; damage is a miss.

        Damage that is found later raises Damaged where it is read. Either way the unit is removed.
        """
        study = (key.upstream, key.study)
        missing = self._is_off() or self._readers.is_leaving(study)
        unit = None if missing else await self._found(key, start)
        if unit is None:
            self._counts.misses += 1
        else:
            self._counts.hits[key.kind] += 1
            self._readers.find(study)
            self._used(*study)
            self._keep(unit)
        return unit

    async def meta(self, key: UnitKey) -> UnitMeta | None:
        """What is written beside a unit, None for a miss; neither a use nor a hit."""
        unit = None if self._is_off() else await self._found(key, 0)
        return unit.meta if unit else None

    async def adopt(self, key: UnitKey, path: Path, meta: UnitMeta) -> bool:
        """Make a finished part file a unit; False, and the file gone, when that could not be."""
        adoption = Adoption(path, meta)
        try:
            await self._desk.write(self._shelf.adopt, key, adoption, time.time())
        except FAILURES as error:
            self._failed(error)
            self._reading.soon(discard, adoption)
            return False
        self._counts.adopted += 1
        self.forget([key])
        self._used(key.upstream, key.study)
        return True

    async def remove(self, keys: Iterable[UnitKey]) -> None:
        """Remove units; those being read are read to their end."""
        keys = list(keys)
        self.forget(keys)
        try:
            await self._desk.write(self._shelf.remove, keys)
        except FAILURES as error:
            self._failed(error)
        self.forget(keys)

    def forget(self, keys: Iterable[UnitKey]) -> None:
        """Drop from memory what was adopted anew or removed."""
        for key in keys:
            self._handles.pop(key, None)
            self._changed(key)

    def close(self) -> None:
        self._handles.clear()

    async def _found(self, key: UnitKey, start: int) -> Unit | None:
        try:
            unit = self._at_hand(key) or await self._fetched(key)
            if unit is not None and unit.meta.size > 0:
                await unit.verify(min(start, unit.meta.size - 1) // SEGMENT)
        except (Damaged, ValueError):  # or a key that no unit can have
            return None
        except FAILURES as error:
            self._failed(error)
            return None
        return unit

    def _at_hand(self, key: UnitKey) -> Unit | None:
        unit = self._handles.get(key)
        if unit is not None and not unit.is_current:
            del self._handles[key]
            return None
        return unit

    async def _fetched(self, key: UnitKey) -> Unit | None:
        opened, had_row = await self._desk.run(self._fetch, key)
        if opened is not None:
            return Unit(key, opened, self._reading, self._verified, self.report)
        if had_row:
            await self.report(key, Damaged("A unit's row and file do not agree."))
        return None

    def _fetch(self, key: UnitKey) -> tuple[Opened | None, bool]:
        opened = self._shelf.fetch(key.text)
        return opened, opened is None and self._shelf.has_row(key)

    def _keep(self, unit: Unit) -> None:
        self._handles[unit.key] = unit
        self._handles.move_to_end(unit.key)
        if len(self._handles) > _HANDLES:
            self._handles.popitem(last=False)

    async def report(self, key: UnitKey, error: Damaged) -> None:
        """A unit was found damaged: it goes, and is counted."""
        self._counts.damaged += 1
        _log.warning("a unit was removed from the cache: %s", error)
        if error.errno is not None:
            self._trouble.append(self._clock())
        await self.remove([key])

    def _is_off(self) -> bool:
        return len(self._trouble) == _TROUBLE and self._clock() - self._trouble[0] < _WATCH

    def _failed(self, error: BaseException) -> None:
        self._counts.errors += 1
        _log.warning("the cache could not use a unit: %s", type(error).__name__)
