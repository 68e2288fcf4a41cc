"""Passing: what may not or cannot be kept reaches its readers all the same, through a bounded window."""

import asyncio
from pathlib import Path

import pytest

from edgerouter.cache.fill import Fill, State
from edgerouter.cache.fills import HIT_FOR_MISS
from edgerouter.cache.window import WINDOW
from edgerouter.errors import Cut
from tests.cache.players import CONTENT, Origin, Reader
from tests.cache.support import (
    DICOM,
    HEAD,
    got,
    instance,
    noise,
    opened,
    part_files,
    read_all,
    serving,
    settled,
    unit_files,
    until,
)

BIG = noise(4 * WINDOW)


class Pacer:
    """A fetch of one large part that may not be kept from a certain byte on; knows how far it got."""

    def __init__(self, refuse_at: int = 0, content: bytes = BIG) -> None:
        self.sent = 0
        self.asked = 0
        self.fills: list[Fill] = []
        self._refuse_at = refuse_at
        self._content = content

    async def fetch(self, fill: Fill) -> None:
        self.asked += 1
        self.fills.append(fill)
        await fill.begin(200, HEAD)
        await fill.open_part(DICOM)
        for start in range(0, len(self._content), 65536):
            if start >= self._refuse_at:
                fill.keep(False)
            await fill.write(self._content[start : start + 65536])
            self.sent = start + 65536
        await fill.close_part(instance(1))


async def test_a_passing_fill_is_paced_by_its_slowest_reader(tmp_path: Path) -> None:
    pacer = Pacer()
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        quick = Reader(cache, pacer.fetch)
        group.create_task(quick.run())
        async with cache.fills.join("k", pacer.fetch) as slow:
            received = b""
            async for part in slow.parts():
                async for chunk in part.read():
                    received += chunk
                    for _ in range(50):
                        await asyncio.sleep(0)
                    memory = pacer.fills[0].parts[0].in_memory
                    assert memory <= WINDOW + 2 * 65536
                    assert pacer.sent - len(received) <= WINDOW + 2 * 65536
            assert received == BIG
        await until(lambda: quick.done)
        assert quick.received == BIG
        assert pacer.asked == 1
        assert unit_files(tmp_path) == part_files(tmp_path) == []


async def test_a_fill_whose_slowest_reader_leaves_goes_on(tmp_path: Path) -> None:
    pacer = Pacer()
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        async with cache.fills.join("k", pacer.fetch):
            quick = Reader(cache, pacer.fetch)
            group.create_task(quick.run())
            await until(lambda: len(quick.received) > WINDOW)
            assert not quick.done
        await until(lambda: quick.done)
        assert quick.received == BIG


async def test_readers_who_came_before_get_all_of_what_is_refused_later(tmp_path: Path) -> None:
    pacer = Pacer(refuse_at=2 * WINDOW)
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        async with cache.fills.join("k", pacer.fetch) as behind:
            reader = Reader(cache, pacer.fetch)
            group.create_task(reader.run())
            await until(lambda: behind.state is State.PASSING)
            assert not behind.stored
            assert await read_all(behind) == [BIG]
        await until(lambda: reader.done)
        assert reader.received == BIG
        await settled(cache)
        assert await got(cache, instance(1)) is None
        await until(lambda: part_files(tmp_path) == [])
        assert cache.room.parts == 0


async def test_parts_kept_before_the_refusal_stay_kept(tmp_path: Path) -> None:
    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        for number in range(1, 4):
            await fill.open_part(DICOM)
            await fill.write(noise(200_000, number))
            fill.keep(number < 2)
            await fill.close_part(instance(number))

    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", fetch) as follower:
            assert await read_all(follower) == [noise(200_000, number) for number in range(1, 4)]
        await settled(cache)
        assert await got(cache, instance(1)) == noise(200_000, 1)
        assert await got(cache, instance(2)) is None
        assert await got(cache, instance(3)) is None


async def test_nobody_joins_a_passing_fill_and_its_key_is_not_shared_for_a_minute(tmp_path: Path) -> None:
    pacer = Pacer(content=BIG[: 2 * WINDOW])
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        now = cache.fills._clock()
        cache.fills._clock = lambda: now
        async with cache.fills.join("k", pacer.fetch) as first:
            await until(lambda: first.state is State.PASSING)
            others = [Reader(cache, pacer.fetch) for _ in range(3)]
            for other in others:
                group.create_task(other.run())
            await until(lambda: all(other.done for other in others))
            assert pacer.asked == 4
            assert [other.collapsed for other in others] == [False] * 3
        now += HIT_FOR_MISS + 1
        async with cache.fills.join("k", serving([(instance(1), b"kept")])) as later:
            assert await read_all(later) == [b"kept"]
        await settled(cache)
        assert await got(cache, instance(1)) == b"kept"


async def test_the_memory_of_refused_keys_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.cache.fills._REFUSALS", 2)
    async with opened(tmp_path) as cache:
        for number in range(5):
            async with cache.fills.join(number, Pacer(content=b"x").fetch) as follower:
                assert await read_all(follower) == [b"x"]
        assert list(cache.fills._refusals) == [3, 4]


async def test_readers_who_wait_for_the_head_share_even_what_may_not_be_kept(tmp_path: Path) -> None:
    origin = Origin()

    async def fetch(fill: Fill) -> None:
        fill.keep(False)
        await origin.fetch(fill)

    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        readers = [Reader(cache, fetch) for _ in range(20)]
        for reader in readers:
            group.create_task(reader.run())
        for reader in readers:
            await reader.joined.wait()
        origin.go_on()
        await until(lambda: all(reader.done for reader in readers))
        assert all(reader.received == CONTENT for reader in readers)
        assert origin.asked == 1


async def test_a_passing_fill_that_breaks_is_cut(tmp_path: Path) -> None:
    origin = Origin(error=Cut("broke off"))

    async def fetch(fill: Fill) -> None:
        fill.keep(False)
        await origin.fetch(fill)

    async with opened(tmp_path) as cache:
        reader = Reader(cache, fetch)
        origin.go_on()
        await reader.run()
        assert isinstance(reader.error, Cut)
        assert reader.received == CONTENT[: len(reader.received)] != b""


async def test_a_passing_fill_without_readers_is_given_up(tmp_path: Path) -> None:
    pacer = Pacer()
    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", pacer.fetch, finish_alone=True) as follower:
            await until(lambda: follower.state is State.PASSING)
        await settled(cache)
        assert pacer.sent < len(BIG)


async def test_a_fill_that_goes_on_alone_is_given_up_when_it_cannot_be_kept(tmp_path: Path) -> None:
    pacer = Pacer(refuse_at=WINDOW)
    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", pacer.fetch, finish_alone=True) as follower:
            await follower.head()
        await settled(cache)
        assert pacer.sent < len(BIG)
