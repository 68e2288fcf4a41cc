"""The cache as a whole: purge, stats, restart, and what a killed process leaves."""

import asyncio
import logging
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edgerouter.cache
from edgerouter.cache.cache import Cache, _warn_of_sqlite
from edgerouter.cache.fill import Fill
from edgerouter.cache.folder import FolderError
from edgerouter.cache.unit import UnitKind
from tests.cache.players import CONTENT
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
    put_all,
    read_all,
    settled,
    unit_files,
)


async def test_purge_takes_a_study_an_upstream_or_everything(tmp_path: Path) -> None:
    keys = [instance(1, study=study, upstream=upstream) for study in ("1.1", "1.2") for upstream in "ab"]
    async with opened(tmp_path) as cache:

        async def left() -> list[tuple[str, str]]:
            return [(key.study, key.upstream) for key in keys if await got(cache, key) is not None]

        await put_all(cache, [(key, b"x") for key in keys])
        assert await cache.purge(study="1.1", upstream="a") == 1
        assert await left() == [("1.1", "b"), ("1.2", "a"), ("1.2", "b")]
        assert await cache.purge(upstream="b") == 2
        assert await left() == [("1.2", "a")]
        assert await cache.purge(study="1.2") == 1
        await put_all(cache, [(key, b"x") for key in keys])
        assert await cache.purge() == 4
        assert await left() == []
        assert unit_files(tmp_path) == []


async def test_a_purged_unit_is_read_to_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), CONTENT)
        async with cache.units.open(instance()) as unit:
            assert unit is not None
            await cache.purge(study=STUDY)
            assert b"".join([chunk async for chunk in unit.read()]) == CONTENT
        assert await got(cache, instance()) is None


async def test_what_was_on_its_way_when_it_was_purged_does_not_come_back(tmp_path: Path) -> None:
    begun, purged = asyncio.Event(), asyncio.Event()

    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        for number in range(1, 20):
            await fill.open_part(DICOM)
            await fill.write(noise(MIB, number))
            begun.set()
            await purged.wait()
            await fill.close_part(instance(number))

    async with opened(tmp_path) as cache:
        async with cache.fills.join("k", fetch) as follower:
            await begun.wait()
            await cache.purge(study=STUDY)
            purged.set()
            assert await read_all(follower) == [noise(MIB, number) for number in range(1, 20)]
        await settled(cache)
        assert unit_files(tmp_path) == []
        assert (await cache.stats()).units == 0


async def test_stats_tell_what_is_held_and_what_happened(tmp_path: Path) -> None:
    async with opened(tmp_path, size=64 * MIB) as cache:
        await put_all(cache, [(instance(number), noise(10_000, number)) for number in (1, 2)])
        await got(cache, instance(1))
        await got(cache, instance(9))
        stats = await cache.stats()
        assert (stats.size, stats.units, stats.studies, stats.filling) == (64 * MIB, 2, 1, 0)
        assert 20_000 < stats.bytes < 40_000
        assert not stats.paused
        assert stats.counts.hits[UnitKind.INSTANCE] == 1
        assert (stats.counts.misses, stats.counts.adopted, stats.counts.fills) == (1, 2, 1)


async def test_two_caches_do_not_share_a_directory(tmp_path: Path) -> None:
    async with opened(tmp_path), asyncio.TaskGroup() as group:
        with pytest.raises(FolderError, match="one process owns"):
            await Cache.open(tmp_path / "cache", size=MIB, min_free=0, start=group.create_task)


async def test_the_secret_is_the_directorys(tmp_path: Path) -> None:
    secrets = []
    for _ in range(2):
        async with opened(tmp_path) as cache:
            secrets.append(cache.secret)
    assert secrets[0] == secrets[1]
    assert len(secrets[0]) == 32


def test_an_old_sqlite_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _warn_of_sqlite((3, 51, 3))
        assert caplog.text == ""
        _warn_of_sqlite((3, 40, 1))
    assert "3.40.1" in caplog.text


async def test_opening_and_closing_leaves_no_file_open_and_no_task(tmp_path: Path) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"x")
    before, tasks = files(), len(asyncio.all_tasks())
    for _ in range(3):
        async with opened(tmp_path) as cache:
            assert await got(cache, instance()) == b"x"
    assert files() == before
    assert len(asyncio.all_tasks()) == tasks


def test_every_state_has_its_test() -> None:
    named = re.findall(r"`(test_\w+)`", edgerouter.cache.__doc__ or "")
    written = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert len(named) == 15
    assert [name for name in named if f"def {name}(" not in written] == []


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.cache.support import instance, noise, opened, put_all, serving, read_all

async def main():
    async with opened(Path(sys.argv[1])) as cache:
        number = int(sys.argv[2])
        print("go", flush=True)
        while True:
            units = [(instance(number + one), noise(150_000 + one, number + one)) for one in range(10)]
            async with cache.fills.join(number, serving(units)) as follower:
                await read_all(follower)
            number += 10

asyncio.run(main())
"""


@pytest.mark.parametrize("round_", range(4))
async def test_a_killed_process_leaves_nothing_wrong(tmp_path: Path, round_: int) -> None:
    chance = random.Random(round_)
    for start in (0, 100_000):
        writer = subprocess.Popen(  # noqa: ASYNC220 (it is waited for a line at a time)
            [sys.executable, "-c", WRITER, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "go\n"
        time.sleep(chance.uniform(0.05, 0.5))  # noqa: ASYNC251 (nothing else runs here)
        writer.kill()
        writer.wait()
        writer.stdout.close()
    await asyncio.sleep(0.2)  # file times are coarse: what is swept must be older than the start
    async with opened(tmp_path) as cache:
        assert part_files(tmp_path) == []
        await cache._sweep.run()
        held = await cache.catalog.held_members({"a"}, STUDY)
        assert held
        for (one,) in held.values():
            number = int(one.key.instance.rpartition(".")[2])
            assert await got(cache, one.key) == noise(150_000 + number % 10, number)
        assert cache.counts.damaged == 0
        assert len(unit_files(tmp_path)) == len(held)
