"""However much is held, the cache answers at once: what goes through everything does so behind them."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from edgerouter.cache import sweep
from edgerouter.cache.cache import Cache
from edgerouter.cache.shelf import DiskRow
from tests.cache.support import got
from tests.soak.large import UPSTREAM, file, key, make

ROWS = 3000


class Starting:
    """Starts tasks; the sweep of the cache waits until it is let go."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.go = asyncio.Event()
        self._group = group

    def __call__(self, coro: Coroutine[Any, Any, None], *, name: str) -> object:
        return self._group.create_task(self._held(coro) if name == "cache sweep" else coro, name=name)

    async def _held(self, coro: Coroutine[Any, Any, None]) -> None:
        await self.go.wait()
        await coro


async def test_a_full_cache_answers_before_it_is_swept(tmp_path: Path) -> None:
    await asyncio.to_thread(make, tmp_path / "cache", ROWS)
    async with asyncio.TaskGroup() as group:
        start = Starting(group)
        cache = await Cache.open(tmp_path / "cache", size=1 << 40, min_free=0, start=start)
        try:
            assert await got(cache, key(1000)) == file(1000)
            assert len(await cache.catalog.held_members({UPSTREAM}, key(0).study)) == 200
            stats = await cache.stats()
            assert (stats.units, stats.studies) == (ROWS, ROWS // 200)
        finally:
            start.go.set()
            await cache.close()


async def test_answers_come_between_the_slices_of_a_sweep(tmp_path: Path) -> None:
    await asyncio.to_thread(make, tmp_path / "cache", ROWS)
    async with asyncio.TaskGroup() as group:
        start = Starting(group)
        cache = await Cache.open(tmp_path / "cache", size=1 << 40, min_free=0, start=start)
        slices: list[int] = []
        rows = cache._shelf.rows

        def noted(after: int, limit: int) -> list[DiskRow]:
            slices.append(limit)
            return rows(after, limit)

        cache._shelf.rows = noted  # type: ignore[method-assign]
        try:
            start.go.set()
            while not slices:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            assert await got(cache, key(1000)) == file(1000)
            assert len(slices) < ROWS // sweep._HANDFUL, "the answer waited for the whole sweep"
            assert max(slices) <= sweep._HANDFUL
        finally:
            await cache.close()
