"""Writes a Reply onto the wire: framed by what is known of its length, watched, timed, never cut unseen."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from starlette.types import Scope, Send

from edgerouter.errors import RouterError
from edgerouter.http.fields import HOP_BY_HOP
from edgerouter.http.reply import Reply
from edgerouter.server.connection import ClientGone, connection_of

PIECE = 128 * 1024  # bytes given to one write, so that its time limit means the same for every body
_OURS = (*HOP_BY_HOP, "content-length", "date", "server")

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How an answer ended; the words are metric labels."""

    COMPLETE = "complete"
    CUT = "cut"  # by us, after a fault: the client sees that it is cut
    CLIENT_GONE = "client_gone"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a Reply: `bytes` of its body were written, the first after `ttfb` seconds."""

    status: int
    bytes: int
    outcome: Outcome
    ttfb: float | None


class _Miscounted(Exception):
    """The body is not as long as the Reply said."""


async def send_reply(reply: Reply, scope: Scope, send: Send, *, write_timeout: float = 60.0) -> Sent:
    """Send a reply to the client of an http scope received by our protocol; its body is always closed.

    What goes wrong before the first byte is raised, for the caller can still answer. Afterwards nothing is
    raised but CancelledError: the connection is reset, and the outcome says so."""
    writer = _Writer(reply, scope, send, write_timeout)
    async with _closing(reply.body):
        await writer.start()
        outcome = await writer.run()
    return Sent(reply.status, writer.bytes, outcome, writer.ttfb)


class _Writer:
    def __init__(self, reply: Reply, scope: Scope, send: Send, write_timeout: float) -> None:
        self.bytes = 0
        self.ttfb: float | None = None
        self._began = time.monotonic()
        self._reply = reply
        self._bodiless = scope["method"] == "HEAD" or reply.status in (204, 304)
        self._length = content_length(reply, bodiless=self._bodiless)
        self._connection = connection_of(scope)
        self._send = send
        self._write_timeout = write_timeout

    async def start(self) -> None:
        """Send the head at once: a viewer that has it knows that something is coming."""
        fields = self._reply.fields.without(*_OURS)
        if self._length is not None:
            fields = fields.add("content-length", str(self._length))
        elif self._reply.unproven and not self._bodiless:
            self._connection.close_delimited()
        if self._reply.close:
            fields = fields.add("connection", "close")
        await self._send(
            {"type": "http.response.start", "status": self._reply.status, "headers": fields.raw()}
        )

    async def run(self) -> Outcome:
        try:
            async with self._connection.while_here():
                if not self._bodiless:
                    await self._content()
                await self._in_time({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientGone:
            return Outcome.CLIENT_GONE
        except asyncio.CancelledError:
            self._connection.abort()
            raise
        except Exception as error:
            if self._connection.disconnected:
                return Outcome.CLIENT_GONE
            self._connection.abort()
            logger.warning("an answer was cut after %d bytes: %s", self.bytes, _reason(error))
            return Outcome.CUT
        return Outcome.COMPLETE

    async def _content(self) -> None:
        if isinstance(self._reply.body, bytes):
            await self._write(self._reply.body)
            return
        async for chunk in self._reply.body:
            await self._write(chunk)
        if self._length is not None and self.bytes < self._length:
            raise _Miscounted("shorter than its length")

    async def _write(self, chunk: bytes) -> None:
        if self._length is not None and self.bytes + len(chunk) > self._length:
            raise _Miscounted("longer than its length")
        view = memoryview(chunk)
        for at in range(0, len(chunk), PIECE):
            piece = view[at : at + PIECE]
            await self._in_time({"type": "http.response.body", "body": piece, "more_body": True})
            self.bytes += len(piece)
            if self.ttfb is None:
                self.ttfb = time.monotonic() - self._began
            # A body that never waits would starve everybody else, the news of a disconnect included.
            await asyncio.sleep(0)

    async def _in_time(self, message: dict[str, object]) -> None:
        async with asyncio.timeout(self._write_timeout):
            await self._send(message)


def content_length(reply: Reply, *, bodiless: bool) -> int | None:
    """The Content-Length of a reply, None when it has none (RFC 9110 §8.6).

    Raises ValueError when a whole body contradicts the length given with it."""
    if reply.status in (204, 304):
        return None
    if not isinstance(reply.body, bytes) or (bodiless and not reply.body):
        return reply.length
    if reply.length not in (None, len(reply.body)):
        raise ValueError("the reply's length is not that of its body")
    return len(reply.body)


@asynccontextmanager
async def _closing(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Close the body in the end; what goes wrong then concerns the upstream, the answer is already made."""
    try:
        yield
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception as error:
                logger.warning("closing the body of an answer failed: %s", _reason(error))


def _reason(error: Exception) -> str:
    """What may be logged of an error: a RouterError's detail is meant to be read, others may hold data."""
    kind = type(error).__name__
    return f"{kind}: {error.detail}" if isinstance(error, RouterError) else kind
