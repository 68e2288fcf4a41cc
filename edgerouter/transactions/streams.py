"""Bodies that own what they read from: closing the body closes the upstream exchange behind it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack


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
