"""Where the content of a message ends on the wire (RFC 9112 §6, §7.1), found without keeping any of it."""

import re
from typing import Protocol

from edgerouter.server.head import Refusal

MAX_LINE = 4 * 1024  # one chunk-size line with its extensions, or one trailer line
MAX_EXTENSIONS = 4 * 1024  # all chunk extensions of a message
MAX_TRAILERS = 8 * 1024
MAX_OVERHEAD = 64 * 1024  # framing bytes beyond as many bytes of content: a flood of tiny chunks costs CPU

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Content(Protocol):
    """The content of one message while it arrives."""

    @property
    def done(self) -> bool: ...

    def take(self, data: bytes) -> int:
        """How many of these bytes, the next on the wire, still belong to the message; raises Refusal."""


class Sized:
    """Content of a known length, 0 included."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        return not self._left

    def take(self, data: bytes) -> int:
        size = min(self._left, len(data))
        self._left -= size
        return size


class Chunked:
    """Content in the chunked coding; its extensions and trailers are bounded, and dropped elsewhere."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # bytes of the current chunk and its CR LF
        self._line = bytearray()  # an incomplete size or trailer line
        self._trailing = False
        self._extensions = 0
        self._trailers = 0
        self._overhead = 0

    def take(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.done:
            at = self._skip(data, at) if self._left else self._read_line(data, at)
        return at

    def _skip(self, data: bytes, at: int) -> int:
        size = min(self._left, len(data) - at)
        self._left -= size
        return at + size

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at, at + MAX_LINE) + 1
        stop = end or len(data)
        self._line += data[at:stop]
        if len(self._line) > MAX_LINE:
            raise Refusal(400, "chunk", f"A line of the chunked content is longer than {MAX_LINE} bytes.")
        if end:
            line = bytes(self._line)
            self._line.clear()
            if self._trailing:
                self._trailer(line)
            else:
                self._size(line)
        return stop

    def _size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise Refusal(400, "chunk", "A chunk size of the request is malformed.")
        size = int(match[1], 16)
        self._extensions += len(match[2] or b"")
        self._overhead += len(line) + 2 - size
        if self._extensions > MAX_EXTENSIONS:
            raise Refusal(400, "chunk", f"The chunk extensions are longer than {MAX_EXTENSIONS} bytes.")
        if self._overhead > MAX_OVERHEAD:
            raise Refusal(400, "chunk", "The chunks of the request are too small.")
        self._trailing = size == 0
        self._left = size + 2 if size else 0

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > MAX_TRAILERS:
            raise Refusal(431, "chunk", f"The trailer section is longer than {MAX_TRAILERS} bytes.")
        self.done = line == b"\r\n"
