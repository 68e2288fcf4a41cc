"""A scripted archive in a process of its own: it answers every search, after a pause, with rows made before
the first request, and does nothing else, so that what a bench measures is the router.

    python -m tests.bench.archive ROWS FIRST PAUSE      prints its port, and serves until it is killed
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import uvloop

_LIMIT = re.compile(rb"[?&]limit=([0-9]+)")
_OFFSET = re.compile(rb"[?&]offset=([0-9]+)")


@dataclass(frozen=True)
class Archive:
    """A running archive."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Its DICOMweb root."""
        return f"http://127.0.0.1:{self.port}/dw"


def row(number: int) -> bytes:
    """Study `number` as every archive that has it says it: some 1,500 bytes, as archives send them."""
    uid = f"1.2.826.0.1.3680043.8.498.{number:012d}"
    day = f"2020{number % 12 + 1:02d}{number % 28 + 1:02d}"
    attributes = {
        "00080005": ("CS", "ISO_IR 192"),
        "00080020": ("DA", day),
        "00080030": ("TM", f"{number % 24:02d}{number % 60:02d}00.000"),
        "00080050": ("SH", f"A{number:08d}"),
        "00080056": ("CS", "ONLINE"),
        "00080061": ("CS", "CT"),
        "00080090": ("PN", {"Alphabetic": f"Referrer^{number % 50}"}),
        "00081030": ("LO", f"Study of region {number % 9} with and without contrast"),
        "00081190": ("UR", f"http://archive.example:8042/dicom-web/studies/{uid}"),
        "00100010": ("PN", {"Alphabetic": f"Person^{number}^Middle"}),
        "00100020": ("LO", f"P{number:07d}"),
        "00100021": ("LO", "NETWORK"),
        "00100030": ("DA", "19500101"),
        "00100040": ("CS", "F"),
        "0020000D": ("UI", uid),
        "00200010": ("SH", f"S{number}"),
        "00201206": ("IS", 3),
        "00201208": ("IS", 300 + number % 7),
    }
    dataset = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in attributes.items()}
    return json.dumps(dataset).encode()


class _Searches(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, rows: Sequence[bytes], pause: float) -> None:
        self._rows = rows
        self._pause = pause
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            answer = self._answer(head.partition(b"\r\n")[0])
            asyncio.get_running_loop().call_later(self._pause, self._say, answer)

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _answer(self, line: bytes) -> bytes:
        limit, offset = _LIMIT.search(line), _OFFSET.search(line)
        first = int(offset[1]) if offset else 0
        rows = self._rows[first : first + int(limit[1]) if limit else None]
        body = b"[" + b",".join(rows) + b"]"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: %d\r\n\r\n"
        return head % len(body) + body


async def _serve(rows: Sequence[bytes], pause: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Searches(rows, pause), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def archives(
    count: int, rows: int, pause: float, *, shared: float = 0.2, spread: float = 0.0
) -> Iterator[list[Archive]]:
    """So many archives, each of which shares this part of its studies with the next one; the last pauses
    longest, each before it `spread` seconds less."""
    step = int(rows * (1 - shared))
    with ExitStack() as stack:
        found = []
        for place in range(count):
            command = [sys.executable, "-m", __name__, str(rows), str(place * step)]
            command.append(str(pause - spread * (count - 1 - place)))
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            found.append(Archive(int(process.stdout.readline()), process))
        yield found


if __name__ == "__main__":
    _count, _first = map(int, sys.argv[1:3])
    uvloop.run(_serve([row(_first + number) for number in range(_count)], float(sys.argv[3])))
