"""Reading files without ever making the event loop wait for a disk.

What is in the page cache is read in the loop (RWF_NOWAIT: 10 µs for a piece); what is not, or where the
file system cannot say, is read in a small pool of threads.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edgerouter.cache.disk import File

T = TypeVar("T")
PIECE = 256 * 1024
_CANNOT_SAY = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class Reading:
    """Reads pieces of open files for one event loop."""

    def __init__(self, threads: int = 4, nowait: int | None = _NOWAIT) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="cache-io")
        self._nowait = nowait
        self._closed = False
        self._scratch = memoryview(bytearray(PIECE))

    async def piece(self, file: File, start: int, stop: int) -> bytes:
        """Up to PIECE bytes from `start`, at least one, none beyond `stop`. Raises OSError."""
        wanted = min(stop - start, PIECE)
        data = self._hot(file, start, wanted)
        if data is None:
            data = await self.apart(_pread, file, wanted, start)
        if not data:
            raise OSError("A file of the cache ends before its length.")
        return data

    async def apart(self, work: Callable[..., T], *args: object) -> T:
        """The result of `work(*args)`, which may block, from a thread of the pool."""
        return await self.hand(work, *args)

    def hand(self, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """The same, as a future, for those who must not be cancelled with whoever waits."""
        if self._closed:
            raise OSError("The cache is closed.")
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def soon(self, work: Callable[..., object], *args: object) -> None:
        """Have `work(*args)` done by a thread of the pool; nobody waits for it."""
        if not self._closed:
            self._pool.submit(work, *args)

    def close(self) -> None:
        """Finish what was handed in and end the threads; blocks for as long as that takes."""
        self._closed = True
        self._pool.shutdown()

    def _hot(self, file: File, start: int, wanted: int) -> bytes | None:
        if self._nowait is None:
            return None
        try:
            count = os.preadv(file.fd, [self._scratch[:wanted]], start, self._nowait)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _CANNOT_SAY:
                raise
            self._nowait = None
            return None
        return bytes(self._scratch[:count])


def _pread(file: File, count: int, start: int) -> bytes:
    return os.pread(file.fd, count, start)
