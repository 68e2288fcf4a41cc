"""Everything at once, seeded: readers who come and go, evictions, purges, damage; never a wrong byte."""

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fill
from edgerouter.cache.unit import UnitKey
from edgerouter.cache.units import Damaged
from edgerouter.errors import Cut
from tests.cache.support import (
    DICOM,
    HEAD,
    MIB,
    instance,
    noise,
    opened,
    part_files,
    settled,
    unit_files,
    until,
)

STUDIES = 8
UNITS = 6


class Storm:
    """A cache under random use, with an upstream that sometimes breaks off."""

    def __init__(self, cache: Cache, path: Path, seed: int) -> None:
        self.reads = 0
        self._cache = cache
        self._path = path
        self._chance = random.Random(seed)

    def key(self, study: int, number: int) -> UnitKey:
        return instance(number, study=f"1.{study}")

    def content(self, study: int, number: int) -> bytes:
        return noise(100_000 + study * 300_000 // (1 + number), study * 100 + number)

    async def blow(self) -> None:
        for _ in range(35):
            act = self._chance.choices([self.read, self.purge, self.damage], [40, 2, 2])[0]
            with suppress(TimeoutError, Cut, Damaged):
                async with asyncio.timeout(self._chance.choice([0.005, 0.05, 20, 20, 20])):
                    await act()

    async def read(self) -> None:
        """As a transaction does: what is held from the units, the whole study by a fill that all join."""
        study = self._chance.randrange(STUDIES)
        if self._chance.random() < 0.5:
            number = self._chance.randrange(1, UNITS + 1)
            async with self._cache.units.open(self.key(study, number)) as unit:
                if unit is not None:
                    data = b"".join([chunk async for chunk in unit.read()])
                    assert data == self.content(study, number)
                    self.reads += 1
                    return
        async with self._cache.fills.join(study, lambda fill: self.fetch(fill, study)) as follower:
            number = 1
            async for part in follower.parts():
                data = b"".join([chunk async for chunk in part.read()])
                assert data == self.content(study, number)
                number += 1
            assert number == UNITS + 1
            self.reads += 1

    async def fetch(self, fill: Fill, study: int) -> None:
        await fill.begin(200, HEAD)
        breaks_at = self._chance.choice([0, 0, 0, 0, 3])
        if self._chance.random() < 0.01:
            fill.keep(False)
        for number in range(1, UNITS + 1):
            content = self.content(study, number)
            async with self._cache.units.open(self.key(study, number)) as unit:
                if unit is not None:
                    await fill.held(unit.key, unit.meta.size, DICOM)
                    continue
            await fill.open_part(DICOM, len(content))
            for start in range(0, len(content), 30_000):
                await asyncio.sleep(0)
                await fill.write(content[start : start + 30_000])
            if number == breaks_at:
                raise Cut("broke off")
            await fill.close_part(self.key(study, number))

    async def purge(self) -> None:
        await self._cache.purge(study=f"1.{self._chance.randrange(STUDIES)}")

    async def damage(self) -> None:
        files = unit_files(self._path)
        if files:
            with suppress(FileNotFoundError):
                os.truncate(self._chance.choice(files), 10)


@pytest.mark.parametrize("seed", range(2))
async def test_a_storm_leaves_no_wrong_byte_and_nothing_behind(tmp_path: Path, seed: int) -> None:
    async with opened(tmp_path, size=12 * MIB) as cache:
        storm = Storm(cache, tmp_path, seed)
        await asyncio.gather(*(storm.blow() for _ in range(8)))
        await settled(cache)
        await until(lambda: part_files(tmp_path) == [])
        await until(lambda: not cache.evictor._easing)
        assert storm.reads > 60
        assert cache.readers.busy == frozenset()
        assert (cache.room.parts, cache.room._promised) == (0, 0)
        assert len(unit_files(tmp_path)) == (await cache.stats()).units
        assert len(os.listdir("/proc/self/fd")) < 200
