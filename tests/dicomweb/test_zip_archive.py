import io
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicomweb.zip_archive import Entry, Layout, Slice, Writer, ZipError, instance_entry

GIB = 1 << 30


def layout_of(contents: Sequence[bytes]) -> Layout:
    return Layout(instance_entry("1.2", f"1.2.{at}", len(each)) for at, each in enumerate(contents, start=1))


def written(
    layout: Layout,
    contents: Sequence[bytes],
    start: int = 0,
    stop: int | None = None,
    crcs: Mapping[int, int] | None = None,
    chunk: int = 7,
) -> bytes:
    """The range of the archive, its entries passing by in chunks."""
    writer, out = Writer(layout, start, stop, crcs), bytearray()
    for step in writer.steps():
        if isinstance(step, bytes):
            out += step
            continue
        whole = memoryview(contents[step.entry])[step.offset : step.offset + step.length]
        for at in range(0, len(whole), chunk):
            writer.gather(whole[at : at + chunk])
            out += whole[at : at + chunk] if step.sent else b""
    return bytes(out)


CONTENTS = [b"DICM" * 300, b"", b"PK\x07\x08 stands in the pixels, PK\x03\x04 too", bytes(5000)]
NAMES = [f"1.2/1.2.{number}.dcm" for number in range(1, 5)]


def test_an_archive_holds_the_instances_under_series_and_instance_uid() -> None:
    with zipfile.ZipFile(io.BytesIO(written(layout_of(CONTENTS), CONTENTS))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == NAMES
        assert [archive.read(name) for name in NAMES] == CONTENTS
        assert {(info.compress_type, info.date_time) for info in archive.infolist()} == {
            (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
        }


def test_its_length_is_known_from_names_and_sizes_alone() -> None:
    layout = layout_of(CONTENTS)
    assert layout.size == len(written(layout, CONTENTS))


def test_it_is_the_same_bytes_whatever_was_known_before() -> None:
    layout = layout_of(CONTENTS)
    known = {at: crc32(each) for at, each in enumerate(CONTENTS)}
    assert written(layout, CONTENTS) == written(layout_of(CONTENTS), CONTENTS, crcs=known, chunk=1 << 20)


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "study.zip").write_bytes(written(layout_of(CONTENTS), CONTENTS))
    tested = subprocess.run(["unzip", "-tq", tmp_path / "study.zip"], capture_output=True, text=True)
    assert (tested.returncode, tested.stderr) == (0, "")
    subprocess.run(["unzip", "-q", tmp_path / "study.zip", "-d", tmp_path], check=True)
    assert [(tmp_path / name).read_bytes() for name in NAMES] == CONTENTS


def streamed(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The entries as a reader of a pipe finds them: by local headers alone, nothing searched for."""
    source = io.BytesIO(archive)
    while (signature := source.read(4)) == b"PK\x03\x04":
        *_, stored, unpacked, name_length, extra_length = struct.unpack("<5H3L2H", source.read(26))
        name, extra = source.read(name_length).decode(), source.read(extra_length)
        assert (stored, extra) == (unpacked, b"")
        content = source.read(stored)
        assert source.read(16) == struct.pack("<4s3L", b"PK\x07\x08", crc32(content), stored, unpacked)
        yield name, content
    assert signature == b"PK\x01\x02"


def test_a_reader_of_the_stream_needs_no_directory() -> None:
    assert list(streamed(written(layout_of(CONTENTS), CONTENTS))) == list(zip(NAMES, CONTENTS, strict=True))


def test_a_reader_with_nothing_to_read_has_an_archive_all_the_same() -> None:
    assert zipfile.ZipFile(io.BytesIO(written(Layout([]), []))).namelist() == []


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=60), max_size=6),
    st.data(),
    st.integers(1, 40),
)
def test_any_range_is_that_slice_of_the_whole(contents: list[bytes], data: st.DataObject, chunk: int) -> None:
    layout = layout_of(contents)
    whole = written(layout, contents)
    start = data.draw(st.integers(0, layout.size))
    stop = data.draw(st.integers(start, layout.size))
    known = data.draw(st.sets(st.sampled_from(range(len(contents) or 1))))
    crcs = {at: crc32(contents[at]) for at in known if at < len(contents)}
    assert written(layout, contents, start, stop, crcs, chunk) == whole[start:stop]


def steps(layout: Layout, start: int, stop: int, crcs: Mapping[int, int]) -> list[bytes | Slice]:
    writer, found = Writer(layout, start, stop, crcs), []
    for step in writer.steps():
        found.append(step)
        if isinstance(step, Slice):
            writer.gather(bytes(step.length))
    return found


def test_a_range_inside_one_entry_reads_that_range_and_nothing_else() -> None:
    layout = Layout([Entry("a", 1000), Entry("b", 1000), Entry("c", 1000)])
    data = layout.offsets[1] + 31
    assert steps(layout, data + 10, data + 20, {}) == [Slice(1, 10, 10, True)]


def test_the_directory_alone_reads_no_entry_whose_crc_is_known() -> None:
    layout = Layout([Entry("a", 1000), Entry("b", 1000)])
    read = [step for step in steps(layout, layout.directory, layout.size, {0: 5}) if isinstance(step, Slice)]
    assert read == [Slice(1, 0, 1000, False)]


def test_known_crcs_are_handed_on() -> None:
    layout = layout_of(CONTENTS)
    writer = Writer(layout)
    for step in writer.steps():
        if isinstance(step, Slice):
            writer.gather(CONTENTS[step.entry])
    assert writer.crcs == {at: crc32(each) for at, each in enumerate(CONTENTS)}


def test_more_entries_than_sixteen_bits_count() -> None:
    contents = [b"%d" % number for number in range(70_000)]
    with zipfile.ZipFile(io.BytesIO(written(layout_of(contents), contents))) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("1.2/1.2.69999.dcm") == b"69998"


@pytest.mark.parametrize("count", [65_534, 65_535])
def test_the_last_count_that_fits_sixteen_bits_stands_there(count: int) -> None:
    contents = [b""] * count
    archive = written(layout_of(contents), contents)
    assert (b"PK\x06\x06" in archive) == (count == 65_535)
    assert len(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == count


HUGE = [
    Entry("before", 3),
    Entry("large", 5 * GIB),
    Entry("between", 4),
    Entry("limit", 0x100000000),
    Entry("under", 0xFFFFFFFE),
    Entry("after", 5),
]
SMALL = {0: b"abc", 2: b"defg", 5: b"hijkl"}


CRCS = {index: crc32(SMALL[index]) if index in SMALL else index for index in range(len(HUGE))}


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 GiB in a file with holes: the large entries are never written, their CRC-32s made up."""
    path = tmp_path_factory.mktemp("zip") / "huge.zip"
    layout = Layout(HUGE)
    with path.open("wb") as file:
        for index, entry in enumerate(HUGE):
            file.seek(layout.offsets[index])
            file.write(layout.local_header(index) + SMALL.get(index, b""))
            file.seek(0 if index in SMALL else entry.size, 1)
            file.write(layout.descriptor(index, CRCS[index]))
        file.seek(layout.directory)
        for step in Writer(layout, layout.directory, crcs=CRCS).steps():
            assert isinstance(step, bytes)
            file.write(step)
        assert file.tell() == layout.size
    return path


def test_sizes_and_offsets_beyond_four_gigabytes_are_found(huge: Path) -> None:
    with zipfile.ZipFile(huge) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == HUGE
        assert {index: archive.read(HUGE[index].name) for index in SMALL} == SMALL
        with archive.open("large") as large:
            assert large.read(10) == bytes(10)


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_tests_the_entries_behind_four_gigabytes(huge: Path) -> None:
    tested = subprocess.run(
        ["unzip", "-t", huge, "before", "between", "after"], capture_output=True, text=True
    )
    assert (tested.returncode, tested.stdout.count(" OK")) == (0, 3)


def test_the_stream_announces_large_entries_in_the_form_of_64_bits() -> None:
    layout = Layout(HUGE)
    assert layout.local_header(1)[-20:] == struct.pack("<HHQQ", 1, 16, 5 * GIB, 5 * GIB)
    assert layout.descriptor(1, 9) == struct.pack("<4sLQQ", b"PK\x07\x08", 9, 5 * GIB, 5 * GIB)
    assert layout.descriptor(4, 9) == struct.pack("<4s3L", b"PK\x07\x08", 9, 0xFFFFFFFE, 0xFFFFFFFE)


def test_a_size_that_would_read_as_see_the_other_field_is_in_the_other_field() -> None:
    limit = Layout([Entry("limit", 0xFFFFFFFF)]).local_header(0)  # Info-ZIP's unzip itself errs at this size
    assert limit[-20:] == struct.pack("<HHQQ", 1, 16, 0xFFFFFFFF, 0xFFFFFFFF)


def test_names_beyond_ascii_say_that_they_are_utf_8() -> None:
    layout = Layout([Entry("Sch\xe4del.json", 0)])
    assert zipfile.ZipFile(io.BytesIO(written(layout, [b""]))).namelist() == ["Sch\xe4del.json"]


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\b", "a\0b", "a/", "x" * 65_536]
)
def test_a_name_that_leads_out_of_the_archive_is_refused(name: str) -> None:
    with pytest.raises(ZipError):
        Layout([Entry(name, 1)])


def test_a_name_twice_or_a_negative_size_is_refused() -> None:
    with pytest.raises(ZipError):
        Layout([Entry("a", 1), Entry("a", 2)])
    with pytest.raises(ZipError):
        Layout([Entry("a", -1)])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 10_000)])
def test_a_range_beyond_the_archive_is_refused(start: int, stop: int) -> None:
    with pytest.raises(ZipError, match="range"):
        Writer(layout_of([b"abc"]), start, stop)


@pytest.mark.parametrize(("content", "fault"), [(b"ab", "fewer"), (b"abcd", "more")])
def test_an_entry_of_another_length_than_announced_breaks_off(content: bytes, fault: str) -> None:
    writer = Writer(layout_of([b"abc"]))
    steps = writer.steps()
    assert isinstance(next(steps), bytes)
    assert next(steps) == Slice(0, 0, 3, True)

    def go_on() -> None:
        writer.gather(content)
        next(steps)

    with pytest.raises(ZipError, match=fault):
        go_on()


def test_an_entry_whose_bytes_are_not_those_of_its_crc_breaks_off() -> None:
    with pytest.raises(ZipError, match="CRC"):
        written(layout_of([b"abc"]), [b"abd"], crcs={0: crc32(b"abc")})
