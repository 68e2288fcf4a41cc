import struct
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_fragments

from edgerouter.dicom import source
from edgerouter.dicom.encapsulated import Fragments, Grouping, group, read_fragments
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import transfer_syntax
from tests.dicom import build
from tests.dicom.build import ITEM, SEQUENCE_END, element

SOI = b"\xff\xd8"
JPEG, RLE, UNCOMPRESSED = (transfer_syntax(uid) for uid in (build.JPEG, build.RLE, "1.2.840.10008.1.2.1.98"))
JPEG_XL = transfer_syntax("1.2.840.10008.1.2.4.110")


def value(*values: bytes, table: bytes = b"") -> bytes:
    items = b"".join(element(ITEM, "", one, length=len(one)) for one in (table, *values))
    return items + element(SEQUENCE_END, "")


def read(*values: bytes, table: bytes = b"", start: bytes = SOI) -> Fragments:
    return read_fragments(source.of_bytes(value(*values, table=table)), start)


def basic(*offsets: int) -> bytes:
    return struct.pack(f"<{len(offsets)}L", *offsets)


def extended(offsets: list[int], lengths: list[int]) -> tuple[bytes, bytes]:
    return struct.pack(f"<{len(offsets)}Q", *offsets), struct.pack(f"<{len(lengths)}Q", *lengths)


def runs(grouping: Grouping | None) -> list[tuple[int, int]] | None:
    return list(pairwise(grouping.first)) if grouping else None


A, B, C = SOI + b"aa", b"bbbb", SOI + b"cc"


@given(st.lists(st.binary(max_size=40), max_size=8), st.binary(max_size=12))
def test_fragments_are_found_where_pydicom_finds_them(values: list[bytes], table: bytes) -> None:
    data = value(*values, table=table)
    fragments = read_fragments(source.of_bytes(data), SOI)
    cut = [data[at : at + size] for at, size in zip(fragments.offsets, fragments.lengths, strict=True)]
    assert cut == list(generate_fragments(data))[1:]
    assert fragments.basic == table
    assert list(fragments.opens) == [one.startswith(SOI) for one in values]


def test_the_source_stands_behind_the_delimiter_afterwards() -> None:
    reader = source.of_bytes(value(A, B) + b"next")
    read_fragments(reader, SOI)
    assert reader.take(4) == b"next"


@pytest.mark.parametrize(
    "data",
    [
        value(A)[:-8],
        value(A)[:-10],
        element(ITEM, "", b"", length=0) + element(ITEM, "", b"abc", length=2**31),
        element(ITEM, "", b"", length=0) + element(ITEM, "", b"abc", length=0xFFFFFFFF),
        element(ITEM, "", b"", length=2**31),
        element(0x00080016, "UI", b"1.2"),
    ],
    ids=["no delimiter", "cut", "giant fragment", "undefined length", "giant table", "no item"],
)
def test_damaged_items_are_an_error(data: bytes) -> None:
    with pytest.raises(Part10Error):
        read_fragments(source.of_bytes(data), SOI)


def test_pixel_data_without_any_item_has_no_fragments() -> None:
    assert len(read_fragments(source.of_bytes(element(SEQUENCE_END, "")))) == 0
    assert group(read(), 1, JPEG) is None


def test_a_table_joins_the_fragments_of_each_frame() -> None:
    assert runs(group(read(A, B, C, table=basic(0, 24)), 2, JPEG)) == [(0, 2), (2, 3)]


@pytest.mark.parametrize(
    "table", [basic(0), basic(0, 23), basic(4, 24), basic(24, 0), basic(0, 0), basic(0, 12, 24), b"abc"]
)
def test_a_table_that_is_not_to_be_believed_is_ignored(table: bytes) -> None:
    by_start = [(0, 2), (2, 3)]
    assert runs(group(read(A, B, C, table=table), 2, JPEG)) == by_start
    assert group(read(A, B, C, table=table, start=b""), 2, JPEG_XL) is None


def test_one_frame_is_all_fragments_unless_they_say_there_are_more() -> None:
    assert runs(group(read(A, B, B), 1, JPEG)) == [(0, 3)]
    assert runs(group(read(B, B), 1, JPEG)) == [(0, 2)]
    assert runs(group(read(A, B, table=basic(0)), 1, JPEG)) == [(0, 2)]
    assert group(read(A, C), 1, JPEG) is None
    assert group(read(A, B, table=basic(0, 12)), 1, JPEG) is None


def test_as_many_fragments_as_frames_are_one_each() -> None:
    assert runs(group(read(B, B, B), 3, JPEG_XL)) == [(0, 1), (1, 2), (2, 3)]


def test_frames_begin_where_a_codestream_begins_if_the_count_is_right() -> None:
    assert runs(group(read(A, B, B, C, B), 2, JPEG)) == [(0, 3), (3, 5)]
    assert group(read(A, B, B, C, B), 3, JPEG) is None
    assert group(read(B, A, C), 2, JPEG) is None
    assert group(read(A, B, B, start=b""), 2, UNCOMPRESSED) is None


def test_rle_has_exactly_one_fragment_for_each_frame() -> None:
    assert runs(group(read(B, B, table=basic(0, 99)), 2, RLE)) == [(0, 1), (1, 2)]
    assert group(read(B, B), 1, RLE) is None
    assert group(read(B, B, B, table=basic(0, 12)), 2, RLE) is None


def test_an_extended_table_gives_the_exact_lengths() -> None:
    grouping = group(read(A, C), 2, JPEG, extended([0, 12], [4, 3]))
    assert runs(grouping) == [(0, 1), (1, 2)]
    assert grouping is not None
    assert grouping.lengths is not None
    assert list(grouping.lengths) == [4, 3]


@pytest.mark.parametrize(
    ("offsets", "lengths", "table"),
    [
        ([0, 13], [4, 4], b""),
        ([0], [4], b""),
        ([0, 12], [4], b""),
        ([0, 12], [4, 5], b""),
        ([0, 12], [4, 2], b""),
        ([0, 12], [4, 4], basic(0, 12)),
        ([0, 2**63], [4, 2**63], b""),
    ],
)
def test_an_extended_table_that_does_not_fit_makes_the_frames_doubtful(
    offsets: list[int], lengths: list[int], table: bytes
) -> None:
    assert group(read(A, C, table=table), 2, JPEG, extended(offsets, lengths)) is None


@pytest.mark.parametrize("frames", [0, -1, 4, 2**31])
def test_a_number_of_frames_that_cannot_be_is_doubtful(frames: int) -> None:
    assert group(read(A, B, C), frames, JPEG) is None


def test_an_empty_fragment_is_doubtful() -> None:
    assert group(read(A, b"", C), 2, JPEG) is None


SIZES = st.lists(
    st.lists(st.integers(1, 20).map(lambda half: 2 * half), min_size=1, max_size=4), min_size=1, max_size=6
)


@given(SIZES)
def test_any_legal_shape_is_grouped_as_it_was_made(frames: list[list[int]]) -> None:
    values = [
        SOI + b"x" * (size - 2) if first else b"y" * size
        for frame in frames
        for first, size in zip([True, *[False] * len(frame)], frame, strict=False)
    ]
    starts = list(accumulate((len(frame) for frame in frames), initial=0))
    tags = list(accumulate((len(one) + 8 for one in values), initial=0))
    made = list(pairwise(starts))
    by_table = read(*values, table=basic(*(tags[start] for start in starts[:-1])))
    assert runs(group(by_table, len(frames), JPEG)) == made
    assert runs(group(by_table, len(frames), JPEG_XL)) == made
    assert runs(group(read(*values), len(frames), JPEG)) == made
