"""How much one upstream is asked at a time: a few slots, a bounded queue before them, and no lost wake-up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edgerouter.errors import Overloaded

MAX_QUEUE = 256


class Limiter:
    """`slots` requests at once; up to `queue` more wait, each at most `patience` seconds."""

    def __init__(self, name: str, slots: int, *, patience: float, queue: int = MAX_QUEUE) -> None:
        self._name = name
        self._slots = slots
        self._patience = patience
        self._queue = queue
        self._semaphore = asyncio.Semaphore(slots)
        self.busy = 0
        self.waiting = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one slot. Raises Overloaded when the queue is full or the wait too long."""
        if self.waiting >= self._queue and self._semaphore.locked():
            raise self._overloaded()
        await self._acquire()
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1
            self._semaphore.release()

    async def _acquire(self) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._semaphore.acquire()
        except TimeoutError:
            raise self._overloaded() from None
        finally:
            self.waiting -= 1

    def _overloaded(self) -> Overloaded:
        return Overloaded("The upstream has as many requests as it may take.", upstream=self._name)
