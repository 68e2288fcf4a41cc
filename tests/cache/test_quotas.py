"""Quotas: an upstream stays within its own, at the cost of its own studies."""

import asyncio
from contextlib import suppress
from pathlib import Path

from edgerouter.cache.cache import Cache
from edgerouter.cache.pins import Pin
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

QUOTA = 8 * MIB


async def put_study(cache: Cache, upstream: str, number: int, size: int = 2 * MIB) -> None:
    await put(cache, instance(study=f"1.{number}", upstream=upstream), noise(size, number))


async def held(cache: Cache, upstream: str) -> set[str]:
    return {study.study for study in await cache.catalog.studies(upstream) if study.bytes}


async def test_an_upstream_loses_its_own_least_recently_used_studies(tmp_path: Path) -> None:
    async with opened(tmp_path, quotas={"a": QUOTA}) as cache:
        await put_study(cache, "b", 1)
        for number in range(1, 10):
            await put_study(cache, "a", number)
            assert cache.room.used("a") <= QUOTA
        await until(lambda: not cache.evictor._easing)
        left = await held(cache, "a")
        assert "1.9" in left
        assert "1.1" not in left
        assert await held(cache, "b") == {"1.1"}


async def test_part_files_count(tmp_path: Path) -> None:
    highest = 0

    def on_disk() -> int:
        total = 0
        for file in (*unit_files(tmp_path), *part_files(tmp_path)):
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    async with opened(tmp_path, quotas={"a": QUOTA}) as cache:

        async def read(number: int) -> None:
            nonlocal highest
            data = noise(3 * MIB, number)
            async with cache.fills.join(
                number, serving([(instance(study=f"1.{number}"), data)], 50_000)
            ) as follower:
                async for part in follower.parts():
                    received = b""
                    async for chunk in part.read():
                        received += chunk
                        highest = max(highest, on_disk())
                    assert received == data

        await asyncio.gather(*(read(number) for number in range(6)))
        await settled(cache)
        assert 0 < highest <= QUOTA
        assert cache.room.parts == 0
        assert not cache.room._parts_of


async def test_what_does_not_fit_a_quota_smaller_than_one_study_passes_through(tmp_path: Path) -> None:
    units = [(instance(number, study="1.1"), noise(3 * MIB, number)) for number in range(1, 6)]
    async with opened(tmp_path, quotas={"a": QUOTA}) as cache:
        async with cache.fills.join("study", serving(units)) as follower:
            assert await read_all(follower) == [data for _, data in units]
        await settled(cache)
        assert cache.room.used("a") <= QUOTA
        assert await got(cache, units[0][0]) == units[0][1]
        assert await got(cache, units[4][0]) is None
        assert cache.counts.errors == 0


async def test_a_quota_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, quotas={"a": 0}) as cache:
        await put_study(cache, "a", 1)
        await put_study(cache, "b", 1)
        assert await held(cache, "a") == set()
        assert await held(cache, "b") == {"1.1"}


async def test_a_quota_that_was_made_smaller_is_kept_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for number in range(1, 8):
            await put_study(cache, "a", number)
        await put_study(cache, "b", 1)
    async with opened(tmp_path, quotas={"a": QUOTA}) as cache:
        await until(lambda: not cache.evictor._easing)
        assert cache.room.used("a") <= QUOTA
        assert await held(cache, "b") == {"1.1"}


async def test_pins_that_fill_a_quota_are_told_and_others_are_not_concerned(tmp_path: Path) -> None:
    async with opened(tmp_path, quotas={"a": QUOTA}) as cache:
        for number in range(1, 4):
            await put_study(cache, "a", number)
            await cache.pins.put(Pin("a", f"1.{number}", ""))
        await put_study(cache, "a", 4, 3 * MIB)
        await put_study(cache, "b", 4, 3 * MIB)
        stats = await cache.stats()
        assert stats.pinned.crowded
        assert [(one.upstream, one.quota) for one in stats.shares] == [("a", QUOTA), ("b", None)]
        assert stats.shares[0].pinned == stats.pinned.bytes > 6 * MIB
        assert await held(cache, "a") == {"1.1", "1.2", "1.3"}
        assert await held(cache, "b") == {"1.4"}


async def test_what_an_upstream_weighs_is_known_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_study(cache, "a", 1)
        await put_study(cache, "b", 2)
        await cache.pins.put(Pin("b", "1.2", ""))
        before = (await cache.stats()).shares
    async with opened(tmp_path) as cache:
        assert (await cache.stats()).shares == before
        await cache.purge(upstream="b")
        assert [one.upstream for one in (await cache.stats()).shares] == ["a"]
        assert (await cache.stats()).pinned.bytes == 0
