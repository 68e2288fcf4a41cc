"""Verification: the digest of every unit, against what is on the disk, in the background.

One segment (1 MiB) is in memory at a time, and the disk is read no faster than allowed. Whoever reads is
not disturbed; a damaged unit is removed, and is a miss from then on.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.disk import Opened
from edgerouter.cache.reading import Reading
from edgerouter.cache.segments import is_whole
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.unit import SEGMENT, UnitKey, segments
from edgerouter.cache.units import Damaged, Units

RATE = 50_000_000  # bytes per second that are read, unless it is said otherwise
_HANDFUL = 64  # units looked up at a time
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Verification:
    """How far one is: `units` checked of `of_units`, as many as there were when it began; `bytes` read.

    `damaged` were removed. `ended` is None while it goes on, then how: done, stopped, or failed.
    """

    of_units: int = 0
    units: int = 0
    bytes: int = 0
    damaged: int = 0
    ended: str | None = None


class Verifier:
    """Verifies one cache; `last` is the verification that goes on, or else the last one."""

    def __init__(self, desk: Desk, shelf: Shelf, units: Units, reading: Reading) -> None:
        self.last: Verification | None = None
        self.verified = 0  # units since the start
        self._desk = desk
        self._shelf = shelf
        self._units = units
        self._reading = reading
        self._stop = asyncio.Event()

    @property
    def is_running(self) -> bool:
        return self.last is not None and self.last.ended is None

    def begin(self) -> Verification:
        """One begins, whose `run` is to follow; there must be none that goes on."""
        self._stop.clear()
        self.last = Verification()
        return self.last

    def stop(self) -> None:
        """Have the one that goes on end soon."""
        self._stop.set()

    async def run(self, now: Verification, study: str | None, upstream: str | None, rate: float) -> None:
        """Verify all units, those of a study, of an upstream, or of both, at `rate` bytes per second."""
        try:
            now.of_units = await self._desk.run(self._shelf.holdings.count, upstream, study)
            began = time.monotonic()
            async with aclosing(self._keys(study, upstream)) as keys:
                async for key in keys:
                    if not self._stop.is_set():
                        await self._check(key, now, began, rate)
                    if self._stop.is_set():
                        return
                    now.units += 1
                    self.verified += 1
            now.ended = "done"
        except FAILURES as error:
            now.ended = "stopped" if self._desk.is_closed else "failed"
            _log.warning("verification ended early: %s", type(error).__name__)
        finally:
            now.ended = now.ended or "stopped"

    async def _keys(self, study: str | None, upstream: str | None) -> AsyncGenerator[UnitKey, None]:
        for one in await self._desk.run(self._shelf.studies.of, upstream, study):
            last: UnitKey | None = None
            while True:
                keys = await self._desk.run(self._shelf.holdings.of, one.upstream, one.study, last, _HANDFUL)
                for key in keys:
                    yield key
                if len(keys) < _HANDFUL:
                    break
                last = keys[-1]

    async def _check(self, key: UnitKey, now: Verification, began: float, rate: float) -> None:
        opened, had_row = await self._desk.run(self._fetch, key)
        if opened is None:
            if had_row:
                await self._is_damaged(key, now, OSError("A unit's row and file do not agree."))
            return  # else it went meanwhile
        try:
            for segment in range(segments(opened.meta.size)):
                if not await self._reading.apart(_is_whole_on_disk, opened, segment):
                    raise OSError("A segment of a unit does not have its digest.")
                now.bytes += min(SEGMENT, opened.meta.size - segment * SEGMENT)
                await self._pause(now.bytes / rate - (time.monotonic() - began))
                if self._stop.is_set():
                    return
        except OSError as error:
            if self._desk.is_closed:
                raise
            await self._is_damaged(key, now, error)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless it is told to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()

    def _fetch(self, key: UnitKey) -> tuple[Opened | None, bool]:
        opened = self._shelf.fetch(key.text)
        return opened, opened is None and self._shelf.has_row(key)

    async def _is_damaged(self, key: UnitKey, now: Verification, error: OSError) -> None:
        now.damaged += 1
        await self._units.report(key, Damaged(*error.args))


def _is_whole_on_disk(opened: Opened, segment: int) -> bool:
    """`is_whole`, of what the disk has, and not what memory still has of it. Blocks. Raises OSError."""
    fd, meta = opened.file.fd, opened.meta
    os.posix_fadvise(fd, segment * SEGMENT, SEGMENT, os.POSIX_FADV_DONTNEED)
    return is_whole(opened.file, segment, meta.size, meta.digests)
