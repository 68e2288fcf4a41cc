"""A request body on its way to an upstream: counted, and timed while we wait for the upstream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable

import httpx

SetDeadline = Callable[[float | None], None]


class Upload:
    """An async iterator over the body for the engine to pull from.

    `set_deadline` is told how many seconds the upstream has from now: `stall` to take each chunk,
    `answer` after the last one, None while the next chunk is awaited from the client, whose own limits
    hold then. `sent` is told the size of each piece. With `length` a body of another size is an error
    and never passes for whole.
    """

    def __init__(
        self,
        body: AsyncIterable[bytes],
        length: int | None,
        *,
        stall: float | None,
        answer: float | None,
        set_deadline: SetDeadline,
        sent: Callable[[int], object] = lambda size: None,
    ) -> None:
        self.failure: Exception | None = None  # why the body itself ended early
        self.ended = False
        self.size = 0
        self._source = aiter(body)
        self._length = length
        self._stall = stall
        self._answer = answer
        self._set_deadline = set_deadline
        self._sent = sent
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    def __aiter__(self) -> "Upload":
        return self

    async def __anext__(self) -> bytes:
        self._set_deadline(None)
        self._at_rest.clear()
        try:
            chunk = await self._next()
        except Exception as failure:
            self.failure = failure
            raise
        finally:
            self._at_rest.set()
        if chunk is None:
            self.ended = True
            self._set_deadline(self._answer)
            raise StopAsyncIteration
        self._set_deadline(self._stall)
        self._sent(len(chunk))
        return chunk

    async def at_rest(self) -> None:
        """Wait until nobody is inside the body's iterator: the engine pulls from a task of its own."""
        await self._at_rest.wait()
        if isinstance(self._source, AsyncGenerator):
            await self._source.aclose()

    async def _next(self) -> bytes | None:
        chunk = await anext(self._source, None)
        self.size += len(chunk or b"")
        if self._length is None:
            return chunk
        # The byte that makes it whole goes out only when it is known to be the last.
        while chunk and self.size == self._length and (beyond := await anext(self._source, None)) is not None:
            self.size += len(beyond)
        if self.size > self._length or (chunk is None and self.size < self._length):
            raise httpx.LocalProtocolError("The request body is not as long as its Content-Length says.")
        return chunk
