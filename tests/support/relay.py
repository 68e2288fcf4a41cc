"""A byte-counting TCP relay between the router and an archive, which can also be a bad line.

It reads along (HTTP/1.1 with keep-alive) without changing a byte, so that a test can say from outside what
the router asked for and how much crossed the line. It lives in a thread of its own: tests that block, such
as those with dicomweb-client, use it like those that do not.

    with Relay(orthanc.url) as relay:
        before = relay.mark()
        ...
        assert [request.path for request in relay.since(before)] == [...]
        relay.spoil(Fault(cut_at=1000, how=Cut.RST), lambda request: "/frames/" in request.path, times=1)
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.support import http1
from tests.support.faults import Cut, CutOff, Exchange, Fault, Gate, Match, Spoiler

__all__ = ["Cut", "Exchange", "Fault", "Gate", "Relay"]

T = TypeVar("T")
_UNTOUCHED = Fault()
_LIMIT = 30.0  # seconds for anything asked of the relay's thread


class _Over(Exception):
    """The archive has closed an idle connection, or one whose end was the end of a body."""


class Relay:
    """Listens on a loopback port and passes everything on to `target` (an http URL)."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self.target = (address.hostname or "127.0.0.1", address.port or 80)
        self.port = 0
        self.requests: list[Exchange] = []
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self.loop = asyncio.new_event_loop()
        self._spoilers: list[Spoiler] = []
        self._legs: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self.loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.mend()
        self.refuse()
        self._call(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @property
    def url(self) -> str:
        """Its own address, in place of the target's."""
        return f"http://127.0.0.1:{self.port}"

    def mark(self) -> int:
        """A point in the log, for `since`."""
        return len(self.requests)

    def since(self, mark: int) -> list[Exchange]:
        """The requests that came after a mark, in order."""
        return self.requests[mark:]

    def quiet(self) -> None:
        """Block until no response is under way: then every `Exchange.whole` is final."""
        self._call(self._quiet())

    def spoil(self, fault: Fault, match: Match = lambda _: True, *, times: int | None = None) -> None:
        """Apply a fault to the next `times` responses (all, if None) of matching requests."""
        self._spoilers.append(Spoiler(fault, match, times))

    def hold(self, match: Match = lambda _: True, *, at: int = -1, times: int | None = None) -> Gate:
        """Hold matching responses before their head, or at a body offset, until the gate is opened."""
        gate = Gate()
        self.spoil(Fault(gate=gate, gate_at=at), match, times=times)
        return gate

    def mend(self) -> None:
        """Take all faults back and open all gates."""
        spoilers, self._spoilers = self._spoilers, []
        for spoiler in spoilers:
            if spoiler.fault.gate:
                spoiler.fault.gate.open()

    def refuse(self) -> None:
        """Refuse connections from now on and reset those that are open: the archive looks dead."""
        self._call(self._close())

    def accept(self) -> None:
        """Take connections (again), on the same port as before."""
        self._call(self._listen())

    def fault_for(self, exchange: Exchange) -> Fault:
        """The first fault that falls on a response."""
        return next((it.fault for it in self._spoilers if it.takes(exchange)), _UNTOUCHED)

    def count(self, change: int) -> None:
        """Keep count of the responses under way."""
        self._under_way += change
        if self._under_way:
            self._idle.clear()
        else:
            self._idle.set()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_LIMIT)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=http1.LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        legs = list(self._legs)
        for leg in legs:
            leg.cancel()
        await asyncio.gather(*legs, return_exceptions=True)

    async def _quiet(self) -> None:
        async with asyncio.timeout(_LIMIT):
            await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._legs.add(task)
        self.connections += 1
        try:
            archive = await asyncio.open_connection(*self.target, limit=http1.LIMIT)
        except OSError:
            _reset(writer)
        else:
            await _Leg(self, (reader, writer), archive).run()
        finally:
            self._legs.discard(task)


class _Leg:
    """One connection of the router, and the archive's that goes with it."""

    def __init__(
        self,
        relay: Relay,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        archive: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._relay = relay
        self._from_client, self._to_client = client
        self._from_archive, self._to_archive = archive
        self._number = relay.connections
        self._due: deque[Exchange] = deque()

    async def run(self) -> None:
        """Pass on in both directions until one side ends it, and end the other side the same way."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up())
                both.create_task(self._down())
        except* (_Over, http1.Broken):
            self._to_client.close()
            self._to_archive.close()
        except* (OSError, CutOff):
            self._end_hard()
        except* asyncio.CancelledError:
            self._end_hard()
        finally:
            self._relay.count(-len(self._due))

    def _end_hard(self) -> None:
        _reset(self._to_client)
        _reset(self._to_archive)

    async def _up(self) -> None:
        while head := await http1.read_head(self._from_client):
            method, target, _ = head.line.split(" ", 2)
            exchange = Exchange(method, target, head.fields, self._number)
            self._due.append(exchange)
            self._relay.count(1)
            self._relay.requests.append(exchange)
            await self._say_up(head.raw)
            async for piece in http1.request_body(head, self._from_client):
                exchange.body_up += len(piece.payload)
                await self._say_up(piece.framing or piece.payload)
        self._to_archive.write_eof()

    async def _down(self) -> None:
        while head := await http1.read_head(self._from_archive):
            if head.status < 200:
                await self._say(head.raw)
                continue
            if not self._due:
                raise http1.Broken("the archive answered what nobody asked")
            await self._answer(self._due[0], head)
            self._due.popleft()
            self._relay.count(-1)
        raise _Over

    async def _answer(self, exchange: Exchange, head: http1.MessageHead) -> None:
        fault = self._relay.fault_for(exchange)
        exchange.status, exchange.reply_fields = head.status, head.fields
        try:
            await fault.before_head()
            await self._say(head.raw)
            async for piece in http1.response_body(exchange.method, head, self._from_archive):
                if piece.framing:
                    await self._say(piece.framing)
                    continue
                for part in fault.pieces(exchange.body_down, piece.payload):
                    await fault.before(exchange.body_down, len(part))
                    exchange.body_down += len(part)
                    await self._say(part)
        except CutOff as cut:
            await self._cut(cut)
        exchange.whole = True
        if http1.ends_by_close(exchange.method, head):
            raise _Over

    async def _cut(self, cut: CutOff) -> None:
        if cut.how is Cut.FIN:
            raise _Over from cut
        if cut.how is Cut.STALL:
            await asyncio.Event().wait()
        raise cut

    async def _say_up(self, data: bytes) -> None:
        self._relay.bytes_up += len(data)
        self._to_archive.write(data)
        await self._to_archive.drain()

    async def _say(self, data: bytes) -> None:
        self._relay.bytes_down += len(data)
        self._to_client.write(data)
        await self._to_client.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST, whatever is still in the buffers."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
