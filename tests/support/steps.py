"""What a scripted upstream may do: the steps of its scripts, and what it saw of a request."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request as it arrived; `body` and `size` grow as the body is read, `whole` when it ended."""

    number: int
    connection: int
    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray, repr=False)
    size: int = 0
    whole: bool = False

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ", ".join(values) if values else None


class Step:
    """One thing a scripted upstream does on a connection."""


@dataclass(frozen=True)
class Head(Step):
    """Expect a request head."""


@dataclass(frozen=True)
class Body(Step):
    """Expect the current request's body to its end (nothing when it has none)."""


@dataclass(frozen=True)
class Request(Step):
    """Expect a whole request: head and body."""


@dataclass(frozen=True)
class Send(Step):
    """Say these bytes, exactly, and wait until the system has taken them."""

    data: bytes


@dataclass(frozen=True)
class Reply(Step):
    """Say a well-formed response; `framing` is "length", "chunked" or "close"."""

    status: int = 200
    body: bytes = b""
    fields: Sequence[tuple[str, str]] = ()
    framing: str = "length"

    def render(self, number: int, method: str) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted", f"X-Reply: {number}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        body = self.body
        if self.framing == "length" and self.status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        elif self.framing == "close":
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head if method == "HEAD" or self.status in (204, 304) else head + body


@dataclass(frozen=True)
class Wait(Step):
    """A barrier: go on when the event is set."""

    event: asyncio.Event


@dataclass(frozen=True)
class Note(Step):
    """Call a function, e.g. `event.set`, when the steps before it are done."""

    call: Callable[[], object]


@dataclass(frozen=True)
class Stall(Step):
    """Stay silent, reading nothing, until the upstream ends."""


@dataclass(frozen=True)
class Reset(Step):
    """Break the connection off with RST; bytes said before it have been handed to the system."""


@dataclass(frozen=True)
class Close(Step):
    """Close the connection (FIN)."""


Handler = Callable[[Seen], Iterable[Step]]
