"""Bodies that own what they read from: closing the body closes the upstream exchange behind it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack

from edgerouter.http.reply import Reply


class OwnedBody(AsyncIterator[bytes]):
    """A body and the exchange it comes from; `aclose` works even when nothing was read yet.

    An async generator that never started does not run its `finally`; a HEAD request or a client that left
    before the first byte would leak the upstream connection without this.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], stack: AsyncExitStack) -> None:
        self._chunks = chunks
        self._stack = stack

    def __aiter__(self) -> "OwnedBody":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except BaseException:
            # The end of the body, a fault, a cancellation: nothing more will be read.
            await self.aclose()
            raise

    async def aclose(self) -> None:
        try:
            await self._chunks.aclose()
        finally:
            await self._stack.aclose()


async def begun(reply: Reply) -> Reply:
    """The reply with its first bytes here: what fails before them can still be asked of another."""
    if not isinstance(reply.body, bytes):
        first = await anext(reply.body, b"")
        reply.body = _Begun(first, reply.body)
    return reply


class _Begun(AsyncIterator[bytes]):
    """A body whose first piece was read already."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._rest)

    async def aclose(self) -> None:
        close = getattr(self._rest, "aclose", None)
        if close is not None:
            await close()
