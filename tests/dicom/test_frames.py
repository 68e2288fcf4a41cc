import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from edgerouter.dicom import source
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import file_table, read_frame, scan_frames
from edgerouter.dicom.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from tests.dicom import build
from tests.dicom.build import READABLE, element, identity, image, oracle

PIXELS = 0x7FE00010
# Samples with pixels whose frames are not derivable, and why.
NOT_DERIVABLE = {
    "nested_priv_SQ.dcm": "neither rows nor columns",
    "badVR.dcm": "the number of frames is 1A",
    "MR_small_padded.dcm": "more padding than a byte",
    "chrJapMulti.dcm": "fewer pixels than rows and columns say",
    "chrJapMultiExplicitIR6.dcm": "fewer pixels than rows and columns say",
    "chrKoreanMulti.dcm": "fewer pixels than rows and columns say",
}


def table_of(file: bytes) -> FrameTable | None:
    return scan_frames(source.of_bytes(file))


def cut(file: bytes, table: FrameTable) -> list[bytes]:
    numbers = range(1, table.frames + 1)
    return [b"".join(file[at : at + size] for at, size in table.pieces(one)) for one in numbers]


def native(pixels: bytes, head: bytes, *, tag: int = PIXELS, vr: str = "OW") -> bytes:
    return build.part10(identity() + head + element(tag, vr, pixels))


def encapsulated(value: bytes, head: bytes, syntax: str = build.JPEG) -> bytes:
    pixels = element(PIXELS, "OB", value, length=build.UNDEFINED) + element(build.SEQUENCE_END, "")
    return build.part10(identity() + head + pixels, syntax)


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_the_frames_of_the_samples_are_those_pydicom_cuts(path: Path) -> None:
    form, data_set = file_table(str(path)), oracle(path)
    if "PixelData" not in data_set or path.name in NOT_DERIVABLE:
        assert form == b""
        return
    table = FrameTable.from_bytes(form)
    count = 1 if data_set.get("NumberOfFrames") is None else int(data_set.NumberOfFrames)
    got = [b"".join(read_frame(str(path), table, one)) for one in range(1, table.frames + 1)]
    if data_set.file_meta.TransferSyntaxUID.is_encapsulated:
        expected = list(generate_frames(data_set.PixelData, number_of_frames=count))
        assert table.transfer_syntax == data_set.file_meta.TransferSyntaxUID
    else:
        size = table.length(1)
        expected = [data_set.PixelData[one * size : (one + 1) * size] for one in range(count)]
        assert len(data_set.PixelData) - count * size in (0, 1)
        assert table.transfer_syntax == EXPLICIT_LITTLE_ENDIAN
    assert got == expected


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([1, 3, 4]),
    st.sampled_from([8, 16, 32]),
    st.integers(1, 4),
)
def test_plain_samples_of_any_shape_are_cut_at_the_frame_size(
    rows: int, columns: int, samples: int, bits: int, count: int
) -> None:
    size = rows * columns * samples * bits // 8
    parts = [bytes([one]) * size for one in range(count)]
    head = image(rows=rows, columns=columns, samples=samples, bits=bits, frames=count)
    file = native(b"".join(parts), head)
    table = table_of(file)
    assert table is not None
    assert cut(file, table) == parts


def test_implicit_and_deflated_samples_are_given_out_as_explicit_little_endian(tmp_path: Path) -> None:
    for syntax in (IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN):
        explicit = syntax != IMPLICIT_LITTLE_ENDIAN
        pixels = element(PIXELS, "OW", b"abcdefgh", explicit=explicit)
        data_set = identity(explicit=explicit) + image(frames=2, explicit=explicit) + pixels
        (tmp_path / "f").write_bytes(build.part10(data_set, syntax))
        table = FrameTable.from_bytes(file_table(str(tmp_path / "f")))
        assert table.transfer_syntax == EXPLICIT_LITTLE_ENDIAN
        assert bool(table.inflate_at) == (syntax == DEFLATED_LITTLE_ENDIAN)
        assert [b"".join(read_frame(str(tmp_path / "f"), table, one)) for one in (1, 2)] == [b"abcd", b"efgh"]


def test_the_pad_byte_belongs_to_no_frame() -> None:
    file = native(b"abcdefghi\0", image(rows=3, columns=3))
    table = table_of(file)
    assert table is not None
    assert cut(file, table) == [b"abcdefghi"]


def test_full_422_has_two_bytes_for_a_pixel() -> None:
    head = image(rows=2, columns=2, samples=3, photometric="YBR_FULL_422", frames=2)
    file = native(b"abcdefghABCDEFGH", head)
    table = table_of(file)
    assert table is not None
    assert cut(file, table) == [b"abcdefgh", b"ABCDEFGH"]


@pytest.mark.parametrize(("tag", "vr", "bits"), [(0x7FE00008, "OF", 32), (0x7FE00009, "OD", 64)])
def test_float_and_double_pixels_are_frames_too(tag: int, vr: str, bits: int) -> None:
    pixels = bytes(range(4 * bits // 8))
    file = native(pixels, image(bits=bits), tag=tag, vr=vr)
    table = table_of(file)
    assert table is not None
    assert cut(file, table) == [pixels]
    assert table_of(native(pixels, image(bits=bits // 2), tag=tag, vr=vr)) is None


def test_bits_are_frames_where_they_begin_on_a_byte() -> None:
    file = native(b"abcd", image(rows=4, columns=4, bits=1, frames=2))
    table = table_of(file)
    assert table is not None
    assert cut(file, table) == [b"ab", b"cd"]
    one = table_of(native(b"ab", image(rows=3, columns=3, bits=1)))
    assert one is not None
    assert one.length(1) == 2
    assert table_of(native(b"abc", image(rows=3, columns=3, bits=1, frames=2))) is None


@pytest.mark.parametrize(
    "file",
    [
        native(b"ab", image()),
        native(b"abcdefgh", image()),
        native(b"abcd", image(frames=2)),
        native(b"abcd", image(frames="0")),
        native(b"abcd", image(frames="-1")),
        native(b"abcd", image(frames="1.0")),
        native(b"abcd", image(frames=10**30)),
        native(b"abcd", image(rows=0)),
        native(b"abcdef", image(bits=12)),
        native(b"abcdef", image(samples=3, photometric="YBR_PARTIAL_420")),
        native(b"abcdef", image(columns=1, rows=3, samples=3, photometric="YBR_FULL_422")),
        native(b"abcd", b""),
        build.part10(identity() + image()),
        build.part10(identity() + image() + element(PIXELS, "OB", b"abcd"), build.JPEG),
        build.part10(identity() + image() + build.fragments(b"abcd")),
        build.part10(identity() + image() + build.fragments(b"abcd"), "1.2.840.10008.1.2.4.102"),
        build.part10(identity() + image() + build.fragments(b"abcd"), "1.2.840.10008.1.2.4.94"),
        build.part10(identity() + image() + build.fragments(b"abcd"), "1.2.3.4"),
        native(b"abcd", image() + element(0x7FE00008, "OF", b"abcd")),
    ],
    ids=[
        "too short",
        "too long",
        "frames missing",
        "no frames",
        "minus one frame",
        "a fraction of frames",
        "too many frames",
        "no rows",
        "twelve bits",
        "4:2:0",
        "odd columns of 4:2:2",
        "no shape",
        "no pixels",
        "plain length in a codec",
        "fragments without a codec",
        "video",
        "a reference",
        "unknown syntax",
        "two kinds of pixels",
    ],
)
def test_what_is_doubtful_is_not_derivable(file: bytes) -> None:
    assert table_of(file) is None


JPEGS = [b"\xff\xd8first!", b"\xff\xd8the second", b"\xff\xd8third."]


@pytest.mark.parametrize("each", [1, 2, 3])
@pytest.mark.parametrize("table", [True, False])
def test_fragments_joined_are_the_frames_that_were_encapsulated(each: int, table: bool) -> None:
    value = encapsulate(JPEGS, fragments_per_frame=each, has_bot=table)
    file = encapsulated(value, image(frames=3))
    found = table_of(file)
    assert found is not None
    assert cut(file, found) == JPEGS
    assert found.media == "image/jpeg"
    assert found.transfer_syntax == build.JPEG


def test_the_extended_table_trims_the_padding() -> None:
    odd = [part + b"!" * (1 - len(part) % 2) for part in JPEGS]
    value, offsets, _ = encapsulate_extended(odd)
    lengths = struct.pack("<3Q", *map(len, odd))
    tables = element(0x7FE00001, "OV", offsets) + element(0x7FE00002, "OV", lengths)
    file = encapsulated(value, image(frames=3) + tables)
    found = table_of(file)
    assert found is not None
    assert cut(file, found) == odd
    half = encapsulated(value, image(frames=3) + element(0x7FE00001, "OV", offsets))
    assert table_of(half) is None


def test_encapsulated_uncompressed_frames_are_plain_samples_without_padding() -> None:
    head = image(rows=3, columns=3, frames=2)
    file = encapsulated(encapsulate([b"a" * 9, b"b" * 9]), head, ENCAPSULATED_UNCOMPRESSED)
    found = table_of(file)
    assert found is not None
    assert cut(file, found) == [b"a" * 9, b"b" * 9]
    assert (found.media, found.transfer_syntax) == ("application/octet-stream", EXPLICIT_LITTLE_ENDIAN)
    longer = encapsulated(encapsulate([b"a" * 12, b"b" * 12]), head, ENCAPSULATED_UNCOMPRESSED)
    assert table_of(longer) is None
    bits = encapsulated(encapsulate([b"ab"]), image(rows=3, columns=3, bits=1), ENCAPSULATED_UNCOMPRESSED)
    assert table_of(bits) is None


def test_an_icon_before_the_pixels_is_not_taken_for_them() -> None:
    icon = build.sequence(0x00880200, build.item(image() + element(PIXELS, "OW", b"icon")))
    file = build.part10(identity() + image() + icon + element(PIXELS, "OW", b"abcd"))
    found = table_of(file)
    assert found is not None
    assert cut(file, found) == [b"abcd"]
