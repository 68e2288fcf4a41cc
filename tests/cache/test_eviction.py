"""Eviction: by study, least recently used first, never above the size, never what is pinned or read."""

import asyncio
import os
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.cache import Cache
from edgerouter.cache.eviction import choose
from edgerouter.cache.listings import Listing, Row
from edgerouter.cache.pins import Pin
from edgerouter.cache.studies import Study
from tests.cache.support import (
    MIB,
    SERIES,
    STUDY,
    frame,
    got,
    instance,
    noise,
    opened,
    part_files,
    put,
    put_all,
    read_all,
    serving,
    settled,
    unit_files,
    until,
)

names = st.tuples(st.sampled_from("ab"), st.sampled_from(["1.1", "1.2", "1.3", "1.4"]))
studies = st.lists(
    st.builds(
        lambda name, pinned, size: Study(name[0], name[1], 0.0, pinned, "", 0.0, size),
        names,
        st.booleans(),
        st.integers(0, 1000),
    ),
    unique_by=lambda study: (study.upstream, study.study),
)


@given(studies, st.integers(-10, 3000), st.sets(names))
def test_the_choice_spares_the_pinned_and_the_busy_and_takes_no_more_than_it_must(
    by_use: list[Study], need: int, busy: set[tuple[str, str]]
) -> None:
    chosen = choose(by_use, need, busy)
    free = [study for study in by_use if not study.pinned and (study.upstream, study.study) not in busy]
    assert chosen == free[: len(chosen)]
    assert sum(study.bytes for study in chosen) >= min(need, sum(study.bytes for study in free))
    assert sum(study.bytes for study in chosen[:-1]) < max(need, 1)


async def put_study(cache: Cache, number: int, size: int = 2 * MIB, upstream: str = "a") -> None:
    await put(cache, instance(1, study=f"1.{number}", upstream=upstream), noise(size, number))
    cache.catalog.touch(upstream, f"1.{number}")


async def held(cache: Cache, numbers: range | list[int]) -> list[int]:
    kept = {study.study for study in await cache.catalog.studies()}
    return [number for number in numbers if f"1.{number}" in kept]


async def test_eviction_takes_the_least_recently_used_study(tmp_path: Path) -> None:
    now = [time.time()]
    async with opened(tmp_path, size=20 * MIB) as cache:
        cache.catalog._clock = lambda: now[0]
        for number in range(1, 7):
            now[0] += 1
            await put_study(cache, number)
        now[0] += 1
        cache.catalog.touch("a", "1.1")
        for number in (7, 8):
            now[0] += 1
            await put_study(cache, number)
        await until(lambda: not cache.evictor._easing)
        left = await held(cache, range(1, 9))
        assert 1 in left
        assert 2 not in left
        assert 8 in left
        assert await got(cache, instance(1, study="1.2")) is None
        assert await got(cache, instance(1, study="1.1")) == noise(2 * MIB, 1)
        assert cache.counts.evicted >= 1


async def test_the_cache_is_never_larger_than_its_size(tmp_path: Path) -> None:
    size = 64 * MIB
    largest = 0

    def measure() -> None:
        nonlocal largest
        total = 0
        for folder, _, names in os.walk(tmp_path / "cache"):
            for name in names:
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, name)).st_size
        largest = max(largest, total)

    async def read(cache: Cache, reader: int) -> None:
        for number in range(10):
            study = f"1.{reader}.{number % 7}"
            units = [(instance(one, study=study), noise(MIB, one)) for one in range(1, 6)]
            async with cache.fills.join(study, serving(units)) as follower:
                assert await read_all(follower) == [data for _, data in units]
            measure()

    async with opened(tmp_path, size=size) as cache:
        await put(cache, instance(1, study="1.9"), noise(MIB))
        await cache.pins.put(Pin("a", "1.9", ""))
        await asyncio.gather(*(read(cache, reader) for reader in range(1, 5)))
        await settled(cache)
        measure()
        assert largest <= size
        assert cache.counts.evicted > 0
        assert await got(cache, instance(1, study="1.9")) == noise(MIB)
        assert cache.room.parts == 0


async def test_pinned_studies_and_those_being_read_are_not_evicted(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        await put_study(cache, 1)
        await put_study(cache, 2)
        await cache.pins.put(Pin("a", "1.1", ""))
        with cache.readers.reading("a", "1.2"):
            for number in range(3, 20):
                await put_study(cache, number)
            assert await held(cache, [1, 2]) == [1, 2]
        for number in range(20, 40):
            await put_study(cache, number)
        assert await held(cache, [1, 2]) == [1]


async def test_an_open_unit_keeps_its_study(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        await put_study(cache, 1)
        async with cache.units.open(instance(1, study="1.1")) as unit:
            for number in range(2, 20):
                await put_study(cache, number)
            assert await held(cache, [1]) == [1]
            assert unit is not None


async def test_when_nothing_may_go_a_fill_passes(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        for number in range(1, 7):
            await put_study(cache, number)
            await cache.pins.put(Pin("a", f"1.{number}", ""))
        async with cache.fills.join("k", serving([(instance(1, study="1.9"), noise(6 * MIB))])) as follower:
            assert await read_all(follower) == [noise(6 * MIB)]
        await settled(cache)
        assert await got(cache, instance(1, study="1.9")) is None
        assert len(unit_files(tmp_path)) == 6
        assert part_files(tmp_path) == []


async def test_what_is_larger_than_the_cache_passes_and_evicts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, size=8 * MIB) as cache:
        await put_study(cache, 1)
        async with cache.fills.join("k", serving([(instance(1, study="1.9"), noise(9 * MIB))])) as follower:
            assert await read_all(follower) == [noise(9 * MIB)]
        await settled(cache)
        assert await held(cache, [1, 9]) == [1]


async def test_the_file_system_keeps_its_free_space(tmp_path: Path) -> None:
    total = 40 * MIB

    def free(path: Path) -> int:
        return total - sum(file.stat().st_size for file in (*unit_files(tmp_path), *part_files(tmp_path)))

    async with opened(tmp_path, size=1 << 30, min_free=20 * MIB, free=free) as cache:
        for number in range(1, 30):
            await put_study(cache, number)
            assert free(tmp_path) >= 20 * MIB - 65536
        await until(lambda: not cache.evictor._easing)
        left = await held(cache, range(1, 30))
        assert 1 not in left
        assert 29 in left


async def test_a_file_system_that_cannot_be_asked_has_nothing_free(tmp_path: Path) -> None:
    def fail(path: Path) -> int:
        raise OSError("no")

    async with opened(tmp_path, min_free=1, free=fail) as cache:
        await put(cache, instance(), b"x")
        assert await got(cache, instance()) is None


async def test_a_cache_that_was_made_smaller_shrinks_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path, size=64 * MIB) as cache:
        for number in range(1, 15):
            await put_study(cache, number)
    async with opened(tmp_path, size=20 * MIB) as cache:
        await until(lambda: not cache.evictor._easing)
        assert (await cache.stats()).bytes <= 20 * MIB
        assert len(unit_files(tmp_path)) < 8


async def test_an_evicted_study_leaves_no_rows(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        key = frame(1)
        await put(cache, key, b"x")
        moment = cache.catalog.moment()
        await cache.catalog.put_listing(Listing("a", key.study, "", True, 1.0, ((SERIES, "1.1"),)), moment)
        await cache.catalog.put_metadata("a", key.study, [Row(SERIES, "1.1", b"{}", 1.0)], moment)
        await cache._removal.remove(await cache.catalog.studies())
        assert (await cache.stats()).studies == 0
        assert (await cache.stats()).bytes == 0
        assert await cache.catalog.listing("a", key.study) is None


async def test_a_large_study_is_removed_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = range(1, 201)
    slices: list[str] = []
    async with opened(tmp_path) as cache:
        await put_all(cache, [(instance(number), noise(1000, number)) for number in numbers])
        rows = [Row(SERIES, f"{SERIES}.{number}", b"{}", 1.0) for number in numbers]
        await cache.catalog.put_metadata("a", STUDY, rows, cache.catalog.moment())
        monkeypatch.setattr("edgerouter.cache.removal._SLICE", 0.0)
        bracket = cache._desk.bracket

        def counted() -> AbstractContextManager[None]:
            slices.append("slice")
            return bracket()

        cache._desk.bracket = counted
        assert await cache.purge() == 200
        assert len(slices) >= 6
        assert (await cache.stats()).bytes == 0
        assert unit_files(tmp_path) == []


async def test_when_the_database_refuses_eviction_gives_up_and_the_fill_passes(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        for number in range(1, 7):
            await put_study(cache, number)
        change = cache._shelf.database.connection.execute
        await cache._desk.run(change, "ALTER TABLE metadata RENAME TO gone")
        async with cache.fills.join("k", serving([(instance(1, study="1.9"), noise(6 * MIB))])) as follower:
            assert await read_all(follower) == [noise(6 * MIB)]
        await settled(cache)
        assert cache.counts.errors > 0
