"""Fills: one fetch for all, readers follow while it grows, whole parts stay whatever comes after."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from edgerouter.cache.fill import Fill, State
from edgerouter.cache.follower import FollowedPart, Follower
from edgerouter.errors import Cut
from tests.cache.players import CONTENT, HALF, Origin, Reader
from tests.cache.support import (
    DICOM,
    HEAD,
    MIB,
    STUDY,
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


async def test_a_hundred_readers_share_one_fetch(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        readers = [Reader(cache, origin.fetch) for _ in range(100)]
        for reader in readers:
            group.create_task(reader.run())
        for reader in readers:
            await reader.joined.wait()
        origin.go_on()
        await until(lambda: all(reader.done for reader in readers))
        assert origin.asked == 1
        assert all(reader.received == CONTENT for reader in readers)
        assert sorted(bool(reader.collapsed) for reader in readers) == [False] + [True] * 99
        await settled(cache)
        assert await got(cache, instance(1)) == CONTENT
        assert cache.counts.collapsed == 99
        assert cache.readers.busy == frozenset()


async def test_first_bytes_arrive_before_the_upstream_has_finished(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        reader = Reader(cache, origin.fetch)
        group.create_task(reader.run())
        origin.head.set()
        origin.half.set()
        await until(lambda: len(reader.received) == HALF)
        assert not reader.done
        origin.rest.set()
        await until(lambda: reader.done)
        assert reader.received == CONTENT


async def test_a_reader_who_comes_late_gets_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        first, second = Reader(cache, origin.fetch), Reader(cache, origin.fetch)
        group.create_task(first.run())
        origin.head.set()
        origin.half.set()
        await until(lambda: len(first.received) > MIB)
        group.create_task(second.run())
        await until(lambda: len(second.received) == len(first.received))
        origin.rest.set()
        await until(lambda: first.done and second.done)
        assert first.received == second.received == CONTENT
        assert origin.asked == 1


async def test_the_first_reader_leaves_and_nobody_notices(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        readers = [Reader(cache, origin.fetch) for _ in range(10)]
        tasks = [group.create_task(reader.run()) for reader in readers]
        origin.head.set()
        origin.half.set()
        await until(lambda: all(len(reader.received) > MIB for reader in readers))
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        origin.rest.set()
        await until(lambda: all(reader.done for reader in readers[1:]))
        assert all(reader.received == CONTENT for reader in readers[1:])
        assert origin.asked == 1


async def test_a_slow_reader_neither_slows_the_fill_nor_holds_memory(tmp_path: Path) -> None:
    content = noise(12 * MIB)
    async with (
        opened(tmp_path) as cache,
        cache.fills.join("k", serving([(instance(1), content)])) as follower,
    ):
        parts = follower.parts()
        part = await anext(parts)
        chunks = part.read()
        received = await anext(chunks)
        await settled(cache)  # the fill ends while the reader dawdles
        assert follower._fill.parts[0].in_memory == 0
        async for chunk in chunks:
            received += chunk
        assert received == content
        assert [part async for part in parts] == []


async def test_parts_that_became_units_are_read_by_a_reader_far_behind(tmp_path: Path) -> None:
    units = [(instance(number), noise(300_000, number)) for number in range(1, 41)]
    async with opened(tmp_path) as cache, cache.fills.join("k", serving(units)) as follower:
        await settled(cache)
        assert len(unit_files(tmp_path)) == 40
        assert await read_all(follower) == [data for _, data in units]


async def test_a_reader_may_take_ranges_and_pass_parts_over(tmp_path: Path) -> None:
    units = [(instance(number), noise(300_000, number)) for number in range(1, 4)]
    async with opened(tmp_path) as cache, cache.fills.join("k", serving(units)) as follower:
        ranges = []
        async for part in follower.parts():
            if part.key != instance(2):
                ranges.append(b"".join([chunk async for chunk in part.read(10, 200_010)]))
        assert len(ranges) >= 2
        assert ranges[0] == units[0][1][10:200_010]


async def test_a_finished_fill_leaves_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        fetch = serving([(instance(1), CONTENT), (None, CONTENT), (None, b""), (instance(2), b"")])
        async with cache.fills.join("k", fetch) as follower:
            await settled(cache)
            assert follower.state is State.FINISHED
            assert len(part_files(tmp_path)) == 1  # not a unit, but somebody may still read it
            assert await read_all(follower) == [CONTENT, CONTENT, b"", b""]
        await until(lambda: part_files(tmp_path) == [])
        assert len(unit_files(tmp_path)) == 1
        assert cache.room.parts == 0
        assert cache.readers.busy == frozenset()


async def test_a_part_that_is_held_already_is_handed_on_in_its_turn(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(2), CONTENT)

        async def fetch(fill: Fill) -> None:
            await fill.begin(200, HEAD)
            await fill.open_part(DICOM)
            await fill.write(b"one")
            await fill.close_part(instance(1))
            await fill.held(instance(2), len(CONTENT), DICOM)

        async with cache.fills.join("k", fetch) as follower:
            parts: list[FollowedPart] = []
            received = []
            async for part in follower.parts():
                parts.append(part)
                received.append(b"".join([chunk async for chunk in part.read()]))
            assert received == [b"one", CONTENT]
            assert (parts[1].length, parts[1].key) == (len(CONTENT), instance(2))
            assert (("a", STUDY)) in cache.readers.busy


async def test_a_held_part_that_is_lost_meanwhile_is_a_cut(tmp_path: Path) -> None:
    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        await fill.held(instance(2), 10, DICOM)

    async with opened(tmp_path) as cache:
        reader = Reader(cache, fetch)
        await reader.run()
        assert isinstance(reader.error, Cut)


async def test_a_part_that_comes_byte_by_byte_is_joined(tmp_path: Path) -> None:
    content = noise(3000)
    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", serving([(instance(1), content)], piece=1)) as follower:
            assert await read_all(follower) == [content]
        await settled(cache)
        assert await got(cache, instance(1)) == content


async def test_head_and_fields_are_what_the_writer_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, cache.fills.join("k", serving([(instance(1), b"one")])) as follower:
        head = await follower.head()
        assert (head.status, head.fields) == (200, HEAD)
        assert follower.stored
        async for part in follower.parts():
            assert part.fields == DICOM
            assert part.length == 3


async def test_whoever_asks_after_the_end_starts_anew_and_finds_the_unit(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        found: list[bytes | None] = []
        for _ in range(2):

            async def fetch(fill: Fill) -> None:
                found.append(await got(cache, instance(1)))
                await serving([(instance(1), b"one")])(fill)

            async with cache.fills.join("k", fetch) as follower:
                await read_all(follower)
            await settled(cache)
        assert found == [None, b"one"]


async def test_different_keys_are_fetched_apart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origins = [Origin(noise(1000, number)) for number in range(2)]
        readers = [Reader(cache, origin.fetch, str(number)) for number, origin in enumerate(origins)]
        for reader, origin in zip(readers, origins, strict=True):
            group.create_task(reader.run())
            origin.go_on()
        await until(lambda: all(reader.done for reader in readers))
        assert [reader.received for reader in readers] == [noise(1000, 0), noise(1000, 1)]


async def test_closing_the_cache_cuts_what_is_being_fetched(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        origin = Origin()
        reader = Reader(cache, origin.fetch)
        group.create_task(reader.run())
        origin.head.set()
        await until(lambda: origin.asked == 1)
        await cache.fills.close()
        await until(lambda: reader.done)
        assert isinstance(reader.error, Cut)
        assert origin.stopped


async def test_a_reader_who_stops_in_the_middle_of_a_part_disturbs_nobody(tmp_path: Path) -> None:
    async with (
        opened(tmp_path) as cache,
        cache.fills.join("k", serving([(instance(1), CONTENT)])) as follower,
    ):
        async for chunk in some(follower):
            assert chunk == CONTENT[: len(chunk)]
            break
        await settled(cache)


async def some(follower: Follower) -> AsyncIterator[bytes]:
    async for part in follower.parts():
        async for chunk in part.read():
            yield chunk


async def test_a_part_whose_key_no_unit_can_have_is_handed_on_and_not_kept(tmp_path: Path) -> None:
    odd = replace(instance(1), media="image/jp2\x1f1.2")
    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", serving([(odd, b"one"), (instance(2), b"two")])) as follower:
            assert await read_all(follower) == [b"one", b"two"]
        await settled(cache)
        assert await got(cache, odd) is None
        assert await got(cache, instance(2)) == b"two"
