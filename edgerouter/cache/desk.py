"""The one thread on which every SQLite and diskcache call runs, in the order they were handed in.

What waits when the thread comes back is taken as one batch; if anything in it writes, the batch shares
one transaction, and nobody hears of a write before that is committed. So the busier, the fewer commits.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import diskcache

T = TypeVar("T")
# What a disk or a database may do to us; text that is none comes out of a damaged database.
FAILURES = (OSError, sqlite3.Error, diskcache.Timeout, UnicodeDecodeError)
_BATCH = 64
_log = logging.getLogger(__name__)


class _Job:
    __slots__ = ("error", "future", "result", "work", "writes")

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any] | None, writes: bool) -> None:
        self.work = work
        self.future = future
        self.writes = writes
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, noticed: Callable[[BaseException], None]) -> None:
        try:
            self.result = self.work()
        except Exception as error:
            self.error = error
            noticed(error)

    def deliver(self) -> None:
        if self.future is None:
            if self.error is not None:
                _log.warning("a write to the cache failed: %s", type(self.error).__name__)
        elif self.future.done():  # whoever asked has gone
            pass
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Desk:
    """Runs jobs on its own thread; belongs to the event loop it was made in."""

    def __init__(self) -> None:
        self.bracket: Callable[[], AbstractContextManager[None]] = nullcontext
        self.noticed: Callable[[BaseException], None] = lambda error: None
        self.is_closed = False
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="cache-desk", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """The result of `work(*args)`, which only reads."""
        return await self._submit(lambda: work(*args), writes=False)

    async def write(self, work: Callable[..., T], *args: Any) -> T:
        """The result of `work(*args)`, once it is committed; done even if the caller is cancelled.

        Raises what `work` raised, or one of FAILURES when the commit failed.
        """
        return await self._submit(lambda: work(*args), writes=True)

    def post(self, work: Callable[..., object], *args: Any) -> None:
        """Have a write done some time; a failure is for the log."""
        if not self.is_closed:
            self._jobs.put(_Job(lambda: work(*args), None, True))

    async def close(self, last: Callable[[], None]) -> None:
        """Finish what was handed in, then run `last`, then end the thread."""
        ended = self._submit(last, writes=False)
        self.is_closed = True
        try:
            await ended
        finally:
            self._jobs.put(None)

    def _submit(self, work: Callable[[], T], *, writes: bool) -> asyncio.Future[T]:
        if self.is_closed:
            raise OSError("The cache is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, future, writes))
        return future

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._carry_out(batch)
            try:
                self._loop.call_soon_threadsafe(_deliver, batch)
            except RuntimeError:  # the loop is closed: nobody is left to hear
                return
            del batch

    def _next(self) -> list[_Job] | None:
        job = self._jobs.get()
        batch: list[_Job] = []
        while job is not None:
            batch.append(job)
            if len(batch) == _BATCH or self._jobs.empty():
                return batch
            job = self._jobs.get()
        if batch:
            self._jobs.put(None)
        return batch or None

    def _carry_out(self, batch: list[_Job]) -> None:
        if not any(job.writes for job in batch):
            for job in batch:
                job.do(self.noticed)
            return
        begun = False
        try:
            with self.bracket():
                begun = True
                for job in batch:
                    job.do(self.noticed)
        except FAILURES as error:
            self.noticed(error)
            for job in batch:
                if job.writes:
                    job.error = job.error or error
                elif not begun:
                    job.do(self.noticed)


def _deliver(batch: list[_Job]) -> None:
    for job in batch:
        job.deliver()
