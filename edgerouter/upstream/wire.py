"""The engine's connections, hardened: a byte that nobody asked for never becomes an answer.

One stray response on an idle pooled connection would shift every later answer by one: another patient's
bytes. So a connection knows whether a request is under way on it, and before it is used again it must be
silent, unbroken and without a half-read message.
"""

import functools
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

from edgerouter.upstream.head import MAX_HEAD, MAX_INTERIM, BadHead, framing_of

if TYPE_CHECKING:
    import asyncio
    import ssl

    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.tracing import Trace

_IDLE, _INTERVAL, _PROBES = 30, 10, 3  # seconds, seconds, count: a vanished peer is noticed in a minute


class Wire(ResponseHandler):
    """One connection to an upstream and the response being read from it."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        super().__init__(loop)
        self.busy = False  # a request is under way
        self.received = 0  # bytes since that request
        self._interim = 0
        self._headed = False

    def set_response_params(self, **params: Any) -> None:
        self.busy, self.received, self._interim, self._headed = True, 0, 0, False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if data and not self.busy:
            self._drop()
            return
        self.received += len(data)
        super().data_received(data)
        if self.received > MAX_HEAD and not self._headed:
            self._refuse("too large a head")

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take one parsed head, if it can be believed; interim ones are only counted."""
        try:
            self._check(data[0])
        except BadHead as error:
            self._refuse(str(error))
        else:
            super().feed_data(data, size)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Take an error; that a request could not be written comes after what was answered before."""
        if isinstance(exc, OSError | aiohttp.ClientConnectionError):
            self._read_the_rest()
        super().set_exception(exc, *([exc_cause] if exc_cause else []))

    def close(self) -> None:
        """Close the connection, as after a write that failed."""
        self._read_the_rest()
        super().close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None:
            self._read_the_rest()
        payload = self._payload
        if exc is not None and payload is not None and not payload.is_eof():
            # The engine takes a reset for the end of a close-delimited body; it is a break.
            payload.set_exception(aiohttp.ClientOSError("The connection was reset."))
        super().connection_lost(exc)

    @property
    def reusable(self) -> bool:
        """Whether the next byte on it can only be of the next response."""
        transport = self.transport
        return not (transport is None or self.should_close or self._half_read() or has_news(transport))

    def _read_the_rest(self) -> None:
        """An upstream that answers early and hangs up resets the connection: its answer is in the system,
        but the engine stops reading at the first failed write. Under TLS it is lost."""
        if self._headed or not self.busy or self.transport is None:
            return
        sock = self.transport.get_extra_info("socket")
        if sock is None or self.transport.get_extra_info("sslcontext"):
            return
        with suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as readable:
            readable.setblocking(False)
            if data := readable.recv(MAX_HEAD):
                self.data_received(data)

    def _check(self, head: "RawResponseMessage") -> None:
        if 100 <= head.code < 200 and head.code != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise BadHead("too many interim responses")
            return
        self._headed = True
        # Here, because a response that is whole gives its connection back before anybody sees it.
        framing_of("HEAD" if self._skip_payload else "GET", head.version, head.code, head.raw_headers)

    def _half_read(self) -> bool:
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except Exception:
            return True

    def _refuse(self, why: str) -> None:
        self._headed = True
        self.set_exception(httpx.RemoteProtocolError(f"The upstream sent {why}."))
        self._drop()

    def _drop(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.abort()


def has_news(transport: "asyncio.Transport") -> bool:
    """Whether bytes, or an end, have come that the loop has not told of yet."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:  # uvloop's word for a transport that has just ended
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Connector(aiohttp.TCPConnector):
    """Connections without a limit of their own (`limiter` has it), reused only while `Wire.reusable`."""

    def __init__(
        self,
        *,
        tls: "ssl.SSLContext",
        resolver: AbstractResolver | None = None,
        force_close: bool = False,
    ) -> None:
        super().__init__(
            limit=0, ssl=tls, resolver=resolver, force_close=force_close, socket_factory=kept_alive
        )
        self._factory = functools.partial(_wire, loop=self._loop)

    async def _get(self, key: "ConnectionKey", traces: "list[Trace]") -> "Connection | None":
        while (connection := await super()._get(key, traces)) is not None:
            wire = connection.protocol
            if isinstance(wire, Wire) and wire.reusable:
                return connection
            connection.close()
        return None

    def _release(
        self, key: "ConnectionKey", protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, Wire):
            protocol.busy = False


def _wire(loop: "asyncio.AbstractEventLoop") -> ResponseHandler:
    return Wire(loop)


def kept_alive(address: Sequence[Any]) -> socket.socket:
    """A socket for an address as getaddrinfo gives it, with TCP keep-alive (F23)."""
    sock = socket.socket(*address[:3])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", _IDLE), ("TCP_KEEPINTVL", _INTERVAL), ("TCP_KEEPCNT", _PROBES)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return sock
