"""A disk that is full or sick: answers pass through, clients notice nothing, the disk gets a rest."""

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edgerouter.cache.fill import Fetch
from edgerouter.cache.partfile import open_new
from edgerouter.cache.room import PAUSE
from tests.cache.support import (
    MIB,
    got,
    instance,
    noise,
    opened,
    part_files,
    put,
    read_all,
    serving,
    settled,
    unit_files,
    until,
)


class Disk:
    """Opens part files that fail as told: at opening, or when written to."""

    def __init__(self, number: int, *, good: int = 0, at_write: bool = False) -> None:
        self.opened = 0
        self.is_sick = True
        self._error = OSError(number, os.strerror(number))
        self._good = good
        self._at_write = at_write

    def __call__(self, path: Path) -> int:
        self.opened += 1
        if not self.is_sick or self.opened <= self._good:
            return open_new(path)
        if not self._at_write:
            raise self._error
        os.close(open_new(path))
        return os.open(path, os.O_RDONLY)  # writing to it fails with EBADF


@pytest.mark.parametrize(
    "disk",
    [
        Disk(errno.ENOSPC),
        Disk(errno.EIO),
        Disk(errno.EROFS, good=1),
        Disk(errno.EBADF, good=1, at_write=True),
    ],
)
async def test_a_disk_that_refuses_is_no_error_of_the_client(tmp_path: Path, disk: Disk) -> None:
    units = [(instance(number), noise(2 * MIB, number)) for number in range(1, 5)]
    async with opened(tmp_path, opener=disk) as cache:
        async with cache.fills.join("k", serving(units)) as follower:
            assert await read_all(follower) == [data for _, data in units]
        await settled(cache)
        assert await got(cache, instance(4)) is None
        assert (await cache.stats()).paused
        await until(lambda: part_files(tmp_path) == [])
        assert cache.room.parts == 0
        assert cache.counts.passed == 1


async def test_after_a_write_error_the_disk_is_left_in_peace_for_a_while(tmp_path: Path) -> None:
    disk = Disk(errno.ENOSPC)
    async with opened(tmp_path, opener=disk) as cache:
        now = cache.room._clock()
        cache.room._clock = lambda: now
        for number in range(1, 4):
            async with cache.fills.join(number, serving([(instance(number), b"x")])) as follower:
                assert await read_all(follower) == [b"x"]
            await settled(cache)
        assert disk.opened == 1
        disk.is_sick = False
        now += PAUSE + 1
        await put(cache, instance(1), b"x")
        assert await got(cache, instance(1)) == b"x"


async def test_an_adoption_that_fails_is_no_error_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    units = [(instance(number), noise(MIB, number)) for number in range(1, 30)]
    async with opened(tmp_path) as cache:
        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", refuse)
            async with cache.fills.join("k", serving(units)) as follower:
                assert await read_all(follower) == [data for _, data in units]
            await settled(cache)
        assert await got(cache, instance(1)) is None
        assert cache.counts.errors > 0
        assert (await cache.stats()).paused
        await until(lambda: part_files(tmp_path) == [])
        assert cache.room.parts == 0


async def test_an_adoption_that_the_catalog_refuses_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        change = cache._shelf.database.connection.execute
        await cache._desk.run(change, "ALTER TABLE unit RENAME TO gone")
        async with cache.fills.join("k", serving([(instance(1), b"one")])) as follower:
            assert await read_all(follower) == [b"one"]
        await settled(cache)
        await until(lambda: unit_files(tmp_path) == part_files(tmp_path) == [])
        assert await got(cache, instance(1)) is None
        assert cache.counts.damaged == 0


async def test_a_transaction_that_fails_takes_no_file_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), b"one")
        change = cache._shelf.database.connection.execute

        def remove_and_fail() -> None:
            cache._shelf.remove([instance(1)])
            change("ROLLBACK")

        with pytest.raises(sqlite3.OperationalError):
            await cache._desk.write(remove_and_fail)
        cache.units.forget([instance(1)])
        assert len(unit_files(tmp_path)) == 1


def starved() -> Fetch:
    return serving([(instance(1), noise(3 * MIB)), (instance(2), noise(10_000))])


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from tests.cache.support import opened, read_all, settled, got, instance, noise, MIB, until, part_files
from tests.cache.test_full_disk import starved

async def main():
    async with opened(Path(sys.argv[1])) as cache:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
        async with cache.fills.join("k", starved()) as follower:
            assert await read_all(follower) == [noise(3 * MIB), noise(10_000)]
        await settled(cache)
        assert await got(cache, instance(1)) is None
        assert (await cache.stats()).paused
        await until(lambda: part_files(Path(sys.argv[1])) == [])

asyncio.run(main())
"""


def test_a_real_limit_of_the_disk_is_no_error_of_the_client(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
