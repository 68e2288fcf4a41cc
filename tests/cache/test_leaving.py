"""What becomes of a fill when its readers leave."""

import asyncio
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fetch, Fill
from tests.cache.players import CONTENT, HALF, Origin, Reader
from tests.cache.support import DICOM, got, instance, opened, part_files, serving, settled, until


async def test_a_fill_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        readers = [Reader(cache, origin.fetch) for _ in range(3)]
        tasks = [group.create_task(reader.run()) for reader in readers]
        for reader in readers:
            await reader.joined.wait()
        await until(lambda: origin.asked == 1)
        for task in tasks:
            task.cancel()
        await settled(cache)
        assert origin.stopped


async def test_a_reader_who_leaves_before_the_fetch_began_starts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        origin = Origin()
        async with cache.fills.join("k", origin.fetch):
            pass
        await settled(cache)
        assert origin.asked == 0


async def leave_at_half(
    cache: Cache, group: asyncio.TaskGroup, origin: Origin, fetch: Fetch, *, finish_alone: bool = False
) -> None:
    reader = Reader(cache, fetch, finish_alone=finish_alone)
    task = group.create_task(reader.run())
    origin.head.set()
    origin.half.set()
    await until(lambda: len(reader.received) == HALF)
    task.cancel()
    await asyncio.wait([task])


async def test_a_unit_more_than_half_here_is_finished(tmp_path: Path) -> None:
    went_on: list[bool] = []
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin(length=len(CONTENT))

        async def fetch(fill: Fill) -> None:
            await origin.fetch(fill)
            went_on.append(True)

        await leave_at_half(cache, group, origin, fetch)
        origin.rest.set()
        await settled(cache)
        assert await got(cache, instance(1)) == CONTENT
        assert went_on == []


@pytest.mark.parametrize("length", [None, len(CONTENT) * 2])
async def test_a_unit_less_than_half_here_or_of_unknown_length_is_dropped(
    tmp_path: Path, length: int | None
) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin(length=length)
        await leave_at_half(cache, group, origin, origin.fetch)
        await settled(cache)
        assert origin.stopped
        assert await got(cache, instance(1)) is None
        await until(lambda: part_files(tmp_path) == [])
        assert cache.room.parts == 0


async def test_a_fill_told_to_finishes_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        await leave_at_half(cache, group, origin, origin.fetch, finish_alone=True)
        origin.rest.set()
        await settled(cache)
        assert await got(cache, instance(1)) == CONTENT


async def test_a_fill_told_to_finish_alone_does_so_even_before_its_head(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", serving([(instance(1), b"one")]), finish_alone=True):
            pass
        await settled(cache)
        assert await got(cache, instance(1)) == b"one"


async def test_a_reader_who_comes_back_in_time_keeps_the_fill_going(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin(length=len(CONTENT))

        async def fetch(fill: Fill) -> None:
            await origin.fetch(fill)
            await fill.open_part(DICOM)
            await fill.write(b"more")
            await fill.close_part(instance(2))

        first = Reader(cache, fetch)
        task = group.create_task(first.run())
        origin.head.set()
        origin.half.set()
        await until(lambda: len(first.received) == HALF)
        task.cancel()
        await asyncio.wait([task])
        again = Reader(cache, fetch)
        group.create_task(again.run())
        await again.joined.wait()
        origin.rest.set()
        await until(lambda: again.done)
        assert again.received == CONTENT + b"more"
        assert origin.asked == 1
