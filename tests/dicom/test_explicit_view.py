import struct
import warnings
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from edgerouter.dicom import source
from edgerouter.dicom.describe import describe
from edgerouter.dicom.explicit_view import VIEWED, ExplicitView, explicit_view, read_view
from edgerouter.dicom.frames import scan_frames
from edgerouter.dicom.source import Part10Error, of_bytes
from edgerouter.dicom.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from edgerouter.dicomweb.same_header import same_header
from tests.dicom import build
from tests.dicom.alike import differences, read
from tests.dicom.build import READABLE, element, identity, image, item, oracle, sequence

PIXELS = 0x7FE00010


def syntax_of(path: Path) -> str:
    return str(oracle(path).file_meta.TransferSyntaxUID)


SYNTAX = {path: syntax_of(path) for path in READABLE}
HELD_OTHERWISE = [path for path in READABLE if SYNTAX[path] in VIEWED]
# Samples of these forms that stay as they are, and why.
REFUSED = {
    "DICOMDIR-implicit": "its records point to each other by offset",
    "nested_priv_SQ.dcm": "an attribute of group 1",
    "empty_charset_LEI.dcm": "no Media Storage SOP Class UID",
}
NATIVE = [path for path in READABLE if SYNTAX[path] == EXPLICIT_LITTLE_ENDIAN and "DICOMDIR" not in path.name]


def bytes_of(path: Path) -> bytes | None:
    """The new file at once, None when it is not derivable."""
    view = explicit_view(str(path))
    if view is None:
        return None
    data = b"".join(read_view(str(path), view))
    assert len(data) == view.length
    return data


def viewed(data: bytes, folder: Path) -> bytes | None:
    (folder / "held.dcm").write_bytes(data)
    return bytes_of(folder / "held.dcm")


def written(data_set: pydicom.Dataset, syntax: str) -> bytes:
    """The data set as pydicom writes it in a transfer syntax."""
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the samples are odd on purpose
        pydicom.dcmwrite(buffer, data_set, implicit_vr=syntax == IMPLICIT_LITTLE_ENDIAN, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("path", HELD_OTHERWISE, ids=lambda path: path.name)
def test_a_sample_says_the_same_in_its_new_form(path: Path) -> None:
    data = bytes_of(path)
    assert (data is None) == (path.name in REFUSED)
    if data is not None:
        new, old = read(data), oracle(path)
        assert new.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE_ENDIAN
        assert differences(old, new) == []
        assert new.get("PixelData") == old.get("PixelData")


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN])
@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.name)
def test_a_native_sample_written_otherwise_comes_back(path: Path, syntax: str, tmp_path: Path) -> None:
    held = written(oracle(path), syntax)
    data = viewed(held, tmp_path)
    assert data is not None
    assert differences(read(held), read(data)) == []
    assert read(held).get("PixelData") == read(data).get("PixelData")


FRAMED = [
    path for path in NATIVE if (table := scan_frames(of_bytes(path.read_bytes()))) and not table.length(1) % 2
]


@pytest.mark.parametrize("path", FRAMED, ids=lambda path: path.name)
def test_frames_in_fragments_are_joined(path: Path, tmp_path: Path) -> None:
    original = oracle(path)
    table = scan_frames(of_bytes(path.read_bytes()))
    if table is None or "PixelData" not in original:
        pytest.skip("pixels of floats are never encapsulated")
    raw, length = original.PixelData, table.length(1)
    frames = [raw[at * length : (at + 1) * length] for at in range(table.frames)]
    held = oracle(path)
    held.PixelData = encapsulate(frames)
    held["PixelData"].VR, held["PixelData"].is_undefined_length = "OB", True
    data = viewed(written(held, ENCAPSULATED_UNCOMPRESSED), tmp_path)
    if original.BitsAllocated == 1:
        assert data is None
        return
    assert data is not None
    assert differences(original, read(data)) == []
    assert read(data).PixelData == original.PixelData
    wide = original.BitsAllocated > 8
    assert (read(data)["PixelData"].VR == "OW") == wide
    again = scan_frames(of_bytes(data))
    assert again is not None
    assert (again.frames, again.length(1)) == (table.frames, length)


def test_fragments_of_odd_frames_lose_their_padding(tmp_path: Path) -> None:
    parts = [b"abc\0", b"def\0", b"ghi\0"]
    shape = image(rows=1, columns=3, frames=3)
    offsets, lengths = struct.pack("<3Q", 0, 12, 24), struct.pack("<3Q", 3, 3, 3)
    tables = element(0x7FE00001, "OV", offsets) + element(0x7FE00002, "OV", lengths)
    behind = element(0xFFFCFFFC, "OB", b"padding!")
    for head in (b"", tables):
        data = identity() + shape + head + build.fragments(*parts) + behind
        new = viewed(build.part10(data, ENCAPSULATED_UNCOMPRESSED), tmp_path)
        assert new is not None
        assert new.endswith(identity() + shape + element(PIXELS, "OB", b"abcdefghi") + behind)


def test_a_deflated_data_set_is_kept_byte_for_byte(tmp_path: Path) -> None:
    inner = item(element(0x00091010, "UN", b"x" * 100)) + item(b"", undefined=True)
    data = element(0x00080000, "UL", b"\x10\0\0\0") + identity() + image() + sequence(0x00880200, inner)
    data += sequence(0x00991099, implicit_item(), undefined=True, vr="UN") + element(PIXELS, "OW", b"ab")
    new = viewed(build.part10(data, DEFLATED_LITTLE_ENDIAN), tmp_path)
    assert new is not None
    assert new.endswith(data)


def plain(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    return element(tag, "", value, explicit=False, length=length)


def implicit_item() -> bytes:
    return item(element(0x00080060, "CS", "CT", explicit=False), undefined=True)


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (identity(), EXPLICIT_LITTLE_ENDIAN),
        (identity(), "1.2.840.10008.1.2.2"),
        (identity(), build.JPEG),
        (element(0x00041220, "CS", "") + identity(), DEFLATED_LITTLE_ENDIAN),
        (identity() + build.fragments(b"\xff\xd8"), DEFLATED_LITTLE_ENDIAN),
        (identity() + sequence(0x00880200, item(build.fragments(b"ab"))), DEFLATED_LITTLE_ENDIAN),
        (identity() + sequence(0x00880200, item(plain(0x00280010, b"\1\0"))), DEFLATED_LITTLE_ENDIAN),
        (identity() + image() + element(PIXELS, "OB", b"abcd"), ENCAPSULATED_UNCOMPRESSED),
        (identity() + image() + build.fragments(b"ab"), ENCAPSULATED_UNCOMPRESSED),
        (identity() + image(bits=1) + build.fragments(b"ab"), ENCAPSULATED_UNCOMPRESSED),
        (identity() + build.fragments(b"abcd"), ENCAPSULATED_UNCOMPRESSED),
        (element(0x00080001, "UL", b"abcd") + identity(), ENCAPSULATED_UNCOMPRESSED),
        (identity() + element(0x7FE00001, "OV", b"a" * (2 << 20)), ENCAPSULATED_UNCOMPRESSED),
    ],
)
def test_a_form_that_is_not_ours_to_change_is_not_derived(data: bytes, syntax: str, tmp_path: Path) -> None:
    assert viewed(build.part10(data, syntax), tmp_path) is None


@pytest.mark.parametrize("missing", [b"\2\0\2\0", b"\2\0\3\0"])
def test_a_file_that_does_not_say_what_it_is_is_not_derived(missing: bytes, tmp_path: Path) -> None:
    data = build.implicit(identity(explicit=False))
    at = data.index(missing)
    length = 8 + data[at + 6]
    assert viewed(data[:at] + data[at + length :], tmp_path) is None


def test_a_deflated_data_set_in_implicit_vr_is_written_anew(tmp_path: Path) -> None:
    data = identity(explicit=False) + plain(PIXELS, b"x" * 5000)
    new = viewed(build.part10(data, DEFLATED_LITTLE_ENDIAN), tmp_path)
    assert new is not None
    assert new.endswith(identity() + element(PIXELS, "OW", b"x" * 5000))


def test_an_explicit_file_that_says_implicit_is_not_derived(tmp_path: Path) -> None:
    # Read as implicit its first length would reach into the pixels, and zeros there look like padding.
    data = element(0x00080005, "CS", "ISO_IR 100") + identity() + element(PIXELS, "OW", bytes(1 << 20))
    assert viewed(build.implicit(data), tmp_path) is None


def test_a_file_that_says_something_twice_is_not_derived(tmp_path: Path) -> None:
    data = build.implicit(identity(explicit=False))
    again = element(0x00020012, "UI", "1.2.3.98")
    at = data.index(b"\2\0\x12\0")
    assert viewed(data, tmp_path) is not None
    assert viewed(data[:at] + again + data[at:], tmp_path) is None


def test_file_meta_information_is_kept_but_for_what_became_another(tmp_path: Path) -> None:
    held = oracle(build.sample("MR_small_implicit.dcm"))
    held.preamble = b"II*\0" + bytes(124)
    held.file_meta.SourceApplicationEntityTitle = "SCANNER"
    held.file_meta.ImplementationVersionName = "SOMEBODY"
    data = viewed(written(held, IMPLICIT_LITTLE_ENDIAN), tmp_path)
    assert data is not None
    assert data[:128] == bytes(128)
    meta = read(data).file_meta
    assert meta.MediaStorageSOPInstanceUID == held.SOPInstanceUID
    assert meta.SourceApplicationEntityTitle == "SCANNER"
    assert "ImplementationVersionName" not in meta
    assert meta.ImplementationClassUID.is_valid
    assert meta.ImplementationClassUID != held.file_meta.ImplementationClassUID
    start = data.index(b"\2\0\1\0")
    assert data[start + meta.FileMetaInformationGroupLength :][:2] != b"\2\0"
    assert data[start + meta.FileMetaInformationGroupLength - 2 :][:4] == b"R \x08\0"


def test_a_gigabyte_of_pixels_is_left_where_it_stands(tmp_path: Path) -> None:
    head = build.implicit(identity(explicit=False) + plain(PIXELS, b"", length=1 << 30))
    with (tmp_path / "large").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + (1 << 30))
    view = explicit_view(str(tmp_path / "large"))
    assert view is not None
    assert [len(piece) if isinstance(piece, bytes) else piece for piece in view.pieces][1:] == [
        (len(head), 1 << 30)
    ]
    assert len(view.pieces[0]) < 1000
    end = b"".join(read_view(str(tmp_path / "large"), view, view.length - 5))
    assert end == bytes(5)


def test_pixels_too_long_for_one_value_are_not_joined(tmp_path: Path) -> None:
    side = 0x8000
    data = identity() + image(rows=side, columns=side, bits=16, frames=2)
    begin = element(PIXELS, "OB", element(build.ITEM, "", b"", length=0), length=build.UNDEFINED)
    with (tmp_path / "large").open("wb") as file:
        file.write(build.part10(data + begin, ENCAPSULATED_UNCOMPRESSED))
        for _ in range(2):
            file.write(element(build.ITEM, "", b"", length=2 * side * side))
            file.seek(2 * side * side, 1)
        file.write(element(build.SEQUENCE_END, ""))
    assert explicit_view(str(tmp_path / "large")) is None
    with source.opened(str(tmp_path / "large")) as descriptor:
        assert scan_frames(source.of_file(descriptor)) is not None


def test_too_much_beside_bulk_data_is_not_derived(tmp_path: Path) -> None:
    value = plain(0x00091010, b"x" * 4096)
    data = identity(explicit=False) + sequence(0x00880200, *[item(value)] * 9000, explicit=False)
    assert viewed(build.implicit(data), tmp_path) is None


def test_a_view_comes_back_from_a_worker_process(tmp_path: Path) -> None:
    path = str(build.sample("rtplan.dcm"))
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(explicit_view, path).result() == explicit_view(path)
        assert pool.submit(explicit_view, str(tmp_path)).result() is None
        with pytest.raises(FileNotFoundError):
            pool.submit(explicit_view, str(tmp_path / "absent")).result()


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(build.sample("MR_small_implicit.dcm").read_bytes())
    view = explicit_view(str(tmp_path / "f"))
    assert view is not None
    (tmp_path / "f").write_bytes(b"short")
    with pytest.raises(Part10Error):
        list(read_view(str(tmp_path / "f"), view))


VIEWS = [path for path in HELD_OTHERWISE if path.name not in REFUSED]


@settings(deadline=None)
@given(st.sampled_from(VIEWS), st.data())
def test_any_range_is_that_slice_of_the_whole(path: Path, data: st.DataObject) -> None:
    view = explicit_view(str(path))
    assert isinstance(view, ExplicitView)
    start = data.draw(st.integers(0, view.length))
    stop = data.draw(st.integers(start, view.length))
    assert b"".join(read_view(str(path), view, start, stop)) == (bytes_of(path) or b"")[start:stop]


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.name)
def test_the_index_reads_both_forms_alike(path: Path, tmp_path: Path) -> None:
    try:
        old = describe(str(path)).metadata
    except Part10Error:
        return  # no identity
    (tmp_path / "new").write_bytes(bytes_of(path) or b"")
    assert same_header(old, describe(str(tmp_path / "new")).metadata)
