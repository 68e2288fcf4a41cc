"""multipart/related, both ways, without I/O (RFC 2046 §5.1, PS3.18 §8.6.1.2).

The reader takes bytes in any pieces and says where parts begin and end; only the closing boundary makes a
body whole (law 3). A part's Content-Length is believed only as far as the delimiter stands where it says.
Memory is one chunk and one part header, time is linear in the bytes fed, whatever they are.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from edgerouter.dicomweb.media import is_boundary
from edgerouter.dicomweb.part_header import BAD_LENGTH, declared_length, parse_header
from edgerouter.dicomweb.part_header import MultipartError as MultipartError
from edgerouter.http.fields import Fields

_CRLF = "\r\n"
# What makes a boundary a delimiter: two hyphens, or at most 64 blanks up to the end of the line.
_AFTER_BOUNDARY = re.compile(rb"(--)|[ \t]{0,64}(?=\r\n)")
_MAY_BECOME_ONE = re.compile(rb"(?:-|[ \t]{0,64}\r?)\Z")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one body: counts, and sizes in bytes."""

    parts: int = 20_000
    preamble: int = 4096
    header: int = 8192
    lines: int = 16
    epilogue: int = 4096


@dataclass(frozen=True, slots=True)
class PartBegin:
    fields: Fields


@dataclass(frozen=True, slots=True)
class PartData:
    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part's delimiter was seen, and its Content-Length, if it has one, was right."""


Event = PartBegin | PartData | PartEnd


class MultipartReader:
    """Turns the bytes of one body into events; raises MultipartError for what is not multipart.

    `parts` counts the parts begun, `finished` says that the closing boundary was seen.
    """

    def __init__(self, boundary: str, limits: Limits | None = None) -> None:
        if not is_boundary(boundary):
            raise MultipartError("the boundary is not a legal one")
        self.parts = 0
        self.finished = False
        self._limits = limits or Limits()
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._buffer = b"\r\n"  # the first delimiter may lack its line break
        self._at = 0
        self._skipped = -2
        self._length: int | None = None
        self._count = 0
        self._events: list[Event] = []
        self._fault: MultipartError | None = None
        self._line: re.Pattern[bytes] | None = None
        self._state: Callable[[MultipartReader], bool] = MultipartReader._preamble

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete.

        A fault is raised after everything before it was handed over: by this call when there is nothing
        to hand over, else by the next one or by `close`.
        """
        if self._fault:
            raise self._fault
        self._buffer = self._buffer + data if self._buffer else data
        events: list[Event] = []
        self._events = events
        try:
            while self._state(self):
                pass
        except MultipartError as fault:
            self._fault = fault
            if not events:
                raise
        self._buffer = b"" if self._fault else self._buffer[self._at :]
        self._at = 0
        return events

    def close(self) -> None:
        """The body has ended; raises MultipartError if its closing boundary was not seen."""
        if self._fault:
            raise self._fault
        if not self.finished:
            raise MultipartError("the body ended before its closing boundary")

    # A state consumes what it can of the buffer; it is true when the next may go on with the rest.

    def _preamble(self) -> bool:
        found, after = self._next_delimiter()
        self._skip(found, self._limits.preamble)
        return self._pass_delimiter(after)

    def _header(self) -> bool:
        # The line break of the boundary line may be the first half of the blank line: a bare part.
        end = self._buffer.find(b"\r\n\r\n", self._at, self._at + self._limits.header + 6)
        if end < 0:
            if len(self._buffer) - self._at > self._limits.header + 5:
                raise MultipartError("a part header is too long")
            return False
        fields = parse_header(self._buffer[self._at + 2 : end], self._limits.lines)
        self._length, self._count = declared_length(fields), 0
        if self.parts == self._limits.parts:
            raise MultipartError("the body has too many parts")
        self.parts += 1
        self._events.append(PartBegin(fields))
        self._at = end + 2
        self._state = MultipartReader._body_start
        return True

    def _body_start(self) -> bool:
        """The line break of the blank line may already be that of the next delimiter: an empty part."""
        head = self._buffer[self._at : self._at + len(self._delimiter)]
        if not self._length and self._delimiter.startswith(head):
            after = self._after(self._at) if head == self._delimiter else 0
            if after >= 0:
                return self._end_part(after)
        self._at += 2
        self._state = MultipartReader._sized_body if self._length else MultipartReader._body
        return True

    def _body(self) -> bool:
        found, after = self._next_delimiter()
        self._take(found)
        return self._end_part(after)

    def _sized_body(self) -> bool:
        left = (self._length or 0) - self._count
        self._take(min(len(self._buffer), self._at + left))
        if self._count != self._length:
            return False
        head = self._buffer[self._at : self._at + len(self._delimiter)]
        after = self._after(self._at) if head == self._delimiter else 0
        if after < 0 or not self._delimiter.startswith(head):
            raise MultipartError(BAD_LENGTH)
        return self._end_part(after)

    def _epilogue(self) -> bool:
        self._skip(len(self._buffer), self._limits.epilogue)
        return False

    def _end_part(self, after: int) -> bool:
        if not after:
            return False
        if self._length is not None and self._count != self._length:
            raise MultipartError(BAD_LENGTH)
        self._events.append(PartEnd())
        return self._pass_delimiter(after)

    def _pass_delimiter(self, after: int) -> bool:
        if not after:
            return False
        self.finished = self._buffer.startswith(b"--", self._at + len(self._delimiter))
        self._at = after
        if self.finished:
            self._skipped = 0
            self._state = MultipartReader._epilogue
            return True
        self._state = MultipartReader._header
        return True

    def _next_delimiter(self) -> tuple[int, int]:
        """Where the next delimiter begins and what `_after` says of it; if there is none, where one may be
        beginning at the end of the buffer, and 0."""
        found = self._buffer.find(self._delimiter, self._at)
        after = self._after(found) if found >= 0 else 0
        if after < 0:
            found, after = self._next_true_delimiter(found + 2)
        if found >= 0:
            return found, after
        end = len(self._buffer)
        begun = self._buffer.rfind(b"\r", max(self._at, end - len(self._delimiter)))
        if begun >= 0 and self._delimiter.startswith(self._buffer[begun:]):
            return begun, 0
        return end, 0

    def _next_true_delimiter(self, start: int) -> tuple[int, int]:
        """The same past a false one: there may be thousands, and Python would stop at each."""
        if self._line is None:
            end_of_line = rb"(?:--|[ \t]{0,64}\r\n|(?:-|[ \t]{0,64}\r?)\Z)"
            self._line = re.compile(re.escape(self._delimiter) + end_of_line)
        line = self._line.search(self._buffer, start)
        return (line.start(), self._after(line.start())) if line else (-1, 0)

    def _after(self, found: int) -> int:
        """The end of the delimiter line that begins at `found` (its closing hyphens, or its line break);
        0 when more bytes must tell, -1 when it is data that looks like one."""
        start = found + len(self._delimiter)
        if line := _AFTER_BOUNDARY.match(self._buffer, start):
            return line.end()
        return 0 if _MAY_BECOME_ONE.match(self._buffer, start) else -1

    def _take(self, stop: int) -> None:
        if stop > self._at:
            self._events.append(PartData(self._buffer[self._at : stop]))
            self._count += stop - self._at
            self._at = stop

    def _skip(self, stop: int, most: int) -> None:
        self._skipped += stop - self._at
        self._at = stop
        if self._skipped > most:
            raise MultipartError("there is too much text outside the boundaries")


def new_boundary() -> str:
    """A random boundary that no data contains by accident and that needs no quotes."""
    return secrets.token_hex(30)


def boundary_for(seed: bytes, key: bytes = b"") -> str:
    """The same boundary for the same seed, so that a body can be made again byte for byte (Range, ETag).

    Without `key` (at most 64 bytes, secret), whoever knows the seed could plant the boundary in data.
    """
    return blake2b(seed, key=key, digest_size=30).hexdigest()


def delimiter(boundary: str, fields: Fields, first: bool) -> bytes:
    """The delimiter and header that open a part; raises MultipartError for a field that would break it.

    Names are written `Content-Type`, as OHIF compares them. Only the first one has no line break before it.
    """
    lines = [_line(name, value) for name, value in fields]
    return f"{'' if first else _CRLF}--{boundary}{_CRLF}{''.join(lines)}{_CRLF}".encode("latin-1")


def closing(boundary: str) -> bytes:
    return f"{_CRLF}--{boundary}--{_CRLF}".encode("latin-1")


def envelope_length(boundary: str, parts: Iterable[tuple[Fields, int]]) -> int:
    """The bytes of a whole body whose parts have these fields and these many bytes."""
    total = len(closing(boundary))
    for index, (fields, length) in enumerate(parts):
        total += len(delimiter(boundary, fields, index == 0)) + length
    return total


def _line(name: str, value: str) -> str:
    if any(mark in name + value for mark in "\r\n\0"):
        raise MultipartError("a part field holds a line break")
    return f"{'-'.join(word.capitalize() for word in name.split('-'))}: {value}{_CRLF}"
