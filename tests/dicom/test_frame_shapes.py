"""Every shape of encapsulated pixels (PS3.5 A.4), and the frames that come out of a file of that shape: those
that were put in, or none."""

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import EXTENDED_LENGTHS, EXTENDED_OFFSETS, scan_frames
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import ENCAPSULATED_UNCOMPRESSED, transfer_syntax
from tests.dicom import build
from tests.dicom.build import ITEM, SEQUENCE_END, UNDEFINED, element, identity, image

JPEG, RLE, J2K = build.JPEG, build.RLE, build.J2K
JPEG_LS, HTJ2K, JPEG_XL = (f"1.2.840.10008.1.2.4.{leaf}" for leaf in (80, 201, 110))
PLAIN = ENCAPSULATED_UNCOMPRESSED
MPEG4, FRAGMENTABLE = "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.100.1"
END = element(SEQUENCE_END, "")
SOI, SOC = b"\xff\xd8", b"\xff\x4f\xff\x51"


class Shape(NamedTuple):
    """Pixel data as it stands: fragments, tables, and the frames it is to give (None: not derivable)."""

    syntax: str
    frames: int | None
    fragments: Sequence[bytes]
    expected: Sequence[bytes] | None
    basic: bytes = b""
    extended: tuple[Sequence[int], Sequence[int]] | None = None
    end: bytes = END


def basic(*offsets: int) -> bytes:
    return struct.pack(f"<{len(offsets)}L", *offsets)


def packed(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def file_of(shape: Shape) -> bytes:
    head = identity() + image(rows=2, columns=2, frames=shape.frames)
    if shape.extended is not None:
        for tag, numbers in zip((EXTENDED_OFFSETS, EXTENDED_LENGTHS), shape.extended, strict=True):
            head += element(tag, "OV", packed(numbers))
    values = (shape.basic, *shape.fragments)
    items = b"".join(element(ITEM, "", value, length=len(value)) for value in values)
    pixels = element(0x7FE00010, "OB", items, length=UNDEFINED) + shape.end
    return build.part10(head + pixels, shape.syntax)


def frames_of(shape: Shape) -> list[bytes] | None:
    """The frames of a file of this shape, by its frame table after it was kept and read back."""
    file = file_of(shape)
    table = scan_frames(source.of_bytes(file))
    if table is None:
        return None
    kept = FrameTable.from_bytes(table.to_bytes())
    assert kept.end <= len(file)
    return [
        b"".join(file[at : at + size] for at, size in kept.pieces(number))
        for number in range(1, kept.frames + 1)
    ]


# Three frames; the second in two parts.
A, B1, B2, C = SOI + b"first.", SOI + b"sec", b"ond...", SOI + b"third!"
B1 += b"\0"
B = B1 + B2
PARTS, WHOLE = (A, B1, B2, C), (A, B1 + B2, C)
OFFSETS, WHOLE_OFFSETS = (0, 16, 44), (0, 16, 36)  # of the frames: items have a head of eight bytes
LENGTHS = (8, 12, 8)
K1, K2, K3 = SOC + b"one.", b"more", SOC + b"two."

SHAPES = {
    # Basic Offset Table
    "empty table, a fragment a frame": Shape(JPEG, 3, WHOLE, WHOLE),
    "table, a fragment a frame": Shape(JPEG, 3, WHOLE, WHOLE, basic(*WHOLE_OFFSETS)),
    "table, a frame in parts": Shape(JPEG, 3, PARTS, WHOLE, basic(*OFFSETS)),
    "table, no start markers in the syntax": Shape(JPEG_XL, 3, PARTS, WHOLE, basic(*OFFSETS)),
    "table, one frame in parts": Shape(JPEG, 1, (A, B2), (A + B2,), basic(0)),
    "table, frames left out": Shape(JPEG, None, (A, B2), (A + B2,), basic(0)),
    # A table that does not hold is as good as none: then the fragments decide.
    "table beside the items": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 16, 37)),
    "table not from 0": Shape(JPEG, 3, PARTS, WHOLE, basic(16, 30, 44)),
    "table descending": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 44, 16)),
    "table standing still": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 16, 16)),
    "table too short": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 16)),
    "table too long": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 16, 30, 44)),
    "table of half numbers": Shape(JPEG, 3, PARTS, WHOLE, basic(*OFFSETS)[:-2]),
    "table beyond the end": Shape(JPEG, 3, PARTS, WHOLE, basic(0, 16, 0xFFFFFFFE)),
    "wrong table, no start markers": Shape(JPEG_XL, 3, PARTS, None, basic(0, 16, 37)),
    "wrong table, one frame": Shape(JPEG, 1, (A, B2), (A + B2,), basic(4)),
    "table into the middle of a frame": Shape(JPEG, 3, PARTS, None, basic(0, 16, 30)),
    "table of two frames, one frame said": Shape(JPEG, 1, (A, C), None, basic(0, 16)),
    # No table
    "one frame in one part": Shape(JPEG, 1, (A,), (A,)),
    "one frame in parts": Shape(JPEG, 1, (B1, B2, B2), (B1 + B2 + B2,)),
    "one frame in parts, frames left out": Shape(J2K, None, (K1, K2), (K1 + K2,)),
    "one frame said, two codestreams": Shape(JPEG, 1, (A, C), None),
    "one frame, begun in the second part": Shape(JPEG, 1, (B2, A), None),
    "one frame, another start": Shape(J2K, 1, (b"\0\0\0\x0cjP  ", b"more"), (b"\0\0\0\x0cjP  more",)),
    "frames in parts by their start": Shape(JPEG, 3, PARTS, WHOLE),
    "frames in parts by their start, JPEG-LS": Shape(JPEG_LS, 3, PARTS, WHOLE),
    "frames in parts by their start, JPEG 2000": Shape(J2K, 2, (K1, K2, K2, K3), (K1 + K2 + K2, K3)),
    "frames in parts by their start, HTJ2K": Shape(HTJ2K, 2, (K1, K3, K2), (K1, K3 + K2)),
    "frames in parts, the start of another codec": Shape(J2K, 3, PARTS, None),
    "frames in parts, no start markers": Shape(JPEG_XL, 3, PARTS, None),
    "a part that begins like a frame": Shape(JPEG, 3, (A, B1, SOI + b"ond.", B2, C), None),
    "fewer frames than said": Shape(JPEG, 5, PARTS, None),
    "more frames than said": Shape(JPEG, 2, PARTS, None),
    "as many parts as frames, but not of them": Shape(JPEG, 4, PARTS, None),
    "a fragment a frame, no start markers": Shape(JPEG_XL, 3, WHOLE, WHOLE),
    "a fragment a frame, another start": Shape(JPEG, 2, (b"abcd", b"efgh"), (b"abcd", b"efgh")),
    # Extended Offset Table: lengths without padding
    "extended table": Shape(JPEG, 3, WHOLE, (A, B, C[:-1]), b"", (WHOLE_OFFSETS, (8, 12, 7))),
    "extended table beside a basic one": Shape(
        JPEG, 3, WHOLE, None, basic(*WHOLE_OFFSETS), (WHOLE_OFFSETS, LENGTHS)
    ),
    "extended table, a frame in parts": Shape(JPEG, 3, PARTS, None, b"", (OFFSETS, LENGTHS)),
    "extended table beside the items": Shape(JPEG, 3, WHOLE, None, b"", ((0, 17, 36), LENGTHS)),
    "extended lengths beyond the fragment": Shape(JPEG, 3, WHOLE, None, b"", (WHOLE_OFFSETS, (9, 12, 8))),
    "extended lengths two bytes short": Shape(JPEG, 3, WHOLE, None, b"", (WHOLE_OFFSETS, (6, 12, 8))),
    "extended table too short": Shape(JPEG, 3, WHOLE, None, b"", ((0, 16), (8, 12))),
    "extended table without lengths": Shape(JPEG, 3, WHOLE, None, b"", (WHOLE_OFFSETS, ())),
    "extended table of one frame": Shape(JPEG, 1, (A,), (A[:-1],), b"", ((0,), (7,))),
    # RLE: always one fragment
    "RLE": Shape(RLE, 2, (b"abcd", b"efgh"), (b"abcd", b"efgh")),
    "RLE with a wrong table": Shape(RLE, 2, (b"abcd", b"efgh"), (b"abcd", b"efgh"), basic(0, 13)),
    "RLE, a frame in parts": Shape(RLE, 2, (b"abcd", b"ef", b"gh"), None, basic(0, 12)),
    "RLE, one frame in parts": Shape(RLE, 1, (b"abcd", b"ef"), None),
    # Fragments nobody should write
    "an empty fragment": Shape(JPEG, 3, (A, b"", B, C), None),
    "an empty fragment at the end": Shape(JPEG, 3, (*WHOLE, b""), None),
    "an empty fragment alone": Shape(JPEG, 1, (b"",), None),
    "no fragment": Shape(JPEG, 1, (), None),
    "no fragment, a table": Shape(JPEG, 1, (), None, basic(0)),
    "an odd fragment": Shape(JPEG, 2, (A + b"!", C), (A + b"!", C)),
    "a padded fragment": Shape(JPEG, 2, (A + b"\0\0", C), (A + b"\0\0", C)),
    # Video is one stream, whose frames nobody can cut
    "video": Shape(MPEG4, 3, (b"stream",), None),
    "video in parts": Shape(FRAGMENTABLE, 3, (b"stre", b"am"), None),
    "video of one frame": Shape(MPEG4, 1, (b"stream",), None),
    # Plain samples
    "uncompressed": Shape(PLAIN, 2, (b"abcd", b"efgh"), (b"abcd", b"efgh")),
    "uncompressed in parts": Shape(PLAIN, 2, (b"ab", b"cd", b"efgh"), (b"abcd", b"efgh"), basic(0, 20)),
    "uncompressed in parts, no table": Shape(PLAIN, 2, (b"ab", b"cd", b"efgh"), None),
    "uncompressed, one frame in parts": Shape(PLAIN, 1, (b"ab", b"cd"), (b"abcd",)),
    "uncompressed of another size": Shape(PLAIN, 2, (b"abcdef", b"efghij"), None),
    # Behind it
    "more behind": Shape(JPEG, 3, WHOLE, WHOLE, end=END + element(0xFFFCFFFC, "OB", b"padding!")),
    "zeros behind": Shape(JPEG, 3, WHOLE, WHOLE, end=END + bytes(5)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_gives_the_frames_that_were_put_in_or_none(name: str) -> None:
    shape = SHAPES[name]
    assert frames_of(shape) == (None if shape.expected is None else list(shape.expected))


DAMAGED = {
    "no delimiter": Shape(JPEG, 3, WHOLE, None, end=b""),
    "half a delimiter": Shape(JPEG, 3, WHOLE, None, end=END[:6]),
    "another element for a delimiter": Shape(
        JPEG, 3, WHOLE, None, end=element(0xFFFCFFFC, "OB", b"padding!")
    ),
    "a fragment that was cut": Shape(JPEG, 1, (A,), None, end=element(ITEM, "", b"abc", length=1000)),
    "a fragment of undefined length": Shape(
        JPEG, 1, (A,), None, end=element(ITEM, "", b"", length=UNDEFINED)
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_shape_is_an_error(name: str) -> None:
    with pytest.raises(Part10Error):
        frames_of(DAMAGED[name])


# A frame in parts: the first begins as a codestream, the others do not.
PART = st.binary(min_size=1, max_size=9).map(lambda part: b"x" + part)
FRAME = st.tuples(PART, st.lists(PART, max_size=3))
SYNTAXES = st.sampled_from([JPEG, JPEG_LS, J2K, HTJ2K, JPEG_XL, RLE])


@settings(deadline=None)
@given(st.lists(FRAME, min_size=1, max_size=6), SYNTAXES, st.sampled_from(["none", "basic", "extended"]))
def test_frames_come_out_as_they_went_in_or_not_at_all(
    made: list[tuple[bytes, list[bytes]]], syntax: str, table: str
) -> None:
    start = transfer_syntax(syntax).start
    frames = [[start + first, *rest] for first, rest in made]
    fragments = [part for frame in frames for part in frame]
    tags = list(accumulate((len(part) + 8 for part in fragments), initial=0))
    firsts = list(accumulate((len(frame) for frame in frames), initial=0))
    offsets = [tags[first] for first in firsts[:-1]]
    whole = [b"".join(frame) for frame in frames]
    shape = Shape(
        syntax,
        len(frames),
        fragments,
        whole,
        basic(*offsets) if table == "basic" else b"",
        (offsets, [len(frame) for frame in whole]) if table == "extended" else None,
    )
    found = frames_of(shape)
    parted = len(fragments) > len(frames)
    doubtful = parted and (
        table == "extended" or syntax == RLE or (table == "none" and not start and len(frames) > 1)
    )
    assert found == (None if doubtful else whole)


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=6) | st.just(SOI + b"a"), max_size=6),
    st.integers(0, 7),
    SYNTAXES,
    st.binary(max_size=24) | st.lists(st.integers(0, 60), max_size=6).map(lambda numbers: basic(*numbers)),
    st.none() | st.tuples(st.lists(st.integers(0, 60), max_size=4), st.lists(st.integers(0, 9), max_size=4)),
)
def test_whatever_stands_there_every_byte_is_in_one_frame_or_there_are_none(
    fragments: list[bytes],
    frames: int,
    syntax: str,
    table: bytes,
    extended: tuple[list[int], list[int]] | None,
) -> None:
    found = frames_of(Shape(syntax, frames, fragments, None, table, extended))
    if found is None:
        return
    assert len(found) == frames
    assert all(found)
    joined, whole = b"".join(found), b"".join(fragments)
    assert joined == whole or (extended is not None and len(whole) - len(joined) <= len(fragments))
