"""Bodies of replies that wait, fail, and tell what became of them, and an app that answers with one."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Scope

from edgerouter.http.reply import Reply
from edgerouter.server import RequestBody
from edgerouter.server.sender import PIECE
from tests.support.apps import Replying
from tests.support.listening import listening
from tests.support.raw_client import RawClient, RawResponse

CHUNKS = (b"first", b"", b"x" * (PIECE + 1), b"last")
WHOLE = b"".join(CHUNKS)
FRAMINGS = {"length": {"length": len(WHOLE)}, "chunked": {}, "close": {"unproven": True}}


class Body(AsyncIterator[bytes]):
    """A body that tells whether it was closed; it may wait before a chunk, and fail at its end."""

    def __init__(
        self,
        *chunks: bytes,
        wait: asyncio.Event | None = None,
        failure: Exception | None = None,
        on_close: Exception | None = None,
    ) -> None:
        self.pulled = 0
        self.closed = asyncio.Event()
        self.waiting = asyncio.Event()
        self._chunks = iter(chunks)
        self._wait = wait
        self._failure = failure
        self._on_close = on_close

    async def __anext__(self) -> bytes:
        self.pulled += 1
        for chunk in self._chunks:
            return chunk
        if self._wait is not None:
            self.waiting.set()
            await self._wait.wait()
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed.set()
        if self._on_close is not None:
            raise self._on_close


def answering(reply: Reply, *, write_timeout: float = 5.0) -> Replying:
    async def answer(scope: Scope, body: RequestBody) -> Reply:
        return reply

    return Replying(answer, write_timeout=write_timeout)


async def answered(reply: Reply, *, method: str = "GET") -> tuple[RawResponse, Replying]:
    app = answering(reply)
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            response = await client.ask("/", method=method)
        await edge.quiet()
    return response, app
