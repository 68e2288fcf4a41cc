"""Bytes read forward under a known bound: the only way this room touches a file.

Every length found in data is compared with the bytes left before anything is sliced or allocated. A source
may be a whole file, the first bytes of one that is still growing, or what a deflated data set inflates to;
its reader cannot tell which. Memory is one window, whatever the size of what is read.
"""

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

WINDOW = 64 * 1024
MAX_INFLATED = 256 * 1024 * 1024  # bytes: what a deflated data set may grow to


class Part10Error(Exception):
    """What was read is not PS3.10 we can use; `reason` is a sentence without data from the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NeedMore(Exception):
    """The bytes at hand end too early: come back with at least `wanted` bytes from the beginning."""

    def __init__(self, wanted: int) -> None:
        super().__init__(wanted)
        self.wanted = wanted


Fetch = Callable[[int, int], bytes]  # (offset, count) -> at most count bytes


class Source:
    """`size` bytes read forward. With `complete=False` they are the beginning of something longer."""

    def __init__(self, fetch: Fetch, size: int, *, complete: bool = True) -> None:
        self._fetch = fetch
        self.complete = complete
        self._window = b""
        self._base = 0  # the position of the window's first byte
        self.position = 0
        self.size = size
        self.readahead = WINDOW

    @property
    def left(self) -> int:
        """An upper bound of the bytes not read yet."""
        return self.size - self.position

    @property
    def at_end(self) -> bool:
        """True when not one more byte can come."""
        return self.complete and self.position >= self.size

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises Part10Error when there are fewer, NeedMore when more may yet come."""
        piece = self.peek(count)
        self.position += count
        return piece

    def peek(self, count: int) -> bytes:
        """As take, but the bytes are still to be read."""
        if count > self.size - self.position:
            self._short(count)
        at = self.position - self._base
        if at < 0 or at + count > len(self._window):
            self._refill(count)
            at = self.position - self._base
        return self._window[at : at + count]

    def skip(self, count: int) -> None:
        """Pass over `count` bytes. Raises as take does."""
        if count > self.size - self.position:
            self._short(count)
        self.position += count

    def _short(self, count: int) -> None:
        if not self.complete:
            raise NeedMore(self.position + count)
        raise Part10Error("A declared length runs past the end of the data.")

    def _refill(self, count: int) -> None:
        wanted = min(max(count, self.readahead), self.size - self.position)
        self._window = self._fetch(self.position, wanted)
        self._base = self.position
        if len(self._window) < count:
            raise Part10Error("The file became shorter while it was read.")


class Inflated(Source):
    """What the raw deflate stream at `source`'s position inflates to (PS3.5 A.5), at most `limit` bytes."""

    def __init__(self, source: Source, *, limit: int = MAX_INFLATED) -> None:
        super().__init__(lambda offset, count: b"", limit)
        self._deflated = source
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""
        self._full = False  # zlib may hold back output that no further input will call out

    @property
    def at_end(self) -> bool:
        if self.position < self._base + len(self._window):
            return False
        piece = self._inflate()
        self._base, self._window = self.position, piece
        return not piece

    def skip(self, count: int) -> None:
        while count > WINDOW:
            self.take(WINDOW)
            count -= WINDOW
        self.take(count)

    def _short(self, count: int) -> None:
        raise Part10Error(f"The deflated data set holds more than {self.size} bytes, or a length lies.")

    def _refill(self, count: int) -> None:
        pieces = [self._window[self.position - self._base :]]
        have = len(pieces[0])
        while have < count:
            piece = self._inflate()
            if not piece:
                raise Part10Error("A declared length runs past the end of the data.")
            pieces.append(piece)
            have += len(piece)
        self._base, self._window = self.position, b"".join(pieces)

    def _inflate(self) -> bytes:
        while not self._stream.eof:
            if not self._waiting and not self._full:
                if self._deflated.at_end:
                    raise Part10Error("The deflate stream is cut.")
                # An unfinished source whose bytes are used up says NeedMore here.
                self._waiting = self._deflated.take(max(1, min(16384, self._deflated.left)))
            try:
                piece = self._stream.decompress(self._waiting, WINDOW)
            except zlib.error:
                raise Part10Error("The deflate stream is damaged.") from None
            self._waiting, self._full = self._stream.unconsumed_tail, len(piece) == WINDOW
            if piece:
                return piece
        return b""


@contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of a regular file. Raises OSError, and Part10Error for a pipe, device or folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not block us
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Part10Error("Not a regular file.")
        yield descriptor
    finally:
        os.close(descriptor)


def of_bytes(data: bytes, *, complete: bool = True) -> Source:
    """A source over bytes in memory."""
    return Source(lambda offset, count: bytes(data[offset : offset + count]), len(data), complete=complete)


def of_file(descriptor: int) -> Source:
    """A source over an open regular file; its offset is neither used nor moved."""
    size = os.fstat(descriptor).st_size
    return Source(lambda offset, count: os.pread(descriptor, count, offset), size)


def read_pieces(
    descriptor: int, pieces: Iterable[tuple[int, int]], *, inflate_at: int = 0
) -> Iterator[bytes]:
    """The bytes of the (offset, length) pieces of a file, in chunks of at most 1 MiB, ascending in offset.

    With `inflate_at` the offsets count in the inflated form of the deflate stream that begins there.
    Raises Part10Error when the file is too short for them.
    """
    source = of_file(descriptor)
    if inflate_at:
        source.skip(inflate_at)
        source = Inflated(source)
    source.readahead = 0
    for offset, length in pieces:
        if offset < source.position:
            raise Part10Error("The pieces of a value are not in ascending order.")
        source.skip(offset - source.position)
        while length:
            chunk = source.take(min(length, 1 << 20))
            length -= len(chunk)
            yield chunk
