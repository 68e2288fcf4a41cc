"""Studies, series and instances come through the router as they come from the archive, byte for byte."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.support.archives import Archives
from tests.support.doors import DICOM, DICOM_AS_STORED, Door
from tests.support.samples import CHEST, Sample

pytestmark = [
    pytest.mark.archives,
    # The samples hold what pydicom complains about, and dicomweb-client parses them.
    pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning"),
]

AS_STORED = (("application/dicom", "*"),)
SAMPLES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "SC_rgb_rle_2frame.dcm",
    "JPGExtended.dcm",
    "examples_ybr_color.dcm",
    "rtdose.dcm",
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",
    "693_J2KI.dcm",
    "reportsi.dcm",
    "waveform_ecg.dcm",
]


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest, archives: Archives) -> Sample:
    return archives.sample(request.param)


def test_an_instance_is_the_file_that_was_stored(door: Door, sample: Sample) -> None:
    [part] = door.ask(sample.resource, DICOM_AS_STORED).parts
    assert part.body == sample.path.read_bytes()
    assert part.fields["content-type"].startswith("application/dicom")


def test_an_instance_without_a_syntax_is_what_the_archive_makes_of_it(
    door: Door, direct: Door, sample: Sample
) -> None:
    """A router that keeps writes the head anew itself where pixels are plain samples; it says the same."""
    here, there = door.ask(sample.resource, DICOM), direct.ask(sample.resource, DICOM)
    assert here.status == there.status
    if there.status != 200:
        return
    [ours], [theirs] = here.parts, there.parts
    assert ours.body == theirs.body or (door.keeps and says(ours.body) == says(theirs.body))


def says(file: bytes) -> object:
    """Transfer syntax, attributes and pixels of a file."""
    data_set = pydicom.dcmread(BytesIO(file))
    return data_set.file_meta.TransferSyntaxUID, data_set.to_json_dict()


def test_only_what_this_archive_cannot_decode_is_refused(direct: Door, archives: Archives) -> None:
    names = [name for name in SAMPLES if direct.ask(archives.sample(name).resource, DICOM).status != 200]
    assert names == ["693_J2KI.dcm"]


@pytest.mark.parametrize("media_types", [None, AS_STORED], ids=["default", "as stored"])
def test_dicomweb_client_retrieves_the_same(
    door: Door, direct: Door, sample: Sample, media_types: Any
) -> None:
    names = (sample.study, sample.series, sample.instance)
    calls: dict[str, Callable[[DICOMwebClient], Any]] = {
        f"/studies/{sample.study}": lambda at: at.retrieve_study(names[0], media_types),
        f"/studies/{sample.study}/series/{sample.series}": lambda at: at.retrieve_series(
            *names[:2], media_types
        ),
        sample.resource: lambda at: at.retrieve_instance(*names, media_types),
    }
    for path, call in calls.items():
        broken = media_types is None and breaks_off(direct, path)
        here, there = door.outcome(call), direct.outcome(call)
        if door.keeps and isinstance(there, list) and isinstance(here, list):
            assert all(map(is_alike, here, there))
            assert len(here) == len(there)
        else:
            assert here == ("cut" if broken and door is not direct else there)


def is_alike(here: Dataset, there: Dataset) -> bool:
    """The same, or where that is what is held, in Explicit VR Little Endian: who takes any transfer syntax
    takes that (PS3.18 §8.7.3)."""
    plain = here.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    return here == there or (plain and here.SOPInstanceUID == there.SOPInstanceUID)


def breaks_off(direct: Door, path: str) -> bool:
    """Whether the archive ends an answer in its middle, cleanly: it meets an instance it cannot decode."""
    reply = direct.ask(path, DICOM)
    return reply.status == 200 and not reply.body.rstrip().endswith(b"--")


def test_an_answer_the_archive_breaks_off_is_visibly_cut(
    door: Door, direct: Door, archives: Archives
) -> None:
    study = archives.sample("SC_rgb_rle_2frame.dcm").study
    assert breaks_off(direct, f"/studies/{study}")
    held = sum(sample.study == study for sample in archives.in_a)

    def decoded(client: DICOMwebClient) -> Any:
        return client.retrieve_study(study)

    assert 0 < len(direct.outcome(decoded)) < held  # dicomweb-client takes it for whole
    if door is not direct:
        assert door.outcome(decoded) == "cut"


def test_a_series_of_200_slices_comes_whole(door: Door, archives: Archives) -> None:
    for path in (f"/studies/{CHEST.study}", f"/studies/{CHEST.study}/series/{CHEST.series}"):
        parts = door.ask(path, DICOM_AS_STORED).parts
        stored = {sample.path.read_bytes() for sample in archives.chest}
        assert len(parts) == 200
        assert {part.body for part in parts} == stored


def test_dicomweb_client_streams_a_series(door: Door, archives: Archives) -> None:
    slices = door.client.iter_series(CHEST.study, CHEST.series, media_types=AS_STORED)
    assert {it.SOPInstanceUID for it in slices} == {sample.instance for sample in archives.chest}


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related;type="application/dicom";transfer-syntax=*',
        "multipart/related; type=application/dicom; transfer-syntax=*",
        'multipart/related; type="application/dicom"; transfer-syntax="*"',
    ],
)
def test_every_spelling_of_the_same_wish_gives_the_same(door: Door, archives: Archives, accept: str) -> None:
    sample = archives.sample("SC_rgb_rle_2frame.dcm")
    [part] = door.ask(sample.resource, accept).parts
    assert part.body == sample.path.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/studies/1.2.3",
        "/studies/1.2.3/series/4.5",
        "/studies/1.2.3/series/4.5/instances/6",
        f"/studies/{CHEST.study}/series/4.5",
        f"/studies/1.2.3/series/{CHEST.series}/instances/{CHEST.instance(1)}",
    ],
)
def test_what_is_not_there_is_not_found(door: Door, path: str) -> None:
    assert door.ask(path, DICOM_AS_STORED).status == 404
