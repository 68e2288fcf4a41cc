"""uvicorn's httptools protocol behind a guard (law 8): one request at a time, each head checked first.

httptools keeps a head of any size before the application runs, takes requests without Host, and goes on
parsing after an upgrade. So bytes are held here until a head is whole, checked against a strict grammar,
and only then parsed; where a message ends is found here as well, and both must agree.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from edgerouter.server.connection import EXTENSION, Connection
from edgerouter.server.content import Chunked, Content, Sized
from edgerouter.server.cycle import Cycle, Ending
from edgerouter.server.gate import Gate
from edgerouter.server.head import Head, Refusal, check_part, read_head

LINGER = 2.0  # seconds a refused client has to read why, while we discard what it still sends
_HEAD_END = b"\r\n\r\n"


def guarded(gate: Gate) -> type[asyncio.Protocol]:
    """What uvicorn takes as its `http` protocol, bound to one gate."""
    bound: Any = partial(GuardedProtocol, gate)
    return bound  # type: ignore[no-any-return]


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Its states: a head is awaited, a request is answered, the end is lingered out."""

    cycle: Cycle

    def __init__(
        self,
        gate: Gate,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gate = gate
        self.limits = gate.limits
        self._timer: asyncio.TimerHandle | None = None  # head, idle or linger: never two at a time
        self._surplus = bytearray()  # received, and not yet part of a request
        self._scanned = 0  # how much of it was searched for the end of a head
        self._head: Head
        self._content: Content | None = None  # of the current request, while it arrives
        self._parsed_head = self._parsed_all = False  # how far httptools is in the current request
        self._lingering = False

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        try:
            self.gate.admit(len(self.connections))
        except Refusal as refusal:
            if self.gate.flooded(len(self.connections)):
                self.gate.refused(refusal.reason)
                self.transport.abort()
            else:
                self._refuse(refusal)
        else:
            self.gate.rests(self)
            self._arm(self.limits.head_timeout, self._close)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        try:
            if self._content is not None:
                data = self._take(self._content, data)
            self._surplus += data
            self._advance()
        except Refusal as refusal:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.gate.wakes(self)
        if self._busy():
            self.cycle.connection.left()
        super().connection_lost(exc)

    # --- from bytes to requests

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _advance(self) -> None:
        """Begin the next request, if the last one is answered and the next one's head is here."""
        if self._busy():
            if len(self._surplus) > self.limits.max_head:
                self.flow.pause_reading()
            return
        if not self._surplus or self._surplus == b"\r\n":  # RFC 9112 §2.2: an empty line is no request
            return
        if self.gate.wakes(self):
            self._arm(self.limits.head_timeout, self._head_is_late)
        end = self._surplus.find(_HEAD_END, max(0, self._scanned - 3), self.limits.max_head + 4)
        if end < 0:
            check_part(self._surplus, self._scanned, self.limits)
            self._scanned = len(self._surplus)
            return
        head = read_head(bytes(self._surplus[:end]), self.limits)
        rest = bytes(self._surplus[end + 4 :])
        self._surplus.clear()
        self._scanned = 0
        self._begin(head, rest)

    def _begin(self, head: Head, rest: bytes) -> None:
        """Hand the request to the application, if what is here of its content is sound."""
        self._disarm()
        self._head = head
        self._parsed_head = self._parsed_all = False
        self._feed(head.plain())
        content = Chunked() if head.length is None else Sized(head.length)
        self._surplus += self._take(content, rest)
        self._start_asgi_task(self.cycle, self.app)
        self._advance()

    def _take(self, content: Content, data: bytes) -> bytes:
        """Parse what of these bytes is the current request's content; what is left lies behind it."""
        size = content.take(data)
        if size:
            self._feed(data[:size])
        if not self._parsed_head or content.done is not self._parsed_all:
            raise Refusal(400, "framing", "It is in doubt where the request ends.")
        self._content = None if content.done else content
        return data[size:]

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Refusal(400, "framing", "The request is malformed.") from error

    # --- httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._parsed_head:  # else a trailer field: dropped, RFC 9110 §6.5.1
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._parsed_head = True
        target = self._head.target
        path, _, query = target.partition(b"?")
        connection = Connection(self.transport)
        scope = cast(Scope, self.scope)
        scope["method"] = self._head.method.decode("ascii")
        scope["path"] = unquote(path.decode("ascii"))
        scope["raw_path"] = path
        scope["query_string"] = query
        scope["extensions"] = {EXTENSION: connection}
        scope["edgerouter.raw_target"] = target.decode("ascii")
        self.cycle = Cycle(
            connection=connection,
            scope=self.scope,
            transport=Ending(self.transport, self._finish),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        if not self.cycle.discarding:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._parsed_all = True
        super().on_message_complete()

    # --- the end of an answer, of a connection

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._lingering or self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.gate.rests(self)
        self._arm(self.limits.keep_alive, self._close)
        try:
            self._advance()
        except Refusal as refusal:
            self._refuse(refusal)

    def evict(self) -> None:
        """Give the place of this idle connection to another."""
        self._close()

    def _finish(self) -> None:
        """The cycle's last word on this connection; an answer that is not whole must not seem so."""
        if not self.cycle.response_complete:
            self.cycle.connection.abort()
        elif self._content is not None or self._surplus:
            self._linger()
        else:
            self._close()

    def _refuse(self, refusal: Refusal) -> None:
        self.gate.refused(refusal.reason)
        if self._busy():
            self.cycle.connection.left()
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.cycle.connection.abort()
                return
        bare = self._surplus.startswith(b"HEAD ")
        self.transport.write(refusal.response(self.server_state.default_headers, bare=bare))
        self._linger()

    def _head_is_late(self) -> None:
        self._refuse(Refusal(408, "head-timeout", "The request head did not arrive in time."))

    def _linger(self) -> None:
        """Say FIN, and discard what still arrives: closing over unread bytes is an RST that loses it."""
        self._lingering = True
        self._surplus.clear()
        self.gate.wakes(self)
        self._arm(LINGER, self.transport.abort)
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()

    def _close(self) -> None:
        """Close once everything is written, or when a client that does not read has had its time."""
        self.gate.wakes(self)
        self._arm(self.limits.write_timeout, self.transport.abort)
        self.transport.close()

    def _arm(self, seconds: float, call: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, call)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
