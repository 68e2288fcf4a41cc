"""What a real archive tells of a sample and what we derive from its file are one header."""

import json
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from edgerouter.dicom.describe import describe
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.same_header import same_header
from tests.support.orthanc import Orthanc
from tests.support.samples import Sample, wheel_samples

pytestmark = pytest.mark.archives

# Samples whose rows differ, and why: all of them lost something on the archive's side.
DIFFERENT = {
    "J2K_pixelrep_mismatch.dcm": "in ISO 2022 IR 13 Orthanc takes every backslash for a yen sign",
    "badVR.dcm": "an IS that is no number is dropped by Orthanc, kept by us",
    "examples_ybr_color.dcm": "a private text of 27 KB is cut by Orthanc",
    "rtdose_rle.dcm": "public attributes written as UN are left out by Orthanc",
    "rtdose_rle_1frame.dcm": "public attributes written as UN are left out by Orthanc",
}
# Samples that we do not describe.
UNREAD = {
    "ExplVR_BigEnd.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "liver_expb_1frame.dcm",
    "rtdose_expb.dcm",
    "rtdose_expb_1frame.dcm",
}
REFUSED_BY_ORTHANC = {"SC_rgb_jpeg.dcm", "rtplan_truncated.dcm", "MR_truncated.dcm"}


def told(archive: Orthanc, sample: Sample) -> bytes:
    """The one row of the instance's metadata."""
    with urllib.request.urlopen(f"{archive.dicomweb_url}{sample.resource}/metadata") as answer:
        (row,) = ArraySplitter().feed(answer.read())
    return row


@pytest.fixture(scope="module")
def archive() -> Iterator[Orthanc]:
    with tempfile.TemporaryDirectory(prefix="header") as folder, Orthanc("header", Path(folder)) as orthanc:
        yield orthanc


def rounds(samples: list[Sample]) -> Iterator[list[Sample]]:
    """The samples in turns without two of one UID."""
    while samples:
        turn = {sample.instance: sample for sample in reversed(samples)}
        yield list(turn.values())
        samples = [sample for sample in samples if sample not in turn.values()]


@pytest.fixture(scope="module")
def rows(archive: Orthanc) -> dict[Path, bytes]:
    """What the archive tells about every sample it takes."""
    found: dict[Path, bytes] = {}
    for turn in rounds(wheel_samples()):
        refused = archive.load(sample.path for sample in turn)
        taken = [sample for sample in turn if sample.path not in refused]
        found |= {sample.path: told(archive, sample) for sample in taken}
        for study in {sample.study for sample in taken}:
            archive.delete_study(study)
    return found


def test_a_samples_derived_row_is_the_archives_but_for_those_it_lost_something_of(
    archive: Orthanc, rows: dict[Path, bytes]
) -> None:
    assert {path.name for path in archive.refused} == REFUSED_BY_ORTHANC
    different, unread = set(), set()
    for path, row in rows.items():
        try:
            derived = describe(str(path)).metadata
        except Part10Error:
            unread.add(path.name)
            continue
        if not same_header(row, derived):
            different.add(path.name)
    assert (different, unread) == (set(DIFFERENT), UNREAD)
    assert len(rows) - len(unread) > 100


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "rtplan.dcm", "test-SR.dcm"])
def test_a_changed_patient_name_is_another_header(
    name: str, archive: Orthanc, rows: dict[Path, bytes], tmp_path: Path
) -> None:
    sample = next(sample for sample in wheel_samples() if sample.path.name == name)
    data_set = pydicom.dcmread(sample.path)
    data_set.PatientName = "Changed^Name"
    data_set.save_as(tmp_path / "changed.dcm")
    archive.load([tmp_path / "changed.dcm"])
    row = told(archive, sample)
    archive.delete_study(sample.study)
    assert json.loads(row)["00100010"]["Value"] == [{"Alphabetic": "Changed^Name"}]
    assert same_header(row, describe(str(tmp_path / "changed.dcm")).metadata)
    assert not same_header(row, describe(str(sample.path)).metadata)
    assert not same_header(row, rows[sample.path])
