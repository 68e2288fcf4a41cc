"""One request on the engine: its deadlines, and every engine error under httpx's name for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx

from edgerouter.upstream.upload import Upload
from edgerouter.upstream.wire import Wire

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection


class TlsError(httpx.ConnectError):
    """The TLS handshake failed or the certificate is not trusted; nothing was sent."""


class NoAnswer(httpx.RemoteProtocolError):
    """The connection ended before the first byte of a response, with the whole request sent."""


class Request(aiohttp.ClientRequest):
    """The engine's request, which tells its exchange when it goes on the wire."""

    exchange: "Exchange"

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        self.exchange.begin(conn)
        return await super().send(conn)

    async def write_bytes(
        self, writer: "AbstractStreamWriter", conn: "Connection", content_length: int | None = None
    ) -> None:
        try:
            await super().write_bytes(writer, conn, content_length)
        except (aiohttp.ClientError, OSError):
            # Whoever reads the answer learns of it from the closed connection; nobody awaits this task.
            conn.close()


class Exchange:
    """What is under way between a request and its response head.

    `head` is the number of seconds from the end of the request to the end of the response head, `write`
    the number the upstream has to take each piece of a body; None is for ever.
    """

    def __init__(self, request: httpx.Request) -> None:
        timeout = request.extensions.get("timeout", {})
        self.head: float | None = timeout.get("head", timeout.get("read"))
        self.connect: float | None = timeout.get("connect")
        self.upload = self._upload(request, timeout.get("write"))
        self._wire: Wire | None = None
        self._deadline: asyncio.Timeout | None = None

    async def perform(
        self, session: aiohttp.ClientSession, method: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """The response as soon as its head is here. Raises httpx.TransportError, or what the body raised."""
        timeout = aiohttp.ClientTimeout(total=None, connect=self.connect)
        try:
            with self._translated():
                async with asyncio.timeout(None) as self._deadline:
                    return await session.request(
                        method,
                        data=self.upload,
                        timeout=timeout,
                        allow_redirects=False,
                        middlewares=(self._once,),
                        **options,
                    )
        except BaseException:
            await self.at_rest()
            raise
        finally:
            self._deadline = None

    async def at_rest(self) -> None:
        """Wait until the request's body is in nobody's hands; it was cancelled, so this is soon."""
        if self.upload:
            await self.upload.at_rest()

    def begin(self, connection: "Connection") -> None:
        """The connection is there: from here on bytes may have been sent."""
        assert isinstance(connection.protocol, Wire)
        self._wire = connection.protocol
        self._set_deadline(self.head)

    def _upload(self, request: httpx.Request, stall: float | None) -> Upload | None:
        length = request.headers.get("content-length")
        if length in (None, "0") and "transfer-encoding" not in request.headers:
            return None
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return Upload(
            request.stream,
            None if length is None else int(length),
            stall=stall,
            answer=self.head,
            set_deadline=self._set_deadline,
            sent=request.extensions.get("sent", lambda size: None),
        )

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None and not self._deadline.expired():
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(None if seconds is None else now + seconds)

    async def _once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Under another name the engine does not take an error for a reason to send the request again."""
        assert isinstance(request, Request)
        request.exchange = self
        with self._translated():
            return await handler(request)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError, ValueError) as error:
            named = self._named(error)
            if named is error:
                raise
            raise named from error

    def _named(self, error: Exception) -> Exception:
        if self._wire is None:
            return connect_error(error)
        if self.upload and self.upload.failure:
            return self.upload.failure
        writing = self.upload is not None and not self.upload.ended
        if isinstance(error, TimeoutError):
            return (httpx.WriteTimeout if writing else httpx.ReadTimeout)("The upstream was too slow.")
        if isinstance(error, aiohttp.ClientResponseError):
            return httpx.RemoteProtocolError("The response head is malformed.")
        if isinstance(error, ValueError):
            return httpx.LocalProtocolError("The request cannot be written as HTTP.")
        if writing:
            return httpx.WriteError("The connection ended while the request was being sent.")
        if self._wire.received:
            return httpx.ReadError("The connection ended inside the response head.")
        return NoAnswer("The connection ended before a response.")


def connect_error(error: Exception) -> Exception:
    """The httpx error for one from before the first byte of a request was sent."""
    if isinstance(error, TimeoutError):
        return httpx.ConnectTimeout("The connection was not there in time.")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return TlsError("The TLS handshake failed.")
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return httpx.ConnectError("The connection could not be made.")
    return httpx.LocalProtocolError("The request cannot be written as HTTP.")


class ResponseBody(httpx.AsyncByteStream):
    """The raw body of a response; `gap` is the number of seconds between two reads.

    Raises httpx.RemoteProtocolError, ReadError or ReadTimeout when it breaks off. Closing it before its
    end closes the connection.
    """

    def __init__(self, response: aiohttp.ClientResponse, exchange: Exchange, gap: float | None) -> None:
        self._response = response
        self._exchange = exchange
        self._gap = gap

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._read():
            yield chunk

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._gap):
                return await self._response.content.readany()
        except aiohttp.ClientPayloadError as error:
            raise httpx.RemoteProtocolError("The response is shorter than its framing says.") from error
        except TimeoutError as error:
            raise httpx.ReadTimeout("No byte came in time.") from error
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError is the engine's word for a connection that we closed ourselves.
            raise httpx.ReadError("The connection broke inside the response.") from error

    async def aclose(self) -> None:
        self._response.close()
        await self._exchange.at_rest()
