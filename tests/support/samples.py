"""DICOM to test with: the sample files inside the installed pydicom wheel, and generated series.

The wheel's files are found by walking its folder, because its own finder goes to the network for what is
missing. Some are broken on purpose and some share UIDs; an archive keeps one instance of each UID, so one
file is chosen for each. Generated series are the same bytes in every run.
"""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_HEADER = [*_UIDS, "PatientID", "PatientName", "Modality", "StudyDate", "NumberOfFrames", "Rows"]
# Where several files share a UID: the one that is whole and has the most to ask for.
_PREFERRED = frozenset(
    {
        "MR_small.dcm",
        "rtdose.dcm",
        "rtplan.dcm",
        "SC_rgb_rle_2frame.dcm",
        "JPGExtended.dcm",
        "test-SR.dcm",
        "SC_rgb_jpeg_dcmd.dcm",
    }
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One PS3.10 file and what its header says. `frames` is 0 for an instance without an image."""

    path: Path
    study: str
    series: str
    instance: str
    patient_id: str
    patient_name: str
    modality: str
    study_date: str
    syntax: str
    frames: int

    @property
    def resource(self) -> str:
        """The instance's path below a DICOMweb root."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.instance}"


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """A series to generate: square slices of `size` x `size` 16-bit pixels, all of it from `seed`."""

    seed: str
    patient_id: str
    patient_name: str
    slices: int = 200
    size: int = 512
    study_date: str = "20100304"
    birth_date: str = "19500101"
    study_seed: str = ""  # the same for two specs: two series of one study

    @property
    def study(self) -> str:
        """Its StudyInstanceUID."""
        return str(generate_uid(entropy_srcs=["edgerouter study", self.study_seed or self.seed]))

    @property
    def series(self) -> str:
        """Its SeriesInstanceUID."""
        return str(generate_uid(entropy_srcs=["edgerouter series", self.seed]))

    def instance(self, number: int) -> str:
        """The SOPInstanceUID of slice `number`, from 1."""
        return str(generate_uid(entropy_srcs=["edgerouter instance", self.seed, str(number)]))


CHEST = SeriesSpec("chest", "EDGE-0001", "Phantom^Chest")


def read(path: Path) -> Sample | None:
    """The sample in a file; None when pydicom cannot parse it or a UID is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the samples are odd on purpose
        try:
            header = pydicom.dcmread(path, specific_tags=_HEADER)
            study, series, instance = (str(header[name].value or "") for name in _UIDS)
        except (pydicom.errors.InvalidDicomError, KeyError):
            return None
        if not (study and series and instance):
            return None
        return _sample(path, header, study, series, instance)


def _sample(path: Path, header: Dataset, study: str, series: str, instance: str) -> Sample:
    def text(name: str) -> str:
        return str(header.get(name) or "")

    frames = text("NumberOfFrames") or "1"
    return Sample(
        path=path,
        study=study,
        series=series,
        instance=instance,
        patient_id=text("PatientID"),
        patient_name=text("PatientName"),
        modality=text("Modality"),
        study_date=text("StudyDate"),
        syntax=str(header.file_meta.TransferSyntaxUID),
        frames=int(frames) if "Rows" in header and frames.isdecimal() else 0,
    )


def wheel_samples() -> list[Sample]:
    """Every sample file of the pydicom wheel that parses and has its three UIDs, in path order."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [sample for path in files if (sample := read(path))]


def one_of_each(samples: Iterable[Sample]) -> list[Sample]:
    """One file for each SOPInstanceUID: a preferred one, else the first."""
    chosen: dict[str, Sample] = {}
    for sample in samples:
        if sample.instance not in chosen or sample.path.name in _PREFERRED:
            chosen[sample.instance] = sample
    return list(chosen.values())


def write_series(folder: Path, spec: SeriesSpec) -> list[Sample]:
    """Generate a series into a folder: Explicit VR Little Endian, every slice different."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_slice(folder, spec, number) for number in range(1, spec.slices + 1)]


def _write_slice(folder: Path, spec: SeriesSpec, number: int) -> Sample:
    path = folder / f"{number:04}.dcm"
    image = dataset(spec, number)
    image.PixelData = phantom(spec, number).tobytes()
    image.save_as(path, enforce_file_format=True)
    return Sample(
        path, spec.study, spec.series, spec.instance(number), spec.patient_id, spec.patient_name,
        "CT", spec.study_date, str(ExplicitVRLittleEndian), 1,
    )  # fmt: skip


def dataset(spec: SeriesSpec, number: int) -> Dataset:
    """The header of one slice: a CT image without its pixels."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, spec.instance(number)
    image.StudyInstanceUID, image.SeriesInstanceUID = spec.study, spec.series
    image.PatientID, image.PatientName = spec.patient_id, spec.patient_name
    image.PatientBirthDate, image.PatientSex = spec.birth_date, "O"
    image.StudyDate = image.SeriesDate = image.ContentDate = spec.study_date
    image.StudyTime, image.AccessionNumber = "081500", f"ACC{abs(hash_of(spec.seed)) % 10**6:06}"
    image.StudyID, image.StudyDescription = "1", "Generated study"
    image.Modality, image.SeriesNumber, image.SeriesDescription = "CT", 1, f"Phantom {spec.seed}"
    image.InstanceNumber, image.FrameOfReferenceUID = number, spec.series
    image.ImagePositionPatient = [-180, -180, 1.25 * number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [360 / spec.size, 360 / spec.size], 1.25
    image.Rows = image.Columns = spec.size
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
    image.WindowCenter, image.WindowWidth = 40, 400
    return image


def hash_of(text: str) -> int:
    """A number that is the same in every process, which hash() is not."""
    return int.from_bytes(text.encode(), "big")


def phantom(spec: SeriesSpec, number: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint16]]":
    """One slice of something chest-like: body, lungs, heart, spine and a nodule, plus seeded noise."""
    ticks = np.linspace(-1, 1, spec.size, dtype=np.float32)
    x, y, z = ticks[None, :], ticks[:, None], 2 * number / spec.slices - 1
    noise = np.random.default_rng([hash_of(spec.seed) % 2**32, number])
    image = noise.integers(0, 24, (spec.size, spec.size), dtype=np.uint16)
    for cx, cy, rx, ry, value in _organs(z):
        image[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1] += np.uint16(value)
    return image


def _organs(z: float) -> Iterator[tuple[float, float, float, float, int]]:
    """Ellipses of one slice, from outside in: centre, radii, and what to add (wrapping below zero)."""
    lung = max(0.05, (1 - z * z) ** 0.5)
    yield 0, 0, 0.85, 0.62, 1060  # soft tissue, about 40 HU
    for side in (-1, 1):
        yield side * 0.4, 0, 0.28 * lung, 0.42 * lung, 65536 - 860
    yield 0.08, 0.08, 0.2 * lung, 0.2 * lung, 30
    yield 0, 0.42, 0.1, 0.1, 600
    yield 0.4, -0.15 + z / 8, 0.03, 0.03, 500


class BigSeries:
    """A CT series of at least `size` bytes that is never held: one pixel block, a small head each.

    Slices differ in their SOPInstanceUID and number only, which is what makes a gigabyte cheap to say.
    """

    def __init__(self, size: int, seed: str = "big") -> None:
        self.spec = SeriesSpec(seed, "EDGE-BIG", "Phantom^Big")
        self.pixels = phantom(self.spec, 100).tobytes()
        self._head = self._first_head()
        self.instance_size = len(self._head) + len(self.pixels)
        self.count = -(-size // self.instance_size)

    def instance(self, number: int) -> str:
        """The SOPInstanceUID of slice `number`, from 1; all are of one length."""
        return f"{self.spec.series[:50]}.1{number:08}"

    def head(self, number: int) -> bytes:
        """The PS3.10 file of slice `number` up to its pixels."""
        return self._head.replace(self.instance(0).encode(), self.instance(number).encode())

    def files(self) -> Iterator[bytes]:
        """Every file, one after the other."""
        return (self.head(number) + self.pixels for number in range(1, self.count + 1))

    def _first_head(self) -> bytes:
        image = dataset(self.spec, 1)
        image.SOPInstanceUID = self.instance(0)
        image.PixelData = self.pixels
        buffer = pydicom.filebase.DicomBytesIO()
        pydicom.dcmwrite(buffer, image, enforce_file_format=True)
        return buffer.getvalue()[: -len(self.pixels)]
