"""Units: kept, read in verified pieces, removed when anything about them is not as we left it."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.units import Damaged, Unit
from tests.cache.support import MIB, got, instance, noise, opened, put, put_all, unit_files

CONTENT = noise(2 * MIB + 300_000)


async def test_a_unit_is_read_whole_and_in_ranges(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        async with cache.units.open(instance()) as unit:
            assert unit is not None
            for start, stop in [(0, None), (5, 6), (MIB - 3, MIB + 3), (2 * MIB, 9 * MIB), (7, 7)]:
                data = b"".join([chunk async for chunk in unit.read(start, stop)])
                assert data == CONTENT[start:stop]
            assert unit.meta.fields == (("content-type", "application/dicom"),)


async def test_a_unit_survives_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
    async with opened(tmp_path) as cache:
        assert await got(cache, instance()) == CONTENT


async def test_a_unit_that_comes_again_replaces_the_old_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        assert await got(cache, instance()) == CONTENT
        await put(cache, instance(), b"new")
        assert await got(cache, instance()) == b"new"
        assert len(unit_files(tmp_path)) == 1


async def test_what_is_not_held_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), b"one")
        assert await got(cache, instance(2)) is None
        assert await got(cache, instance(1, upstream="b")) is None
        assert cache.counts.misses == 2
        assert cache.counts.damaged == 0


def cut(path: Path) -> None:
    os.truncate(path, 100)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[17] ^= 0x40
    path.write_bytes(data)


def link(path: Path) -> None:
    copy = path.with_name("elsewhere")
    shutil.copy(path, copy)
    path.unlink()
    path.symlink_to(copy)


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def turn_into_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def exchange(path: Path) -> None:
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(noise(size, seed=9))


DAMAGES = [cut, empty, grow, flip, link, Path.unlink, turn_into_a_folder, turn_into_a_pipe, exchange]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("moment", ["running", "read before", "restarted"])
async def test_damage_is_a_miss_and_is_removed(
    tmp_path: Path, damage: Callable[[Path], None], moment: str
) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), CONTENT)
        if moment == "read before":
            assert await got(cache, instance(1)) == CONTENT
        if moment != "restarted":
            await _damage_is_a_miss(cache, tmp_path, damage)
            return
    async with opened(tmp_path) as cache:
        await _damage_is_a_miss(cache, tmp_path, damage)


async def _damage_is_a_miss(cache: Cache, path: Path, damage: Callable[[Path], None]) -> None:
    damage(unit_files(path)[0])
    assert await got(cache, instance(1)) is None
    assert cache.counts.damaged == 1
    assert await got(cache, instance(1)) is None
    assert cache.counts.damaged == 1
    assert (await cache.stats()).units == 0
    await put(cache, instance(1), CONTENT)
    assert await got(cache, instance(1)) == CONTENT


async def test_two_files_that_changed_places_are_two_misses(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), noise(1000, 1))
        await put(cache, instance(2), noise(1000, 2))
        one, two = unit_files(tmp_path)
        one.rename(tmp_path / "x")
        two.rename(one)
        (tmp_path / "x").rename(two)
        assert await got(cache, instance(1)) is None
        assert await got(cache, instance(2)) is None


async def test_damage_behind_the_first_segment_cuts_the_reading_and_removes_the_unit(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        (path,) = unit_files(tmp_path)
        data = bytearray(CONTENT)
        data[MIB + 5] ^= 1
        path.write_bytes(data)
        received: list[bytes] = []
        async with cache.units.open(instance()) as unit:
            assert unit is not None
            with pytest.raises(Damaged):
                await collect(unit, received)
        assert b"".join(received) == CONTENT[:MIB]
        assert await got(cache, instance()) is None
        assert cache.counts.damaged == 1


async def collect(unit: Unit, received: list[bytes]) -> None:
    async for chunk in unit.read():
        received.append(chunk)


async def test_a_range_is_verified_before_it_is_promised(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        (path,) = unit_files(tmp_path)
        data = bytearray(CONTENT)
        data[MIB + 5] ^= 1
        path.write_bytes(data)
        async with cache.units.open(instance(), start=MIB + 100) as unit:
            assert unit is None


async def test_an_evicted_unit_is_read_to_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        async with cache.units.open(instance()) as unit:
            assert unit is not None
            await cache.units.remove([instance()])
            assert unit_files(tmp_path) == []
            assert b"".join([chunk async for chunk in unit.read()]) == CONTENT
        assert await got(cache, instance()) is None


async def test_a_removal_that_the_database_refuses_is_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"x")
        change = cache._shelf.database.connection.execute
        await cache._desk.run(change, "ALTER TABLE unit RENAME TO gone")
        await cache.units.remove([instance()])
        assert cache.counts.errors == 1


async def test_more_units_than_are_kept_open_are_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_all(cache, [(instance(number), noise(100, number)) for number in range(1, 141)])
        for number in range(1, 141):
            assert await got(cache, instance(number)) == noise(100, number)
        before = len(os.listdir("/proc/self/fd"))
        for number in range(1, 141):
            assert await got(cache, instance(number)) == noise(100, number)
        assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_read_errors_of_the_disk_are_misses_and_turn_the_cache_off_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as cache:
        for number in range(1, 5):
            await put(cache, instance(number), b"bytes")

        def fail(*args: object) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            for number in range(1, 4):
                assert await got(cache, instance(number)) is None
        assert cache.counts.damaged == 3
        assert await got(cache, instance(4)) is None  # off: it is not even looked at
        now = cache.units._clock()
        cache.units._clock = lambda: now + 61
        assert await got(cache, instance(4)) == b"bytes"


async def test_a_read_error_behind_the_first_piece_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        async with cache.units.open(instance()) as unit:
            assert unit is not None

            def fail(*args: object) -> int:
                raise OSError(errno.EIO, "Input/output error")

            with monkeypatch.context() as patch:
                patch.setattr(os, "preadv", fail)
                with pytest.raises(Damaged):
                    await unit.piece(0, 10)
        assert await got(cache, instance()) is None
