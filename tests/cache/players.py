"""An upstream that goes on when it is told to, and clients that follow what it sends."""

import asyncio

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fetch, Fill
from edgerouter.errors import RouterError
from tests.cache.support import DICOM, HEAD, MIB, instance, noise

CONTENT = noise(3 * MIB + 12345)
HALF = len(CONTENT) // 2 + 1


class Origin:
    """An upstream that goes on when it is told to, and counts who asks."""

    def __init__(
        self, content: bytes = CONTENT, *, length: int | None = None, error: Exception | None = None
    ) -> None:
        self.asked = 0
        self.sent = 0
        self.stopped = False
        self.head = asyncio.Event()
        self.half = asyncio.Event()
        self.rest = asyncio.Event()
        self._content = content
        self._length = length
        self._error = error

    async def fetch(self, fill: Fill) -> None:
        self.asked += 1
        try:
            await self._fetch(fill)
        except asyncio.CancelledError:
            self.stopped = True
            raise

    async def _fetch(self, fill: Fill) -> None:
        await self.head.wait()
        await fill.begin(200, HEAD)
        await fill.open_part(DICOM, self._length)
        await self.half.wait()
        await self._send(fill, self._content[:HALF])
        await self.rest.wait()
        if self._error is not None:
            raise self._error
        await self._send(fill, self._content[HALF:])
        await fill.close_part(instance(1))

    async def _send(self, fill: Fill, data: bytes) -> None:
        for start in range(0, len(data), 70_000):
            await fill.write(data[start : start + 70_000])
            self.sent += len(data[start : start + 70_000])

    def go_on(self) -> None:
        for event in (self.head, self.half, self.rest):
            event.set()


class Reader:
    """A client: reads a fill's parts into memory, and says what came of it."""

    def __init__(self, cache: Cache, fetch: Fetch, key: str = "k", *, finish_alone: bool = False) -> None:
        self.received = b""
        self.collapsed: bool | None = None
        self.error: RouterError | None = None
        self.joined = asyncio.Event()
        self.done = False
        self._join = cache.fills.join(key, fetch, finish_alone=finish_alone)

    async def run(self) -> None:
        try:
            async with self._join as follower:
                self.collapsed = follower.collapsed
                self.joined.set()
                async for part in follower.parts():
                    async for chunk in part.read():
                        self.received += chunk
        except RouterError as error:
            self.error = error
        self.done = True
