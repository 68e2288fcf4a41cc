"""Just enough HTTP/1.1 to read along on a connection: heads and body framing, bytes kept as they came."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

PIECE = 65536
LIMIT = 1 << 20  # bytes of one line or head


class Broken(Exception):
    """The bytes are not HTTP/1.1, or they ended in the middle."""


class Piece(NamedTuple):
    """Bytes of a body as they came: chunked framing, or payload. One of the two is empty."""

    framing: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class MessageHead:
    """A request or response head: its raw bytes, first line and fields (names in lower case)."""

    raw: bytes
    line: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for key, value in self.fields if key == name.lower()), None)

    @property
    def status(self) -> int:
        """A response's status."""
        return int(self.line.split(" ", 2)[1])

    @property
    def chunked(self) -> bool:
        """Whether its body is framed as chunked."""
        return (self.get("transfer-encoding") or "").lower() == "chunked"


async def read_head(reader: asyncio.StreamReader) -> MessageHead | None:
    """The next head; None when the connection ended before its first byte."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken("a head broke off") from error
        return None
    line, *rest = raw[:-4].decode("latin-1").split("\r\n")
    fields = (field.partition(":") for field in rest)
    return MessageHead(raw, line, tuple((name.lower(), value.strip()) for name, _, value in fields))


def request_body(head: MessageHead, reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    """A request's body: chunked, of a length, or none."""
    if head.chunked:
        return _chunked(reader)
    return _sized(reader, int(head.get("content-length") or 0))


def response_body(method: str, head: MessageHead, reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    """A response's body (RFC 9112 §6.3): without chunks and length it lasts until the connection ends."""
    if method == "HEAD" or head.status in (204, 304):
        return _sized(reader, 0)
    if head.chunked:
        return _chunked(reader)
    length = head.get("content-length")
    return _sized(reader, int(length)) if length is not None else _until_end(reader)


def ends_by_close(method: str, head: MessageHead) -> bool:
    """Whether only the end of the connection ends this response."""
    if method == "HEAD" or head.status in (204, 304) or head.chunked:
        return False
    return head.get("content-length") is None


async def _sized(reader: asyncio.StreamReader, size: int) -> AsyncIterator[Piece]:
    while size:
        payload = await reader.read(min(size, PIECE))
        if not payload:
            raise Broken(f"{size} bytes of a body are missing")
        size -= len(payload)
        yield Piece(b"", payload)


async def _until_end(reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    while payload := await reader.read(PIECE):
        yield Piece(b"", payload)


async def _chunked(reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    while True:
        line = await _line(reader)
        yield Piece(line, b"")
        size = int(line.split(b";")[0], 16)
        if not size:
            break
        async for piece in _sized(reader, size):
            yield piece
        yield Piece(await _line(reader), b"")
    while line := await _line(reader):
        yield Piece(line, b"")
        if line == b"\r\n":
            return


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise Broken("a chunked body broke off")
    return line
