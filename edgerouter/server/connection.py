"""What the application may know of, and do to, the connection its request came on."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Scope

EXTENSION = "edgerouter"  # scope["extensions"][EXTENSION] is the Connection
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ClientGone(ClientDisconnect):
    """The client has left, or was cut off, before its answer was complete; nobody is there to be told."""


class Connection:
    """One request's hold on its connection.

    `disconnected` is True once the connection ended before the answer was complete, `aborted` when it was
    us who ended it; `delimited` when the answer has no other end than that of the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.disconnected = False
        self.aborted = False
        self.delimited = False
        self._transport = transport
        self._leashes: set[asyncio.Timeout] = set()

    def abort(self) -> None:
        """End the connection with RST, unsent bytes dropped: an answer under way is seen as cut (law 3)."""
        self.aborted = self.disconnected = True
        if not self._transport.is_closing():
            # A mere abort() says FIN, which is how a close-delimited answer ends when it is whole.
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def close_delimited(self) -> None:
        """Let the answer end with the connection: call before http.response.start (RFC 9112 §6.3, item 8)."""
        self.delimited = True

    def left(self) -> None:
        """The connection ended before the answer was complete; every block of `while_here` ends."""
        self.disconnected = True
        now = asyncio.get_running_loop().time()
        while self._leashes:
            self._leashes.pop().reschedule(now)

    @asynccontextmanager
    async def while_here(self) -> AsyncIterator[None]:
        """Run the block for as long as the client is here; raises ClientGone in its place when it leaves."""
        leash = asyncio.timeout(None)
        try:
            async with leash:
                if self.disconnected:
                    raise ClientGone
                self._leashes.add(leash)
                yield
        except TimeoutError:
            if leash.expired():
                raise ClientGone from None
            raise
        finally:
            self._leashes.discard(leash)


def connection_of(scope: Scope) -> Connection:
    """The connection a request came on; KeyError when another server than ours received it."""
    connection: Connection = scope["extensions"][EXTENSION]
    return connection
