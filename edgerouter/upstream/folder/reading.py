"""Bytes of indexed files on their way out: read in threads, in pieces, and only from the version indexed.

A file that changed or shrank while it is read breaks the answer off: other bytes than those that the index
describes never leave (law 3).
"""

import os
import threading
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from typing import NamedTuple

from edgerouter.dicom.source import Inflated, Part10Error, of_file
from edgerouter.errors import Cut
from edgerouter.parsing.threads import Threads
from edgerouter.upstream.folder.walk import stamp

PIECE = 1 << 20
_BATCH = 256 << 10  # bytes that a thread brings at least, unless that is all

Bytes = AsyncGenerator[bytes, None]


class Changed(Exception):
    """The file is not the one that was indexed."""


class Extent(NamedTuple):
    """A value in a file: its (offset, length) pieces, in order.

    `path` is absolute. With `inflate_at` the offsets count in the inflated form of the deflate stream that
    begins there.
    """

    path: bytes
    stamp: str
    pieces: tuple[tuple[int, int], ...]
    inflate_at: int = 0

    @property
    def length(self) -> int:
        return sum(length for _, length in self.pieces)

    def cut(self, start: int, stop: int) -> "Extent":
        """The bytes from `start` up to, not including, `stop`."""
        kept: list[tuple[int, int]] = []
        for offset, length in self.pieces:
            first, last = max(start, 0), min(stop, length)
            if first < last:
                kept.append((offset + first, last - first))
            start, stop = start - length, stop - length
        return self._replace(pieces=tuple(kept))


Material = bytes | Extent


class OpenFile:
    """An indexed file, held open. Raises OSError, and Changed when another version is there."""

    def __init__(self, path: bytes, version: str) -> None:
        self.path, self.version = path, version
        self._inflated: Inflated | None = None
        # A pipe must not block us, and what was a file must not have become a link.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            self._check()
        except Changed:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self, extent: Extent) -> Iterator[bytes]:
        """The extent in chunks of at most 1 MiB. Raises Changed, OSError, Part10Error."""
        for offset, length in extent.pieces:
            for at in range(0, length, PIECE):
                size = min(PIECE, length - at)
                chunk = self._take(offset + at, size, extent.inflate_at)
                self._check()
                yield chunk

    def _take(self, offset: int, size: int, inflate_at: int) -> bytes:
        if inflate_at:
            return self._inflate(offset, size, inflate_at)
        chunk = os.pread(self._descriptor, size, offset)
        if len(chunk) < size:
            raise Changed
        return chunk

    def _inflate(self, offset: int, size: int, inflate_at: int) -> bytes:
        if self._inflated is None or self._inflated.position > offset:
            deflated = of_file(self._descriptor)
            deflated.skip(inflate_at)
            self._inflated = Inflated(deflated)
        self._inflated.skip(offset - self._inflated.position)
        return self._inflated.take(size)

    def _check(self) -> None:
        if stamp(os.fstat(self._descriptor)) != self.version:
            raise Changed


def read(materials: Iterable[Material]) -> Generator[bytes, None, None]:
    """The bytes of it all, blocking; a file stays open while the next extent is in it, too."""
    file: OpenFile | None = None
    try:
        for material in materials:
            if isinstance(material, bytes):
                yield material
                continue
            if file is None or (file.path, file.version) != (material.path, material.stamp):
                if file:
                    file.close()
                    file = None
                file = OpenFile(material.path, material.stamp)
            yield from file.read(material)
    finally:
        if file:
            file.close()


class _Reading:
    """Steps of one reading, which may be made in different threads but never at once."""

    def __init__(self, materials: Iterable[Material]) -> None:
        self._chunks = read(materials)
        self._lock = threading.Lock()

    def step(self) -> bytes:
        """The next bytes; b"" at the end."""
        batch: list[bytes] = []
        size = 0
        with self._lock:
            for chunk in self._chunks:
                batch.append(chunk)
                size += len(chunk)
                if size >= _BATCH:
                    break
        return b"".join(batch)

    def close(self) -> None:
        with self._lock:
            self._chunks.close()


async def stream(materials: Iterable[Material], threads: Threads, upstream: str) -> Bytes:
    """The bytes of it all. Raises errors.Cut when a file vanished, changed or cannot be read."""
    reading = _Reading(materials)
    try:
        while chunk := await threads.run(reading.step):
            yield chunk
    except (OSError, Part10Error, Changed):
        raise Cut("A file changed or could not be read while it was served.", upstream=upstream) from None
    finally:
        await threads.run(reading.close)


def is_current(path: bytes, version: str) -> bool:
    """Whether the file at `path` is the version indexed. Blocks; raises OSError when that cannot be told."""
    try:
        return stamp(os.stat(path, follow_symlinks=False)) == version
    except (FileNotFoundError, NotADirectoryError):
        return False
