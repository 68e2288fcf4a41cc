"""A client that costs little: what it measures is somebody else's time."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Timed:
    """One answer, and the seconds from the request to its last byte."""

    status: int
    body: bytes
    head: bytes
    seconds: float


class Client:
    """One kept connection to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def ask(self, target: str) -> Timed:
        """One search; the answer has to have a length."""
        began = time.perf_counter()
        head = f"GET {target} HTTP/1.1\r\nHost: bench\r\nAccept: application/dicom+json\r\n\r\n"
        self._writer.write(head.encode())
        said = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in said.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        body = await self._reader.readexactly(length)
        return Timed(int(said.split(b" ")[1]), body, said, time.perf_counter() - began)


def quantile(seconds: Sequence[float], part: float) -> float:
    """The smallest of the times that this part of them does not exceed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
