"""Who is about to read is a reader, and who comes while a study is being taken out is none."""

import asyncio
from pathlib import Path

from edgerouter.cache.readers import MOMENT, Readers
from tests.cache.support import MIB, got, instance, noise, opened, put, serving, unit_files, until

STUDY = ("a", "1.1")


def test_a_study_is_needed_for_a_moment_after_a_unit_of_it_was_found() -> None:
    now = [100.0]
    readers = Readers(lambda: now[0])
    readers.find(STUDY)
    readers.find(("a", "1.2"))

    now[0] += MOMENT - 0.1
    readers.find(("a", "1.2"))
    assert readers.needed == {STUDY, ("a", "1.2")}
    assert readers.busy == frozenset()
    now[0] += 0.2
    assert readers.needed == {("a", "1.2")}


async def test_the_wait_for_readers_ends_with_the_last_of_them() -> None:
    readers = Readers()
    async with asyncio.TaskGroup() as group:
        readers.come(STUDY)
        readers.come(STUDY)
        waits = [group.create_task(readers.gone(STUDY)) for _ in range(2)]
        await asyncio.sleep(0)
        readers.go(STUDY)
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        readers.go(STUDY)
    assert not readers._awaited


async def test_a_study_of_which_a_unit_was_just_found_is_not_evicted(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        await put(cache, instance(study="1.1"), noise(2 * MIB, 1))
        await put(cache, instance(2, study="1.1"), noise(MIB, 2))
        cache.readers._clock = lambda: 0.0  # the moment does not pass
        assert await cache.units.get(instance(study="1.1")) is not None
        for number in range(2, 20):
            await put(cache, instance(study=f"1.{number}"), noise(2 * MIB, number))
        assert cache.counts.evicted > 0
        assert await got(cache, instance(2, study="1.1")) == noise(MIB, 2)


async def test_what_is_being_taken_out_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(study="1.1"), noise(1000))
        with cache.readers.clearing(STUDY):
            assert await got(cache, instance(study="1.1")) is None
        assert await got(cache, instance(study="1.1")) == noise(1000)


async def test_what_comes_while_its_study_is_being_taken_out_comes_after_that(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1, study="1.1"), noise(1000, 1))
        fetch = serving([(instance(2, study="1.1"), noise(1000, 2))])
        async with cache.fills.join("k", fetch) as follower:
            with cache.readers.clearing(STUDY):
                with cache.readers.clearing(STUDY):
                    part = await anext(follower.parts())
                    await until(lambda: part._part.whole and cache.readers.busy == {STUDY})
                for _ in range(100):
                    await asyncio.sleep(0.001)
                assert part.key is None
                (study,) = await cache.catalog.by_use(1, None)
                await cache._removal.remove([study])
            assert (await part.unit()) is not None
            assert b"".join([chunk async for chunk in part.read()]) == noise(1000, 2)
        assert await got(cache, instance(1, study="1.1")) is None


def test_nobody_expects_to_read_what_is_being_taken_out_or_was_since_he_looked() -> None:
    readers = Readers()
    before = readers.now()
    with readers.clearing(STUDY):
        assert not readers.expect(STUDY, readers.now())
    assert not readers.expect(STUDY, before)
    assert readers.needed == frozenset()
    assert readers.expect(("a", "1.2"), before)
    assert readers.expect(STUDY, readers.now())
    assert readers.needed == {STUDY, ("a", "1.2")}


async def test_a_reader_who_comes_while_eviction_looks_for_victims_keeps_his_study(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        for number in range(1, 7):
            await put(cache, instance(study=f"1.{number}"), noise(2 * MIB, number))
        looked_up = cache.evictor._by_use
        came = False

        async def by_use(limit: int, upstream: str | None) -> object:
            nonlocal came
            found = await looked_up(limit, upstream)
            if not came:
                came = True
                cache.readers.come(STUDY)  # between the look and the choice
            return found

        cache.evictor._by_use = by_use  # type: ignore[assignment]
        await put(cache, instance(study="1.9"), noise(5 * MIB, 9))
        await until(lambda: not cache.evictor._easing)
        assert came
        assert cache.counts.evicted > 0
        assert await got(cache, instance(study="1.1")) == noise(2 * MIB, 1)
        cache.readers.go(STUDY)
        assert unit_files(tmp_path)
