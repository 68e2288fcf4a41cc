"""What a relay records of a request and its answer, and the ways it can spoil the answer."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

_SLICE = 16384  # bytes forwarded at a time on a slow line


@dataclass(slots=True)
class Exchange:
    """One request that passed, and what came back so far."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    connection: int
    body_up: int = 0
    status: int = 0
    reply_fields: tuple[tuple[str, str], ...] = ()
    body_down: int = 0
    whole: bool = False  # the response ended as its framing says

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query, encoded, without "?"."""
        return self.target.partition("?")[2]

    def get(self, name: str) -> str | None:
        """A request field's first value."""
        return next((value for key, value in self.fields if key == name.lower()), None)


Match = Callable[[Exchange], bool]


class Cut(Enum):
    """How a response breaks off."""

    RST = "rst"
    FIN = "fin"
    STALL = "stall"


class CutOff(Exception):
    """A fault has cut the connection; `how` says in which way."""

    def __init__(self, how: Cut) -> None:
        super().__init__(how.value)
        self.how = how


class Gate:
    """A barrier in a response, which waits there until the test opens it."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Let everything through, now and later."""
        if not self._opened.done():
            self._opened.set_result(None)

    def wait_reached(self, limit: float = 20) -> None:
        """Block until a response stands at the gate. Raises TimeoutError."""
        if not self._reached.wait(limit):
            raise TimeoutError("no response reached the gate")

    async def reached(self, limit: float = 20) -> None:
        """The same without blocking the event loop."""
        await asyncio.to_thread(self.wait_reached, limit)

    async def passed(self) -> None:
        """Stand at the gate until it is open."""
        self._reached.set()
        # Shielded: a connection that dies at the gate must not open it for the others.
        await asyncio.shield(asyncio.wrap_future(self._opened))


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a response. Offsets count its body's bytes (without chunked framing), from 0.

    `delay` is seconds before its head; `rate` is bytes per second; at `cut_at` it breaks off, `how` says in
    which way; the byte at `flip_at` is inverted; `gate` holds it at `gate_at`, or before its head at -1.
    """

    delay: float = 0
    rate: float = 0
    cut_at: int = -1
    how: Cut = Cut.FIN
    flip_at: int = -1
    gate: Gate | None = None
    gate_at: int = -1

    async def before_head(self) -> None:
        """What happens before the head goes out."""
        await asyncio.sleep(self.delay)
        if self.gate and self.gate_at < 0:
            await self.gate.passed()

    async def before(self, start: int, size: int) -> None:
        """What happens before `size` body bytes from `start` on go out. Raises CutOff."""
        if self.gate and start == self.gate_at:
            await self.gate.passed()
        if start == self.cut_at:
            raise CutOff(self.how)
        if self.rate:
            await asyncio.sleep(size / self.rate)

    def pieces(self, start: int, payload: bytes) -> Iterator[bytes]:
        """The payload at body offset `start`, flipped and split where something is to happen."""
        if 0 <= self.flip_at - start < len(payload):
            at = self.flip_at - start
            payload = payload[:at] + bytes([payload[at] ^ 0xFF]) + payload[at + 1 :]
        marks = {offset - start for offset in (self.gate_at, self.cut_at)}
        if self.rate:
            marks.update(range(0, len(payload), min(_SLICE, max(1, int(self.rate / 10)))))
        stops = sorted(mark for mark in marks if 0 < mark < len(payload))
        for first, last in zip([0, *stops], [*stops, len(payload)], strict=True):
            yield payload[first:last]


@dataclass(slots=True)
class Spoiler:
    """A fault, and which responses it falls on: the next `times` that match, all if None."""

    fault: Fault
    match: Match
    times: int | None

    def takes(self, exchange: Exchange) -> bool:
        """Whether it falls on this one, which then counts."""
        if self.times == 0 or not self.match(exchange):
            return False
        if self.times is not None:
            self.times -= 1
        return True
