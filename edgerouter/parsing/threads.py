"""Threads of one owner: whatever waits for a disk, a database or a process does so there."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs jobs in at most `count` threads; with one, in the order they came."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The job's result, or what it raised. It runs to its end even if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: job(*args, **kwargs))

    async def aclose(self) -> None:
        """Wait for what has begun; take nothing more."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
