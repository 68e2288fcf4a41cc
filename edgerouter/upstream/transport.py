"""httpx's engine for upstreams: an aiohttp session that does exactly what a request says and nothing more.

Nothing is added to a request, followed, decoded, remembered or sent twice; URLs go out encoded as they
were built; a response whose framing could be understood in two ways is refused (law 9, faults F1-F27).
"""

import ssl
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from yarl import URL

from edgerouter.upstream.exchange import Exchange, NoAnswer, Request, ResponseBody, TlsError
from edgerouter.upstream.head import MAX_FIELD, MAX_FIELDS, framing_of
from edgerouter.upstream.resolver import PatientResolver
from edgerouter.upstream.tls import client_context
from edgerouter.upstream.wire import Connector

__all__ = ["AiohttpTransport", "NoAnswer", "TlsError"]

_READ_BUFFER = 256 * 1024  # bytes; a paused response holds at most about three times as much
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# Only these may be sent again when a kept connection turns out to have ended; others get a new one.
_REPEATABLE = ("GET", "HEAD")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One upstream's connections.

    Timeouts come with the request as httpx has them (`extensions["timeout"]`), and `head`: seconds from
    the end of the request to the end of the response head. `extensions["framing"]` of a response is a
    seam.Framing, `extensions["length"]` its Content-Length or None; `extensions["sent"]` of a request is
    called with the size of each piece of its body. httpx.ConnectError (TlsError is one) and
    httpx.ConnectTimeout mean that nothing was sent; no other error does.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._tls = tls or client_context()
        self._resolver = resolver
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response when its head is here; its stream must be closed."""
        exchange = Exchange(request)
        response = await exchange.perform(
            self._session(request.method),
            request.method,
            url=URL(str(request.url), encoded=True),
            headers=_fields(request),
        )
        gap = request.extensions.get("timeout", {}).get("read")
        return _response(request.method, response, ResponseBody(response, exchange, gap))

    async def aclose(self) -> None:
        """Close every connection, those in use too."""
        sessions, self._sessions = self._sessions, None
        for session in sessions or ():
            await session.close()

    @property
    def idle(self) -> int:
        """Connections kept for a next request."""
        return sum(map(len, self._kept()._conns.values()))

    @property
    def busy(self) -> int:
        """Connections under a request."""
        return len(self._kept()._acquired)

    def _kept(self) -> aiohttp.BaseConnector:
        connector = self._session("GET").connector
        assert connector is not None
        return connector

    def _session(self, method: str) -> aiohttp.ClientSession:
        if self._sessions is None:
            resolver = self._resolver or PatientResolver()
            self._sessions = (
                _session(Connector(tls=self._tls, resolver=resolver)),
                _session(Connector(tls=self._tls, resolver=resolver, force_close=True)),
            )
        kept, fresh = self._sessions
        return kept if method in _REPEATABLE else fresh


def _session(connector: Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        request_class=Request,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC,
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=MAX_FIELD,
        max_field_size=MAX_FIELD,
        max_headers=MAX_FIELDS,
    )


def _fields(request: httpx.Request) -> list[tuple[str, str]]:
    try:
        pairs = [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]
    except UnicodeDecodeError:
        # The engine would send other bytes than these.
        raise httpx.LocalProtocolError("A request field is not ASCII.") from None
    return [(name, value) for name, value in pairs if name.lower() != "transfer-encoding"]


def _response(method: str, response: aiohttp.ClientResponse, body: ResponseBody) -> httpx.Response:
    version = response.version or aiohttp.HttpVersion10
    raw = list(response.raw_headers)
    framing, length = framing_of(method, version, response.status, raw)
    return httpx.Response(
        response.status,
        headers=raw,
        stream=body,
        extensions={
            "http_version": b"HTTP/%d.%d" % version,
            "reason_phrase": (response.reason or "").encode("latin-1", "replace"),
            "framing": framing,
            "length": length,
        },
    )
