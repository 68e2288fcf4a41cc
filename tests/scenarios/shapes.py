"""Instances whose pixels are given frames, in every shape in which PS3.10 files hold them.

SHAPES["jpeg, offset table"].file(uids, frames)   # a file, of which each frame can be cut out again
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerouter.dicom.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from tests.dicom.build import J2K, JPEG, RLE, element, fragments, image, part10

START = {JPEG: b"\xff\xd8", J2K: b"\xff\x4f\xff\x51"}
MEDIA = {JPEG: "image/jpeg", J2K: "image/jp2", RLE: "image/dicom-rle"}
Attributes = Sequence[tuple[int, str, str]]
Frames = Sequence[bytes]


@dataclass(frozen=True)
class Shape:
    """`pixels` makes the elements from Pixel Data's group on."""

    syntax: str
    pixels: Callable[[Frames], bytes]

    @property
    def form(self) -> str:
        """The Content-Type of its frames, as they are stored."""
        if self.syntax in MEDIA:
            return f"{MEDIA[self.syntax]}; transfer-syntax={self.syntax}"
        uid = self.syntax if self.syntax == ENCAPSULATED_UNCOMPRESSED else EXPLICIT_LITTLE_ENDIAN
        return f"application/octet-stream; transfer-syntax={uid}"

    def frame(self, noise: bytes) -> bytes:
        """A frame as it may stand in a file of this shape, from any bytes of even length."""
        return START.get(self.syntax, b"") + noise[len(START.get(self.syntax, b"")) :]

    def file(self, attributes: Attributes, frames: Frames, *, padding: bytes = b"") -> bytes:
        """A PS3.10 file; `padding` stands in a private element in front of the pixels."""
        explicit = self.syntax != IMPLICIT_LITTLE_ENDIAN
        rows, columns = _area(len(frames[0]))
        head = b"".join(element(tag, vr, value, explicit=explicit) for tag, vr, value in attributes)
        form = image(rows=rows, columns=columns, frames=len(frames), explicit=explicit)
        private = element(0x00291010, "OB", padding, explicit=explicit) if padding else b""
        return part10(head + form + private + self.pixels(frames), self.syntax)


def _area(size: int) -> tuple[int, int]:
    columns = next(number for number in range(min(size, 0xFFFF), 0, -1) if size % number == 0)
    return size // columns, columns


def native(frames: Frames) -> bytes:
    return element(0x7FE00010, "OW", b"".join(frames))


def implicit(frames: Frames) -> bytes:
    return element(0x7FE00010, "OW", b"".join(frames), explicit=False)


def halves(frames: Frames) -> list[bytes]:
    """Every frame in two fragments."""
    half = len(frames[0]) // 4 * 2
    return [piece for frame in frames for piece in (frame[:half], frame[half:])]


def one_each(frames: Frames) -> bytes:
    return fragments(*frames)


def one_each_with_table(frames: Frames) -> bytes:
    return fragments(*frames, table=[sum(len(one) + 8 for one in frames[:at]) for at in range(len(frames))])


def several_with_table(frames: Frames) -> bytes:
    offsets = [sum(len(one) + 16 for one in frames[:at]) for at in range(len(frames))]
    return fragments(*halves(frames), table=offsets)


def several_by_start(frames: Frames) -> bytes:
    return fragments(*halves(frames))


def extended_table(frames: Frames) -> bytes:
    """Offsets and lengths; an odd length is told by the table alone, its fragment is padded."""
    offsets = [sum(len(one) + 8 for one in frames[:at]) for at in range(len(frames))]
    tables = (
        element(tag, "OV", struct.pack(f"<{len(frames)}Q", *values))
        for tag, values in ((0x7FE00001, offsets), (0x7FE00002, [len(one) for one in frames]))
    )
    return b"".join(tables) + fragments(*frames)


SHAPES = {
    "native": Shape(EXPLICIT_LITTLE_ENDIAN, native),
    "implicit": Shape(IMPLICIT_LITTLE_ENDIAN, implicit),
    "deflated": Shape(DEFLATED_LITTLE_ENDIAN, native),
    "rle": Shape(RLE, one_each),
    "jpeg": Shape(JPEG, one_each),
    "jpeg, offset table": Shape(JPEG, one_each_with_table),
    "jpeg, fragments and offset table": Shape(JPEG, several_with_table),
    "jpeg, fragments by their start": Shape(JPEG, several_by_start),
    "j2k, fragments by their start": Shape(J2K, several_by_start),
    "jpeg, extended offset table": Shape(JPEG, extended_table),
}
