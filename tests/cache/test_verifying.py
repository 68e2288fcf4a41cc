"""Verification: what is damaged on the disk is found, removed and counted; the rest is left alone."""

import os
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.verifying import Verification
from tests.cache.support import (
    MIB,
    frame,
    got,
    instance,
    noise,
    opened,
    put,
    put_all,
    unit_files,
    until,
)

FAST = 1e12  # bytes per second


async def verified(
    cache: Cache, study: str | None = None, upstream: str | None = None, rate: float = FAST
) -> Verification:
    now = cache.verifier.begin()
    await cache.verifier.run(now, study, upstream, rate)
    return now


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))
        stream.flush()
        os.fsync(stream.fileno())


async def put_three(cache: Cache) -> None:
    await put(cache, instance(study="1.1"), noise(3 * MIB, 1))
    await put(cache, instance(study="1.2"), noise(MIB + 1, 2))
    await put(cache, instance(study="1.2", upstream="b"), noise(10, 3))


async def test_what_is_whole_is_counted_and_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        assert await verified(cache) == Verification(3, 3, 4 * MIB + 11, 0, "done")
        assert len(unit_files(tmp_path)) == 3
        assert (await cache.stats()).verified == 3


async def test_a_flipped_bit_is_found_even_where_the_unit_was_read_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        (largest,) = (file for file in unit_files(tmp_path) if file.stat().st_size == 3 * MIB)
        assert await got(cache, instance(study="1.1")) == noise(3 * MIB, 1)
        flip(largest, 2 * MIB + 5)
        now = await verified(cache)
        assert (now.damaged, now.units, now.ended) == (1, 3, "done")
        assert not largest.exists()
        assert await got(cache, instance(study="1.1")) is None
        assert await got(cache, instance(study="1.2")) == noise(MIB + 1, 2)
        assert cache.counts.damaged == 1


@pytest.mark.parametrize("damage", ["cut", "gone"])
async def test_a_file_that_is_cut_or_gone_is_found(tmp_path: Path, damage: str) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        (largest,) = (file for file in unit_files(tmp_path) if file.stat().st_size == 3 * MIB)
        largest.unlink() if damage == "gone" else os.truncate(largest, 5)
        assert (await verified(cache)).damaged == 1
        assert (await verified(cache)).of_units == 2


async def test_a_disk_that_fails_to_read_a_unit_loses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> bool:
        raise OSError(5, "Input/output error")

    async with opened(tmp_path) as cache:
        await put(cache, instance(), noise(10))
        monkeypatch.setattr("edgerouter.cache.verifying.is_whole", fail)
        assert (await verified(cache)).damaged == 1


@pytest.mark.parametrize(
    ("study", "upstream", "units"),
    [(None, None, 3), ("1.2", None, 2), (None, "a", 2), ("1.2", "a", 1), ("1.9", None, 0)],
)
async def test_one_study_or_one_upstream_can_be_verified(
    tmp_path: Path, study: str | None, upstream: str | None, units: int
) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        now = await verified(cache, study, upstream)
        assert (now.of_units, now.units) == (units, units)


async def test_every_unit_of_a_large_study_is_checked_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        units = [(instance(number), noise(100, number)) for number in range(1, 131)]
        await put_all(cache, [*units, *((frame(number), noise(50, number)) for number in range(1, 65))])
        now = await verified(cache)
        assert (now.units, now.bytes) == (194, 130 * 100 + 64 * 50)


async def test_it_reads_no_faster_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)

    async with opened(tmp_path) as cache:
        await put(cache, instance(), noise(3 * MIB))
        monkeypatch.setattr(cache.verifier, "_pause", pause)
        await verified(cache, rate=MIB)
    assert [round(seconds) for seconds in slept] == [1, 2, 3]  # nobody really waited: the debt grows


async def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        now = cache.verifier.begin()
        cache.verifier.stop()
        await cache.verifier.run(now, None, None, FAST)
        assert (now.ended, now.units) == ("stopped", 0)
        assert not cache.verifier.is_running


async def test_it_ends_with_the_cache(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        now = cache.verifier.begin()
        cache.start(cache.verifier.run(now, None, None, 100.0), name="verification")
        await until(lambda: now.bytes > 0)
    assert now.ended == "stopped"


async def test_a_catalog_that_fails_ends_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache._desk.run(cache._shelf.database.connection.execute, "ALTER TABLE unit RENAME TO gone")
        assert (await verified(cache)).ended == "failed"
