"""One request and its answer on the wire: uvicorn's cycle, with the endings that a proxy owes (law 3)."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgerouter.server.connection import Connection
from edgerouter.server.head import TOKEN, VALUE

_NAME = re.compile(TOKEN)
_VALUE = re.compile(VALUE)
_CLOSE = (b"connection", b"close")


class Ending(asyncio.Transport):
    """The transport as one cycle sees it: it can write, and what it calls close is the protocol's to do."""

    def __init__(self, transport: asyncio.Transport, finish: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._finish = finish

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._finish()


class Cycle(RequestResponseCycle):
    """Sends the answer to one request; `connection` is what the application gets hold of."""

    def __init__(self, *, connection: Connection, **rest: Any) -> None:
        self.connection = connection
        super().__init__(**rest)
        self.discarding = False  # the rest of the request's content is dropped as it arrives

    @property
    def disconnected(self) -> bool:
        return self.connection.disconnected

    @disconnected.setter
    def disconnected(self, ended: bool) -> None:
        self.connection.disconnected = ended

    async def send(self, message: Message) -> None:  # type: ignore[override]
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._fields(message)}
        elif self.connection.delimited:
            # uvicorn counts down a Content-Length here, and there is none.
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)  # type: ignore[arg-type]

    def _fields(self, message: Message) -> list[tuple[bytes, bytes]]:
        fields = [(name.lower(), value) for name, value in message.get("headers", ())]
        for name, value in fields:
            # Before anything is on the wire, so that it still becomes a 500 (RFC 9110 §5.5).
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError("a response field has an illegal name or value")
        if self.connection.delimited:
            self.chunked_encoding = False
            fields = [field for field in fields if field[0] not in (b"content-length", b"transfer-encoding")]
        if (self._drop_content() or self.connection.delimited) and _CLOSE not in fields:
            fields.append(_CLOSE)
        return fields

    def _drop_content(self) -> bool:
        """Stop waiting for the request's content once the answer begins; whether any was outstanding."""
        if not self.more_body and not self.body:
            return False
        self.discarding = True
        self.body.clear()
        self.flow.resume_reading()
        return True
