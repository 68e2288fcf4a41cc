import contextlib
import json
import random
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.describe import Description, describe, describe_source, locate_bulk
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import file_table
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN
from tests.dicom import build
from tests.dicom.build import READABLE, element, identity, image, item, oracle, sequence

PIXELS = 0x7FE00010
# Samples without a full identity: colour palettes, directories and fragments of files.
NAMELESS = {
    "fall.dcm",
    "hotiron.dcm",
    "hotmetalblue.dcm",
    "pet.dcm",
    "pet20step.dcm",
    "spring.dcm",
    "summer.dcm",
    "winter.dcm",
    "chrSQEncoding.dcm",
    "chrSQEncoding1.dcm",
    "DICOMDIR",
    "DICOMDIR-empty.dcm",
    "DICOMDIR-implicit",
    "DICOMDIR-nopatient",
    "DICOMDIR-reordered",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "UN_sequence.dcm",
    "empty_charset_LEI.dcm",
    "nested_priv_SQ.dcm",
    "no_meta_group_length.dcm",
    "priv_SQ.dcm",
}


def described(data: bytes, base: str = "") -> Description:
    return describe_source(source.of_bytes(data), base)


def rows(found: Description) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (found.study_row, found.series_row, found.instance_row)]


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_a_sample_is_described_as_pydicom_reads_it(path: Path) -> None:
    if path.name in NAMELESS:
        with pytest.raises(Part10Error, match="UID"):
            describe(str(path))
        return
    found, data_set = describe(str(path)), oracle(path)
    assert (found.study, found.series) == (data_set.StudyInstanceUID, data_set.SeriesInstanceUID)
    assert (found.instance, found.sop_class) == (data_set.SOPInstanceUID, data_set.SOPClassUID)
    assert found.transfer_syntax == data_set.file_meta.TransferSyntaxUID
    assert found.modality == data_set.get("Modality", "")
    assert found.size == path.stat().st_size
    study, series, instance = rows(found)
    metadata = json.loads(found.metadata)
    held = (study | series | instance).items()
    assert [tag for tag, value in held if tag in metadata and metadata[tag] != value] == []
    assert found.frames == file_table(str(path))


def test_the_rows_have_what_a_search_must_answer_though_the_file_has_not() -> None:
    study, series, instance = rows(described(build.part10(identity())))
    assert study == {
        "00080020": {"vr": "DA"},
        "00080030": {"vr": "TM"},
        "00080050": {"vr": "SH"},
        "00080090": {"vr": "PN"},
        "00100010": {"vr": "PN"},
        "00100020": {"vr": "LO", "Value": ["PAT1"]},
        "00100030": {"vr": "DA"},
        "00100040": {"vr": "CS"},
        "0020000D": {"vr": "UI", "Value": [build.STUDY]},
        "00200010": {"vr": "SH"},
    }
    assert series == {
        "00080060": {"vr": "CS", "Value": ["OT"]},
        "0020000E": {"vr": "UI", "Value": [build.SERIES]},
        "00200011": {"vr": "IS"},
    }
    assert instance == {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": [build.INSTANCE]},
        "00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
        "00200013": {"vr": "IS"},
    }
    assert all(list(row) == sorted(row) for row in (study, series, instance))


def test_the_rows_have_what_is_known_besides() -> None:
    request = sequence(0x00400275, item(element(0x00400009, "SH", "STEP1")))
    data = element(0x00080005, "CS", "ISO_IR 100") + identity() + image(frames=2) + request
    data += element(0x00081030, "LO", b"Sch\xe4del")
    study, series, instance = rows(described(build.part10(data)))
    assert study["00081030"]["Value"] == ["Sch\xe4del"]
    assert series["00400275"]["Value"] == [{"00400009": {"vr": "SH", "Value": ["STEP1"]}}]
    assert instance["00280008"]["Value"] == [2]
    assert instance["00280010"]["Value"] == [2]


def test_references_lie_under_the_instance() -> None:
    icon = sequence(0x00880200, item(element(PIXELS, "OW", b"x" * 100)))
    data = build.part10(identity() + icon + element(PIXELS, "OW", b"ab"))
    metadata = json.loads(described(data, "https://edge/dw").metadata)
    instance = "https://edge/dw/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/bulkdata/"
    assert metadata["7FE00010"] == {"vr": "OW", "BulkDataURI": instance + "7FE00010"}
    inner = metadata["00880200"]["Value"][0]["7FE00010"]
    assert inner["BulkDataURI"] == instance + "00880200/1/7FE00010"


def test_the_extended_offset_table_is_used_and_given_by_reference() -> None:
    parts = [b"\xff\xd8" + b"x" * 99 for _ in range(200)]
    offsets = struct.pack("<200Q", *range(0, 200 * 110, 110))
    lengths = struct.pack("<200Q", *[101] * 200)
    tables = element(0x7FE00001, "OV", offsets) + element(0x7FE00002, "OV", lengths)
    pixels = build.fragments(*[part + b"\0" for part in parts])
    found = described(build.part10(identity() + image(frames=200) + tables + pixels, build.JPEG))
    table = FrameTable.from_bytes(found.frames)
    assert (table.frames, table.length(200)) == (200, 101)
    assert "BulkDataURI" in json.loads(found.metadata)["7FE00001"]


def test_two_kinds_of_pixels_have_no_frames() -> None:
    data = (
        identity() + image(bits=32) + element(0x7FE00008, "OF", b"x" * 16) + element(PIXELS, "OW", b"x" * 16)
    )
    assert described(build.part10(data)).frames == b""


def bulk(path: Path, where: str) -> bytes | None:
    found = locate_bulk(str(path), where)
    if found is None:
        return None
    with source.opened(str(path)) as descriptor:
        return b"".join(source.read_pieces(descriptor, found.pieces, inflate_at=found.inflate_at))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", DEFLATED_LITTLE_ENDIAN])
def test_a_bulk_value_is_found_by_the_path_its_reference_ends_with(tmp_path: Path, syntax: str) -> None:
    icon = sequence(0x00880200, item(), item(element(PIXELS, "OW", b"icon" * 30)))
    data = identity() + icon + element(0x00420011, "OB", b"%PDF" * 500) + element(PIXELS, "OW", b"ab")
    (tmp_path / "f").write_bytes(build.part10(data, syntax))
    assert bulk(tmp_path / "f", "7FE00010") == b"ab"
    assert bulk(tmp_path / "f", "00880200/2/7FE00010") == b"icon" * 30
    assert bulk(tmp_path / "f", "00420011") == b"%PDF" * 500
    for missing in (
        "00880200/1/7FE00010",
        "00880200/3/7FE00010",
        "00880200",
        "00080018",
        "00080018/1/00080018",
        "00420012",
        "",
        "../../etc/passwd",
        "00880200/0/7FE00010",
        "00880200/2",
        "7fe00010",
    ):
        assert bulk(tmp_path / "f", missing) is None, missing


def test_the_bulk_of_encapsulated_pixels_is_the_stream(tmp_path: Path) -> None:
    data = identity() + build.fragments(b"stream", b"goes on!", table=[0])
    (tmp_path / "f").write_bytes(build.part10(data, "1.2.840.10008.1.2.4.102"))
    assert bulk(tmp_path / "f", "7FE00010") == b"streamgoes on!"


def hostile() -> dict[str, bytes]:
    deep = b""
    for _ in range(200):
        deep = sequence(0x0040A730, item(deep, undefined=True), undefined=True)
    many = b"".join(element(0x00090000 + one, "LO", "") for one in range(0x1000, 0xFFFF))
    return {
        "nested": build.part10(identity() + deep),
        "giant length": build.part10(identity() + image() + element(PIXELS, "OW", b"abc", length=2**31)),
        "giant text": build.part10(identity() + element(0x00204000, "UT", b"abc", length=2**32 - 2)),
        "many elements": build.part10(identity() + sequence(0x0040A730, *[item(many)] * 4)),
        "cut": build.part10(identity() + image() + build.fragments(b"\xff\xd8"), build.JPEG)[:-9],
        "no pixels in": build.part10(identity(), "1.2.840.10008.1.2.2"),
        "text": b"not DICOM at all" * 20,
        "empty": b"",
    }


@pytest.mark.parametrize("name", hostile())
def test_a_hostile_file_is_an_error_that_comes_back_from_a_worker_process(
    name: str, tmp_path: Path, worker: ProcessPoolExecutor
) -> None:
    (tmp_path / "f").write_bytes(hostile()[name])
    with pytest.raises(Part10Error) as caught:
        worker.submit(describe, str(tmp_path / "f")).result()
    assert caught.value.reason


def test_a_description_comes_back_from_a_worker_process(worker: ProcessPoolExecutor) -> None:
    path = str(build.sample("CT_small.dcm"))
    assert worker.submit(describe, path, "/base").result() == describe(path, "/base")


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1) as pool:
        yield pool


def test_a_deflate_bomb_is_an_error() -> None:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    head = identity() + element(0x00420011, "OB", b"", length=0xFFFFFFF0)
    packed = stream.compress(head) + stream.flush(zlib.Z_FULL_FLUSH)
    mebibyte = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    bomb = build.part10(packed + mebibyte * 300, DEFLATED_LITTLE_ENDIAN, packed=True)
    assert len(bomb) < 1 << 20
    with pytest.raises(Part10Error, match="deflated"):
        described(bomb)


def test_a_folder_or_nothing_is_no_description(tmp_path: Path) -> None:
    with pytest.raises(Part10Error):
        describe(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        describe(str(tmp_path / "absent"))


SEEDS = [
    build.sample(name).read_bytes()
    for name in ("reportsi.dcm", "CT_small.dcm", "image_dfl.dcm", "rtplan.dcm")
]


@settings(max_examples=250)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 8), st.booleans())
def test_a_damaged_file_is_described_or_refused_and_nothing_else(
    seed: bytes, chance: random.Random, damages: int, truncated: bool
) -> None:
    file = bytearray(seed)
    for _ in range(damages):
        file[chance.randrange(132, min(len(file), 6000))] = chance.choice(
            [chance.randrange(256), 0xFF, 0, 0x5C]
        )
    if truncated:
        del file[chance.randrange(132, len(file)) :]
    with contextlib.suppress(Part10Error):
        found = described(bytes(file))
        assert all(json.loads(text) for text in (found.metadata, found.study_row))
