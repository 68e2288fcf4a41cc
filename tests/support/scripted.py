"""A byte-level scripted upstream: no HTTP library decides what is legal, the test does.

    def answer(request: Seen) -> Iterable[Step]:
        return [Reply(body=b"frame")]                  # several steps, then the next request

    async with ScriptedUpstream(answer) as upstream:   # handler mode: each request asks the handler
        ... upstream.url, upstream.requests, upstream.connections, upstream.wire

    script = [Request(), Send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf"), Reset()]
    async with ScriptedUpstream(script=[script, ...]) as upstream:   # one script per connection, in order

A handler is called when a request is here with its whole body; with `early=True` when its head is, and
then `Body()` reads the body (a generator may look at `request.body` after it). A handler may be a
generator: each step runs before the next is asked for. When its steps are done the connection waits
for the next request; a script that is done closes its connection (FIN).

Steps: Request, Head, Body (expect) · Send, Reply (say) · Wait (barrier) · Note (call a function) ·
Stall (silence until the end) · Reset (RST) · Close (FIN both ways).
Every `Reply` carries `X-Reply: n`, n counting all replies of this upstream; handlers may put
`request.number` (counting requests) into bodies, so that tests read coalescing and mix-ups off them.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType

from tests.support.steps import (
    Body,
    Close,
    Handler,
    Head,
    Note,
    Reply,
    Request,
    Reset,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
)

__all__ = [
    "Body",
    "Close",
    "Handler",
    "Head",
    "Note",
    "Reply",
    "Request",
    "Reset",
    "ScriptedUpstream",
    "Seen",
    "Send",
    "Stall",
    "Step",
    "Wait",
    "black_hole",
    "closed_port",
]


class ScriptedUpstream:
    """The listening side: an asyncio server on 127.0.0.1 port 0. See the module's docstring.

    `wire[n]` holds every byte connection n received (with keep=False only sizes are kept: for large
    bodies). Leaving the context ends all connections and raises what a handler raised.
    """

    def __init__(
        self,
        handler: Handler | None = None,
        *,
        script: Sequence[Sequence[Step]] = (),
        early: bool = False,
        keep: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.handler = handler
        self.early = early
        self.keep = keep
        self.requests: list[Seen] = []
        self.wire: list[bytearray] = []
        self.replies = 0
        self.port = 0
        self._scripts = iter(script)
        self._tls = tls
        self._tasks: set[asyncio.Task[object]] = set()
        self._failures: list[Exception] = []
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were ever accepted."""
        return len(self.wire)

    async def __aenter__(self) -> "ScriptedUpstream":
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 18)
        self._stack.callback(server.close)
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failures and kind is None:
            raise self._failures[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.wire.append(bytearray())
        connection = _Connection(self, reader, writer, len(self.wire) - 1)
        try:
            if self.handler is None:
                await connection.play(next(self._scripts, ()))
            else:
                await connection.converse(self.handler)
        except (ConnectionError, EOFError, _Ended, asyncio.CancelledError):
            pass  # the other side left, a step ended the connection, or the test is over
        except Exception as failure:
            self._failures.append(failure)
        finally:
            writer.close()


class _Ended(Exception):
    """A step closed the connection."""


class _Connection:
    def __init__(
        self,
        upstream: ScriptedUpstream,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self.upstream, self.reader, self.writer, self.number = upstream, reader, writer, number
        self.request: Seen | None = None
        if writer.get_extra_info("sslcontext") is None:  # uvloop's TLS never drains to nothing
            writer.transport.set_write_buffer_limits(0)  # what was said is with the system before a next step

    async def converse(self, handler: Handler) -> None:
        while True:
            request = await self.head()
            if not self.upstream.early:
                await self.body()
            await self.play(handler(request))
            await self.body()

    async def play(self, steps: Iterable[Step]) -> None:
        for step in steps:
            await self.do(step)

    async def do(self, step: Step) -> None:
        match step:
            case Head():
                await self.head()
            case Body():
                await self.body()
            case Request():
                await self.head()
                await self.body()
            case Send(data):
                await self.send(data)
            case Reply():
                await self.reply(step)
            case Wait(event):
                await event.wait()
            case Note(call):
                call()
            case Stall():
                await asyncio.Event().wait()
            case Reset():
                self.reset()
            case Close():
                raise _Ended

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, reply: Reply) -> None:
        self.upstream.replies += 1
        await self.send(reply.render(self.upstream.replies, self.request.method if self.request else ""))

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        raise _Ended

    async def head(self) -> Seen:
        raw = self._record(await self.reader.readuntil(b"\r\n\r\n"))
        lines = raw.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = lines[0].split(" ")
        pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        number = len(self.upstream.requests) + 1
        self.request = Seen(number, self.number, method, target, pairs)
        self.upstream.requests.append(self.request)
        return self.request

    async def body(self) -> None:
        request = self.request
        assert request is not None
        if request.whole:
            return
        if request.get("transfer-encoding") == "chunked":
            while size := int(self._record(await self.reader.readuntil(b"\n")), 16):
                await self._take(request, size)
                self._record(await self.reader.readexactly(2))
            self._record(await self.reader.readexactly(2))
        else:
            await self._take(request, int(request.get("content-length") or 0))
        request.whole = True

    async def _take(self, request: Seen, size: int) -> None:
        while size:
            data = self._record(await self.reader.read(min(size, 1 << 18)))
            if not data:
                raise EOFError
            size -= len(data)
            request.size += len(data)
            if self.upstream.keep:
                request.body += data

    def _record(self, data: bytes) -> bytes:
        if self.upstream.keep:
            self.upstream.wire[self.number] += data
        return data


@contextmanager
def black_hole() -> Iterator[int]:
    """A port on which a connect hangs: the listener's queue is full and nobody accepts."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def closed_port() -> int:
    """A port on which nobody listens (free a moment ago)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
