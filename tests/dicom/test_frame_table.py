import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.encapsulated import group, read_fragments
from edgerouter.dicom.frame_table import FrameTable, encapsulated_table, native_table
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import transfer_syntax
from tests.dicom import build


def encapsulated(*values: bytes, frames: int) -> FrameTable:
    data = build.fragments(*values)[12:]
    fragments = read_fragments(source.of_bytes(data), b"\xff\xd8")
    grouping = group(fragments, frames, transfer_syntax(build.JPEG))
    assert grouping is not None
    return encapsulated_table(build.JPEG, fragments, grouping)


JOINED = encapsulated(b"\xff\xd8aa", b"bbbb", b"\xff\xd8cc", frames=2)


def test_native_frames_stand_one_behind_another() -> None:
    table = native_table(1000, 50, 3)
    assert table.pieces(1) == [(1000, 50)]
    assert table.pieces(3) == [(1100, 50)]
    assert table.end == 1150
    assert table.media == "application/octet-stream"


def test_an_encapsulated_frame_may_have_several_pieces() -> None:
    assert JOINED.pieces(1) == [(16, 4), (28, 4)]
    assert JOINED.pieces(2) == [(40, 4)]
    assert JOINED.length(1) == 8
    assert JOINED.end == 44
    assert JOINED.media == "image/jpeg"


@pytest.mark.parametrize("table", [native_table(1000, 50, 2), JOINED])
@pytest.mark.parametrize("number", [0, -1, 3, 2**40])
def test_there_is_no_frame_beyond_the_first_and_the_last(table: FrameTable, number: int) -> None:
    with pytest.raises(IndexError):
        table.pieces(number)


def test_a_trimmed_table_ends_each_frame_at_its_length() -> None:
    trimmed = encapsulated(b"\xff\xd8aa", b"bbbb", b"\xff\xd8cccccc", frames=2).trimmed(7)
    assert trimmed.pieces(1) == [(16, 4), (28, 3)]
    assert trimmed.pieces(2) == [(40, 7)]


@pytest.mark.parametrize("table", [native_table(2**40, 2**33, 2**30), JOINED])
def test_the_compact_form_stands_for_the_same_table(table: FrameTable) -> None:
    assert FrameTable.from_bytes(table.to_bytes()) == table


def test_the_compact_form_is_the_same_on_a_machine_of_the_other_byte_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = JOINED.to_bytes()
    monkeypatch.setattr("sys.byteorder", "big" if sys.byteorder == "little" else "little")
    there = JOINED.to_bytes()  # this machine swaps what the other would not
    assert there != here
    assert FrameTable.from_bytes(there) == JOINED


def test_the_compact_form_of_plain_samples_is_small_whatever_they_are() -> None:
    assert len(native_table(2**40, 2**33, 2**30).to_bytes()) < 64


@given(st.binary(max_size=80))
def test_any_other_bytes_are_refused(form: bytes) -> None:
    with pytest.raises(Part10Error):
        FrameTable.from_bytes(form)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_damaged_form_is_refused_or_stays_a_table_with_pieces(at: int, flip: int) -> None:
    form = bytearray(JOINED.to_bytes())
    form[at % len(form)] ^= flip
    try:
        table = FrameTable.from_bytes(bytes(form))
    except Part10Error:
        return
    assert all(table.pieces(number) for number in range(1, min(table.frames, 10) + 1))


def test_a_cut_form_is_refused() -> None:
    for form in (JOINED.to_bytes(), native_table(1, 1, 1).to_bytes()):
        for size in range(len(form)):
            with pytest.raises(Part10Error):
                FrameTable.from_bytes(form[:size])
        with pytest.raises(Part10Error):
            FrameTable.from_bytes(form + b"x")


def test_runs_of_fragments_out_of_order_are_refused() -> None:
    form = JOINED.to_bytes()
    for first in ((0, 3, 2), (1, 2, 3), (0, 2, 4), (0, 0, 3)):
        with pytest.raises(Part10Error):
            FrameTable.from_bytes(form[:-12] + struct.pack("<3L", *first))
