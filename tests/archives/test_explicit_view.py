"""An Implicit VR instance as Explicit VR Little Endian: what a real archive makes of it, and what we do."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from edgerouter.dicom.explicit_view import explicit_view, read_view
from tests.dicom.alike import differences, read
from tests.support.doors import Door
from tests.support.orthanc import Orthanc
from tests.support.samples import CHEST, Sample, dataset, phantom, wheel_samples

pytestmark = pytest.mark.archives
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
NAMES = ["MR_small_implicit.dcm", "rtdose.dcm", "rtdose_1frame.dcm", "rtplan.dcm", "SC_rgb_jpeg_dcmd.dcm"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc("implicit", tmp_path_factory.mktemp("implicit")) as orthanc:
        yield orthanc


def both(archive: Orthanc, path: Path, resource: str) -> tuple[pydicom.Dataset, pydicom.Dataset]:
    """The instance as the archive transcodes it, and as we do."""
    assert archive.load([path]) == {}
    with Door(archive.dicomweb_url, f"{archive.url}/wado") as door:
        (part,) = door.ask(resource, ACCEPT).parts
    view = explicit_view(str(path))
    assert view is not None
    return read(part.body), read(b"".join(read_view(str(path), view)))


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_transcodes_a_sample_to_the_same_values(name: str, archive: Orthanc) -> None:
    sample: Sample = next(sample for sample in wheel_samples() if sample.path.name == name)
    theirs, ours = both(archive, sample.path, sample.resource)
    assert theirs.file_meta.TransferSyntaxUID == ours.file_meta.TransferSyntaxUID
    assert differences(theirs, ours) == []
    assert theirs.get("PixelData") == ours.get("PixelData")
    archive.delete_study(sample.study)


def test_an_archive_transcodes_a_generated_slice_to_the_same_values(archive: Orthanc, tmp_path: Path) -> None:
    image = dataset(CHEST, 1)
    image.PixelRepresentation, image.PixelPaddingValue = 1, -2000
    image.PixelData = phantom(CHEST, 1).tobytes()
    image.add_new(0x00290010, "LO", "ACME 1.0")
    image.add_new(0x00291001, "UN", b"private!")
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "slice.dcm", image, enforce_file_format=True)
    resource = f"/studies/{CHEST.study}/series/{CHEST.series}/instances/{CHEST.instance(1)}"
    theirs, ours = both(archive, tmp_path / "slice.dcm", resource)
    assert differences(theirs, ours) == []
    assert ours.PixelPaddingValue == -2000
    assert theirs.PixelData == ours.PixelData
