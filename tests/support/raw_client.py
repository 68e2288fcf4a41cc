"""A byte-level client: no HTTP library decides what may be sent, or what an answer was.

    async with RawClient(port) as client:
        await client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        response = await client.response()      # one response, read by its own framing
        assert response.status == 200 and response.complete
        rest = await client.read_to_end()       # everything until the other side ended the connection
        assert client.ended == "fin"            # or "reset"; None while it is open

A response that broke off is returned with `complete` False. Nothing is retried, followed or decoded.
Every wait is bounded by PATIENCE, so that a test that would hang fails.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

PATIENCE = 10.0  # seconds
_BLOCK = 1 << 16


@dataclass(frozen=True)
class RawResponse:
    """One response as it was on the wire; `framing` is how its end was to be known."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool
    framing: Literal["none", "length", "chunked", "close"]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ", ".join(values) if values else None


class RawClient:
    """One TCP connection to 127.0.0.1; `receive_buffer` (bytes) makes a slow reader felt early."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.port = port
        self.ended: Literal["fin", "reset"] | None = None
        self.received = bytearray()  # read from the socket, not yet handed out
        self._socket = socket.socket()
        self._socket.setblocking(False)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    async def __aenter__(self) -> "RawClient":
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        """Hand all bytes to the system; raises ConnectionError when the other side is gone."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def send_until_refused(self, data: bytes, times: int) -> int:
        """Send `data` over and over until the other side breaks the connection; how often it was taken."""
        for sent in range(times):
            try:
                await self.send(data)
            except ConnectionError:
                return sent
        return times

    async def more(self) -> bool:
        """Read once from the socket; False when the other side has ended the connection."""
        if self.ended:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                data = await asyncio.get_running_loop().sock_recv(self._socket, _BLOCK)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
        self.received += data
        return bool(data)

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only if the connection ended."""
        while len(self.received) < size and await self.more():
            pass
        data = bytes(self.received[:size])
        del self.received[: len(data)]
        return data

    async def read_until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`, or all there was if the connection ended before."""
        while mark not in self.received and await self.more():
            pass
        at = self.received.find(mark)
        return await self.read(at + len(mark) if at >= 0 else len(self.received))

    async def read_to_end(self) -> bytes:
        """Everything until the other side ends the connection."""
        while await self.more():
            pass
        return await self.read(len(self.received))

    async def silent(self, seconds: float) -> bool:
        """Whether nothing arrives, and nothing ends, for that long."""
        try:
            async with asyncio.timeout(seconds):
                await self.more()
        except TimeoutError:
            return True
        return False

    async def ask(
        self, target: str, *, method: str = "GET", fields: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> RawResponse:
        """A well-formed request, and its response."""
        await self.send(request(target, method=method, fields=fields, body=body))
        return await self.response(method)

    async def response(self, method: str = "GET") -> RawResponse:
        """The next response to a request with that method, 1xx included; ConnectionError if there is none."""
        head = await self.read_until(b"\r\n\r\n")
        if not head.endswith(b"\r\n\r\n"):
            raise ConnectionError(f"no response head, but {head!r} and {self.ended}")
        status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        _, status, reason = (status_line + " ").split(" ", 2)
        pairs = tuple(_pair(line) for line in lines)
        bare = RawResponse(int(status), reason.strip(), pairs, b"", True, "none")
        if method == "HEAD" or bare.status < 200 or bare.status in (204, 304):
            return bare
        if bare.get("transfer-encoding") is not None:
            return await self._chunked(bare)
        if (length := bare.get("content-length")) is not None:
            body = await self.read(int(length))
            return RawResponse(bare.status, bare.reason, pairs, body, len(body) == int(length), "length")
        body = await self.read_to_end()
        return RawResponse(bare.status, bare.reason, pairs, body, self.ended == "fin", "close")

    async def _chunked(self, bare: RawResponse) -> RawResponse:
        body = bytearray()
        complete = False
        while (line := await self.read_until(b"\r\n")).endswith(b"\r\n"):
            size = int(line.split(b";")[0], 16)
            chunk = await self.read(size + 2)
            body += chunk[:size]
            if len(chunk) < size + 2:
                break
            if size == 0:
                complete = chunk == b"\r\n"
                break
        return RawResponse(bare.status, bare.reason, bare.fields, bytes(body), complete, "chunked")

    def half_close(self) -> None:
        """Say FIN, and stay to listen."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Leave with FIN."""
        self._socket.close()

    def reset(self) -> None:
        """Leave with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def request(
    target: str, *, method: str = "GET", fields: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """A well-formed HTTP/1.1 request; Content-Length is there when there is a body."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: edge.example",
        *(f"{name}: {value}" for name, value in fields),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()
