"""Bytes that are partly new and partly stand in a file: gathered, measured, read from any offset."""

from collections.abc import Iterator

from edgerouter.dicom import source
from edgerouter.dicom.source import Part10Error

Piece = bytes | tuple[int, int]  # bytes as they are, or (offset, length) of the file
_CHUNK = 1 << 20


class Pieces:
    """Pieces in the order of the answer; at most `limit` new bytes, beyond them Part10Error."""

    def __init__(self, limit: int) -> None:
        self._pieces: list[Piece] = []
        self._new = bytearray()
        self._left = limit

    def add(self, new: bytes) -> None:
        """New bytes come next."""
        self._left -= len(new)
        if self._left < 0:
            raise Part10Error("The data set holds too much beside bulk data.")
        self._new += new

    def refer(self, offset: int, length: int) -> None:
        """Bytes of the file come next."""
        if not length:
            return
        self._flush()
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, tuple) and last[0] + last[1] == offset:
            self._pieces[-1] = (last[0], last[1] + length)
        else:
            self._pieces.append((offset, length))

    def done(self) -> tuple[Piece, ...]:
        """All of them."""
        self._flush()
        return tuple(self._pieces)

    def _flush(self) -> None:
        if self._new:
            self._pieces.append(bytes(self._new))
            self._new.clear()


def size(piece: Piece) -> int:
    """The length of a piece in bytes."""
    return len(piece) if isinstance(piece, bytes) else piece[1]


def read(
    descriptor: int, pieces: tuple[Piece, ...], start: int, stop: int, *, inflate_at: int = 0
) -> Iterator[bytes]:
    """Bytes `start` to `stop` of what the pieces make, in chunks of at most 1 MiB.

    References ascend in the file; with `inflate_at` they count in the inflated form of the deflate stream
    that begins there. Raises Part10Error when the file is too short for them.
    """
    parts = list(cut(pieces, start, stop))
    referred = source.read_pieces(
        descriptor, (piece for piece in parts if isinstance(piece, tuple)), inflate_at=inflate_at
    )
    for piece in parts:
        if isinstance(piece, bytes):
            yield from (piece[at : at + _CHUNK] for at in range(0, len(piece), _CHUNK))
            continue
        left = piece[1]
        while left:
            chunk = next(referred)
            left -= len(chunk)
            yield chunk


def cut(pieces: tuple[Piece, ...], start: int, stop: int) -> Iterator[Piece]:
    """Those that make bytes `start` to `stop`, the first and the last cut accordingly."""
    at = 0
    for piece in pieces:
        length = size(piece)
        first, last = max(start - at, 0), min(stop - at, length)
        at += length
        if first < last:
            yield piece[first:last] if isinstance(piece, bytes) else (piece[0] + first, last - first)
