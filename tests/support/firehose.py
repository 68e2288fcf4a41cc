"""An archive that has generated series of any size and swallows uploads of any size, holding neither.

Fast and frugal: it shows what a gigabyte does to the router, not to itself.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.samples import BigSeries

BOUNDARY = "firehose-5f1e8c0f3a7d"
_PIECE = 1 << 20


class Framing(Enum):
    """How it ends the series."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class Firehose:
    """Serves each series at its own path below /dicom-web; counts what it sent and took in.

    `asked` are the series sent, by path, as often as they were."""

    def __init__(
        self, series: BigSeries, framing: Framing = Framing.CHUNKED, *, more: Sequence[BigSeries] = ()
    ) -> None:
        self.series = series
        self.framing = framing
        self.sent = 0
        self.asked: Counter[str] = Counter()
        self._by_path = {path_of(each): each for each in (series, *more)}
        self.taken = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="firehose")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def dicomweb_url(self) -> str:
        """The root of its DICOMweb service."""
        return f"http://127.0.0.1:{self._server.server_port}/dicom-web"

    @property
    def path(self) -> str:
        """The series below that root."""
        return path_of(self.series)

    def at(self, path: str) -> BigSeries | None:
        """The series of a path below the root."""
        return self._by_path.get(path)

    def envelope(self, series: BigSeries | None = None) -> Iterator[bytes]:
        """A series as a multipart body."""
        series = series or self.series
        for number in range(1, series.count + 1):
            yield (
                f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n"
                f"Content-Length: {series.instance_size}\r\n\r\n"
            ).encode() + series.head(number)
            yield series.pixels
            yield b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()

    def size(self) -> int:
        """The envelope's bytes."""
        start = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Length: "
        part = len(start) + len(f"{self.series.instance_size}\r\n\r\n\r\n") + self.series.instance_size
        return part * self.series.count + len(f"--{BOUNDARY}--\r\n")

    def rows(self, path: str) -> list[dict[str, Any]]:
        """What a search of the collection at `path` finds."""
        spec = self.series.spec
        row = {"0020000D": spec.study, "0020000E": spec.series, "00100020": spec.patient_id}
        numbers = range(1, self.series.count + 1) if path.endswith("/instances") else range(1)
        rows = [{**row, "00080018": self.series.instance(number)} for number in numbers]
        return [{tag: _attribute(tag, value) for tag, value in each.items()} for each in rows]


def path_of(series: BigSeries) -> str:
    """The path of a series below the root."""
    return f"/studies/{series.spec.study}/series/{series.spec.series}"


def _attribute(tag: str, value: str) -> dict[str, Any]:
    return {"vr": "LO" if tag == "00100020" else "UI", "Value": [value]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, firehose: Firehose) -> None:
        self.firehose = firehose
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A router that went away is none of its business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        firehose = self.server.firehose
        path = self.path.partition("?")[0]
        series = firehose.at(path.removeprefix("/dicom-web"))
        if series is None:
            self._say_json("application/dicom+json", firehose.rows(path))
            return
        self.send_response(200)
        related = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        self.send_header("Content-Type", related)
        self._end_head(firehose)
        firehose.asked[path_of(series)] += 1
        for piece in firehose.envelope(series):
            chunked = firehose.framing is Framing.CHUNKED
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            firehose.sent += len(piece)
        if firehose.framing is Framing.CHUNKED:
            self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        self._swallow(int(length)) if length else self._swallow_chunks()
        series = self.server.firehose.series
        stored = [{"00081155": _attribute("00081155", series.instance(n + 1))} for n in range(series.count)]
        self._say_json("application/dicom+json", {"00081199": {"vr": "SQ", "Value": stored}})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _end_head(self, firehose: Firehose) -> None:
        if firehose.framing is Framing.LENGTH:
            self.send_header("Content-Length", str(firehose.size()))
        elif firehose.framing is Framing.CHUNKED:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def _swallow_chunks(self) -> None:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self._swallow(size)
            self.rfile.readline()
        self.rfile.readline()

    def _swallow(self, size: int) -> None:
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise ConnectionError("the upload broke off")
            self.server.firehose.taken += len(piece)
            size -= len(piece)

    def _say_json(self, content_type: str, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
