import contextlib
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from edgerouter.dicom import part10
from edgerouter.dicom.dictionary import tag_of
from edgerouter.dicom.part10 import read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from tests.dicom import build
from tests.dicom.build import READABLE, REFUSED, element, identity, image, item, oracle, sequence

KEYWORDS = (
    "PatientName",
    "StudyDescription",
    "Manufacturer",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImageType",
)
WANTED = {keyword: tag for keyword in KEYWORDS if (tag := tag_of(keyword)) is not None}
FILE = build.part10(identity() + image() + element(0x7FE00010, "OW", b"\1\2\3\4"))


def text_of(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, MultiValue) else [value]
    return tuple(
        str(one if isinstance(one, PersonName) else getattr(one, "original_string", one)) for one in values
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_the_head_says_what_pydicom_reads(path: Path) -> None:
    header = read_header(path.read_bytes(), WANTED.values(), complete=True, limit=1 << 20)
    data_set = oracle(path)
    assert header.syntax.uid == data_set.file_meta.TransferSyntaxUID
    assert header.media_sop_instance == data_set.file_meta.get("MediaStorageSOPInstanceUID", "")
    for keyword, tag in (WANTED | {"StudyInstanceUID": part10.STUDY_INSTANCE}).items():
        if path.name == "badVR.dcm" and keyword == "NumberOfFrames":
            continue  # pydicom refuses the value: it is "1A"
        value = data_set.get(keyword)
        expected = [] if value in (None, "") else [one.strip() for one in text_of(value)]
        assert [one.rstrip("=") for one in header.values.get(tag, ())] == expected, keyword


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_or_big_endian_sample_is_refused_or_its_head_is_whole(name: str) -> None:
    data = build.sample(name).read_bytes()
    if "cut" in REFUSED[name] or name == "DICOMDIR-nooffset":
        assert read_header(data, complete=True).values is not None
        return
    with pytest.raises(Part10Error):
        read_header(data, complete=True)


def test_the_identity_is_three_uids() -> None:
    assert read_header(FILE).identity == (build.STUDY, build.SERIES, build.INSTANCE)
    for broken in (identity().replace(b"1.2.3.4.5", b"1.2..4.5."), element(0x00080018, "UI", "1.2")):
        with pytest.raises(Part10Error, match="UID"):
            _ = read_header(build.part10(broken), complete=True).identity


def test_a_growing_file_is_asked_for_more_until_the_head_is_there() -> None:
    whole = read_header(FILE)
    for size in range(len(FILE)):
        try:
            assert read_header(FILE[:size]) == whole
        except NeedMore as more:
            assert size < more.wanted <= len(FILE)  # noqa: PT017


def test_reading_stops_at_the_last_attribute_asked_for() -> None:
    beyond = element(0x00200010, "SH", "x", length=60_000)
    assert read_header(build.part10(identity() + beyond)).first(part10.PATIENT_ID) == "PAT1"
    with pytest.raises(NeedMore):
        read_header(build.part10(identity() + beyond), [0x00280010])


def test_a_head_longer_than_the_limit_is_refused_and_not_waited_for() -> None:
    private = element(0x00090010, "UT", b"x" * 100_000)
    file = build.part10(element(0x00080016, "UI", "1.2") + private + identity()[34:])
    for size in (300, 70_000, len(file)):
        with pytest.raises(Part10Error, match="first 65536"):
            read_header(file[:size])
    assert read_header(file, limit=1 << 20, complete=True).first(part10.PATIENT_ID) == "PAT1"


def test_at_the_end_of_the_file_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(Part10Error, match="past the end"):
        read_header(FILE[:-70], [0x00280010], complete=True)
    absent = build.part10(element(0x00080016, "UI", "1.2"))
    assert read_header(absent, complete=True).first(part10.STUDY_INSTANCE) == ""
    with pytest.raises(NeedMore):
        read_header(absent)


def test_the_pixels_end_the_head() -> None:
    header = read_header(FILE, [0x7FE10010])
    assert header.pixels is not None
    assert (header.pixels.tag, header.pixels.length) == (0x7FE00010, 4)
    assert FILE[header.pixels.offset :] == b"\1\2\3\4"


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN])
def test_implicit_and_deflated_heads_are_read(syntax: str) -> None:
    data_set = identity(explicit=syntax != IMPLICIT_LITTLE_ENDIAN)
    header = read_header(build.part10(data_set, syntax), complete=True)
    assert header.identity == (build.STUDY, build.SERIES, build.INSTANCE)


def test_big_endian_is_refused() -> None:
    with pytest.raises(Part10Error, match="Big endian"):
        read_header(build.part10(identity(), EXPLICIT_BIG_ENDIAN))


def test_a_deflate_bomb_before_the_attributes_is_refused() -> None:
    bomb = element(0x00080000, "UT", bytes(8 << 20)) + identity()
    with pytest.raises(Part10Error, match="deflated"):
        read_header(build.part10(bomb, DEFLATED_LITTLE_ENDIAN), complete=True)


def test_text_is_decoded_by_the_character_set_of_the_data_set() -> None:
    name = element(0x00100010, "PN", "M\u00fcller".encode())
    data_set = element(0x00080005, "CS", "ISO_IR 192") + element(0x00080018, "UI", "1.2") + name
    assert read_header(build.part10(data_set), [0x00100010], complete=True).first(0x00100010) == "M\u00fcller"


def test_numbers_come_as_text_and_binary_values_not_at_all() -> None:
    data_set = element(0x00280010, "US", struct.pack("<HH", 3, 4)) + element(0x00281201, "OW", b"abcd")
    header = read_header(build.part10(data_set), [0x00280010, 0x00281201], complete=True)
    assert header.values == {0x00280010: ("3", "4"), 0x00281201: ()}
    assert header.raw[0x00281201] == ("OW", b"abcd")


def test_a_sequence_that_is_asked_for_comes_empty() -> None:
    data_set = sequence(0x00081110, item(element(0x00081155, "UI", "1.2"), undefined=True), undefined=True)
    header = read_header(build.part10(data_set + identity()[34:]), [0x00081110], complete=True)
    assert header.values[0x00081110] == ()
    assert header.first(part10.PATIENT_ID) == "PAT1"


def test_the_same_attribute_twice_is_refused_unless_it_says_the_same() -> None:
    twice = element(0x00100020, "LO", "PAT1")
    assert read_header(build.part10(identity() + twice), complete=True).first(part10.PATIENT_ID) == "PAT1"
    hidden = element(0x0020000D, "UI", "1.2.3") + element(0x0020000D, "UI", "6.6.6")
    with pytest.raises(Part10Error, match="twice"):
        read_header(build.part10(hidden), complete=True)


def test_padding_behind_the_data_set_ends_it() -> None:
    for padding in (1, 7, 8, 100):
        header = read_header(build.part10(identity() + bytes(padding)), [0x00280010], complete=True)
        assert header.first(part10.PATIENT_ID) == "PAT1"


def test_a_compressed_file_written_in_implicit_vr_is_read_all_the_same() -> None:
    header = read_header(build.part10(identity(explicit=False), build.JPEG), complete=True)
    assert header.identity == (build.STUDY, build.SERIES, build.INSTANCE)


def test_a_value_too_long_to_keep_is_refused() -> None:
    data_set = element(0x00100010, "PN", b"x" * 70_000, explicit=False)
    with pytest.raises(Part10Error, match="too long"):
        read_header(build.implicit(data_set), [0x00100010], complete=True, limit=1 << 20)


def test_file_meta_information_is_bounded_and_says_one_transfer_syntax() -> None:
    prefix = b"\0" * 128 + b"DICM"
    syntax = element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    other = element(0x00020010, "UI", "1.2.840.10008.1.2")
    for meta, why in (
        (element(0x00020102, "OB", b"x" * 70_000), "too long"),
        (element(0x00020012, "UI", "1.2") * 12_000, "too long"),
        (syntax + other, "twice"),
        (element(0x00020010, "UI", "nonsense"), "transfer syntax"),
    ):
        with pytest.raises(Part10Error, match=why):
            read_header(prefix + meta + identity(), complete=True, limit=1 << 20)


def test_what_has_no_prefix_is_no_file() -> None:
    for data in (b"", b"DICM", bytes(200), FILE[1:]):
        with pytest.raises(Part10Error):
            read_header(data, complete=True)


@settings(max_examples=300)
@given(st.randoms(use_true_random=False), st.integers(1, 8), st.booleans())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    chance: random.Random, damages: int, complete: bool
) -> None:
    data = bytearray(build.sample("reportsi.dcm").read_bytes())
    for _ in range(damages):
        data[chance.randrange(132, len(data))] = chance.randrange(256)
    del data[chance.randrange(132, len(data)) if chance.random() < 0.5 else len(data) :]
    with contextlib.suppress(Part10Error, NeedMore):
        read_header(bytes(data), WANTED.values(), complete=complete)
