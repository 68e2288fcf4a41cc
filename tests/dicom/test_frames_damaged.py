"""Frame tables of files that are cut, damaged, still arriving or very long."""

import contextlib
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import file_table, growing_table, read_frame
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN
from tests.dicom import build
from tests.dicom.build import element, identity, image, number
from tests.dicom.test_frames import JPEGS, PIXELS, encapsulated, native, table_of


def test_a_file_whose_pixels_are_cut_is_an_error() -> None:
    file = native(b"abcd", image())
    for size in range(132, len(file)):
        if size == len(file) - 16:
            continue  # cut exactly before the pixels it is a whole file without any
        with contextlib.suppress(Part10Error):
            assert table_of(file[:size]) is None
    with pytest.raises(Part10Error):
        table_of(file[:-1])


def test_two_gigabytes_declared_and_three_bytes_there_is_an_error() -> None:
    huge = image(rows=46341, columns=46341)
    with pytest.raises(Part10Error, match="past the end"):
        table_of(build.part10(identity() + huge + element(PIXELS, "OW", b"abc", length=46341 * 46341)))


def test_of_a_growing_file_the_frames_are_known_before_they_are_there() -> None:
    file = native(bytes(1 << 20), image(rows=1024, columns=1024))
    table = growing_table(file[:4096])
    assert table == table_of(file)
    with pytest.raises(NeedMore):
        growing_table(file[:300])
    assert growing_table(encapsulated(encapsulate(JPEGS), image(frames=3))) is None
    data_set = identity() + image() + element(PIXELS, "OW", b"abcd")
    assert growing_table(build.part10(data_set, DEFLATED_LITTLE_ENDIAN)) is None


def test_a_frame_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(native(b"abcd", image()))
    table = FrameTable.from_bytes(file_table(str(tmp_path / "f")))
    with pytest.raises(IndexError):
        list(read_frame(str(tmp_path / "f"), table, 2))


SEEDS = [
    encapsulated(encapsulate(JPEGS, fragments_per_frame=2), image(frames=3)),
    native(b"abcdefgh", image(frames=2) + number(0x00280103, 0)),
    build.part10(identity() + image(frames=2) + element(PIXELS, "OW", b"abcdefgh"), DEFLATED_LITTLE_ENDIAN),
    build.sample("SC_rgb_rle_2frame.dcm").read_bytes(),
    build.sample("examples_ybr_color.dcm").read_bytes()[:60_000],
]


@settings(max_examples=400)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(0, 6), st.booleans())
def test_no_damage_makes_a_frame_reach_outside_its_file(
    seed: bytes, chance: random.Random, damages: int, truncated: bool
) -> None:
    file = bytearray(seed)
    for _ in range(damages):
        at = chance.randrange(132, min(len(file), 3000))
        file[at] = chance.choice([chance.randrange(256), 0xFF, 0])
    if truncated:
        del file[chance.randrange(132, len(file)) :]
    with contextlib.suppress(Part10Error):
        table = table_of(bytes(file))
        if table is not None and not table.inflate_at:
            assert 132 < table.pieces(1)[0][0] < table.end <= len(file)
            assert all(
                length > 0 for one in range(1, min(table.frames, 99) + 1) for _, length in table.pieces(one)
            )


def test_a_hundred_thousand_frames_are_found_without_reading_them(tmp_path: Path) -> None:
    count = 100_000
    head = element(build.ITEM, "", b"", length=0)
    value = head + (element(build.ITEM, "", b"\xff\xd8ab", length=4)) * count
    (tmp_path / "f").write_bytes(encapsulated(value, image(frames=count)))
    table = FrameTable.from_bytes(file_table(str(tmp_path / "f")))
    assert table.frames == count
    assert b"".join(read_frame(str(tmp_path / "f"), table, count)) == b"\xff\xd8ab"
    assert struct.calcsize("<Q") * count < len(table.to_bytes()) < 17 * count
