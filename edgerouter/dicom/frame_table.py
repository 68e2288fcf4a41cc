"""A frame table: the pieces of a file that make up each frame, and its compact form for the catalog."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import lt

from edgerouter.dicom.encapsulated import Fragments, Grouping, swapped, unpacked
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import EXPLICIT_LITTLE_ENDIAN, transfer_syntax

NATIVE, ENCAPSULATED = "native", "encapsulated"
_MAGIC = b"FT1"
_HEAD = struct.Struct("<3scQQQIB")  # magic, kind, inflate_at, offset, length, frames, length of the UID


@dataclass(frozen=True, slots=True, eq=True)
class FrameTable:
    """Where the frames of one instance stand.

    `transfer_syntax` is that of a frame as it is given out: Explicit VR Little Endian for plain samples,
    however the file holds them. With `inflate_at` the offsets count in the inflated form of the deflate
    stream that begins there in the file; otherwise (0) in the file itself.
    """

    kind: str
    transfer_syntax: str
    frames: int
    inflate_at: int = 0
    _offset: int = 0  # native: of the first frame
    _length: int = 0  # native: of each frame
    _offsets: array[int] = field(default_factory=lambda: array("Q"))  # encapsulated: of each fragment
    _lengths: array[int] = field(default_factory=lambda: array("I"))
    # encapsulated: frame k (from 0) is fragments _first[k] to _first[k + 1]
    _first: array[int] = field(default_factory=lambda: array("I"))

    @property
    def media(self) -> str:
        """The media type of a frame (PS3.18 Table 8.7.3-5)."""
        return transfer_syntax(self.transfer_syntax).media

    def pieces(self, number: int) -> list[tuple[int, int]]:
        """The (offset, length) pieces of a frame, ascending; `number` counts from 1. Raises IndexError."""
        if not 1 <= number <= self.frames:
            raise IndexError("no such frame")
        if self.kind == NATIVE:
            return [(self._offset + (number - 1) * self._length, self._length)]
        run = range(self._first[number - 1], self._first[number])
        return [(self._offsets[index], self._lengths[index]) for index in run]

    def length(self, number: int) -> int:
        """The size of a frame in bytes. Raises IndexError."""
        return sum(length for _, length in self.pieces(number))

    @property
    def end(self) -> int:
        """The offset behind the last byte of any frame: what the file, or its inflated form, must reach."""
        offset, length = self.pieces(self.frames)[-1]
        return offset + length

    def trimmed(self, length: int) -> FrameTable:
        """Each frame cut to `length` bytes, which its last piece has to reach."""
        lengths = array("I", self._lengths)
        for frame in range(self.frames):
            lengths[self._first[frame + 1] - 1] -= self.length(frame + 1) - length
        return replace(self, _lengths=lengths)

    def to_bytes(self) -> bytes:
        """The compact form: some 40 bytes for plain samples, 12 to 16 a fragment for the rest."""
        uid = self.transfer_syntax.encode("ascii")
        head = _HEAD.pack(
            _MAGIC,
            self.kind[:1].encode(),
            self.inflate_at,
            self._offset,
            self._length or len(self._offsets),
            self.frames,
            len(uid),
        )
        return (
            head
            + uid
            + b"".join(swapped(one).tobytes() for one in (self._offsets, self._lengths, self._first))
        )

    @classmethod
    def from_bytes(cls, form: bytes) -> FrameTable:
        """The table a compact form stands for. Raises Part10Error when it is none of ours."""
        try:
            return _parse(form)
        except (struct.error, ValueError):
            raise Part10Error("The frame table is damaged.") from None


def native_table(offset: int, length: int, frames: int) -> FrameTable:
    """Frames of equal length one behind another."""
    return FrameTable(NATIVE, EXPLICIT_LITTLE_ENDIAN, frames, _offset=offset, _length=length)


def encapsulated_table(uid: str, fragments: Fragments, grouping: Grouping) -> FrameTable:
    """Frames in fragments."""
    return FrameTable(
        ENCAPSULATED,
        uid,
        len(grouping.first) - 1,
        _offsets=fragments.offsets,
        _lengths=fragments.lengths if grouping.lengths is None else grouping.lengths,
        _first=grouping.first,
    )


def _parse(form: bytes) -> FrameTable:
    magic, kind, inflate_at, offset, length, frames, size = _HEAD.unpack_from(form)
    uid = form[_HEAD.size : _HEAD.size + size].decode("ascii")
    rest = form[_HEAD.size + size :]
    if magic != _MAGIC or len(uid) != size or not frames:
        raise ValueError
    if kind == b"n" and not rest and length:
        return FrameTable(NATIVE, uid, frames, inflate_at, _offset=offset, _length=length)
    if kind != b"e" or offset or len(rest) != 12 * length + 4 * (frames + 1):
        raise ValueError
    offsets = unpacked("Q", rest[: 8 * length])
    lengths = unpacked("I", rest[8 * length : 12 * length])
    first = unpacked("I", rest[12 * length :])
    ascending = all(map(lt, first, islice(first, 1, None)))
    if not ascending or first[0] != 0 or first[-1] != length:
        raise ValueError
    return FrameTable(ENCAPSULATED, uid, frames, inflate_at, 0, 0, offsets, lengths, first)
