"""The content of a request as it arrives: bounded in size, and not slower than a minimum rate."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Scope

from edgerouter.errors import ContentTooLarge, RequestTimeout
from edgerouter.server.connection import ClientGone

MINIMUM_RATE = 1000  # bytes per second, averaged over WINDOW seconds of waiting for the client
WINDOW = 30.0


class RequestBody(AsyncIterator[bytes]):
    """The content in chunks, as the client sends it; nothing is asked for before the first `anext`.

    Raises ContentTooLarge beyond `max_body` bytes (before asking, if Content-Length says so),
    RequestTimeout below `minimum_rate` bytes per second, ClientGone when the client left. `consumed` is
    True when the end was seen, `size` the bytes received so far. Only the time spent waiting for the
    client counts: it is not to blame for a slow upstream."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        *,
        max_body: int,
        minimum_rate: float = MINIMUM_RATE,
        window: float = WINDOW,
    ) -> None:
        self.consumed = False
        self.size = 0
        self.length = next(
            (int(value) for name, value in scope["headers"] if name == b"content-length"), None
        )
        self._receive = receive
        self._max_body = max_body
        self._minimum = minimum_rate * window
        self._window = window
        self._waited = 0.0  # in the current window
        self._in_window = 0

    async def __anext__(self) -> bytes:
        if (self.length or 0) > self._max_body:
            raise self._too_large()
        while not self.consumed:
            message = await self._next_message()
            if message["type"] == "http.disconnect":
                raise ClientGone
            data: bytes = message.get("body", b"")
            self.consumed = not message.get("more_body", False)
            self.size += len(data)
            self._in_window += len(data)
            if self.size > self._max_body:
                raise self._too_large()
            if data:
                return data
        raise StopAsyncIteration

    async def _next_message(self) -> Message:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(self._window - self._waited):
                    message = await self._receive()
            except TimeoutError:
                self._end_window()
            else:
                self._waited += loop.time() - began
                return message

    def _end_window(self) -> None:
        if self._in_window < self._minimum:
            raise RequestTimeout("The request content arrives too slowly.", close=True)
        self._waited = 0.0
        self._in_window = 0

    def _too_large(self) -> ContentTooLarge:
        return ContentTooLarge(f"The request content is larger than {self._max_body} bytes.", close=True)
