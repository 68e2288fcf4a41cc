"""Studies of people who never lived, written as PS3.10 files; every run writes the same ones."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from edgerouter.demo.phantom import FIELD, OFFSET, Ellipsoid, slice_of

Progress = Callable[[int, int], object]  # how many are done, of how many
_LOWEST, _HIGHEST = -62.0, 86.0  # millimetres


@dataclass(frozen=True, slots=True)
class Patient:
    """As one hospital knows them: the identifier counts only together with its issuer."""

    id: str
    issuer: str
    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class Series:
    """A CT series of the head: `slices` square images of `size` pixels either way."""

    patient: Patient
    study: str
    date: str
    number: int
    description: str
    shapes: tuple[Ellipsoid, ...]
    slices: int
    size: int

    @property
    def study_uid(self) -> str:
        return uid(self.study)

    @property
    def series_uid(self) -> str:
        return uid(self.study, self.number)

    def z(self, number: int) -> float:
        """The height of slice `number`, from 1, in millimetres."""
        return round(_LOWEST + (_HIGHEST - _LOWEST) * (number - 1) / max(1, self.slices - 1), 3)


def uid(*names: object) -> str:
    """A UID made of names (PS3.5 §B.2); the same for the same ones."""
    digest = hashlib.blake2b(repr(("edgerouter demo", *names)).encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def write(series: Series, folder: Path, progress: Progress) -> None:
    """Write the series' files into a folder, which is made."""
    folder.mkdir(parents=True)
    for number in range(1, series.slices + 1):
        image = header(series, number)
        image.PixelData = slice_of(series.shapes, series.z(number), series.size, series.study)
        image.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
        progress(number, series.slices)


def header(series: Series, number: int) -> Dataset:
    """A CT image without its pixels."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = uid(series.study, series.number, number)
    image.update(_patient(series.patient))
    image.update(_study(series))
    image.update(_geometry(series, number))
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows = image.Columns = series.size
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -OFFSET, 1, "HU"
    image.WindowCenter, image.WindowWidth = 40, 90
    return image


def _patient(patient: Patient) -> Dataset:
    known = Dataset()
    known.PatientID, known.IssuerOfPatientID = patient.id, patient.issuer
    known.PatientName, known.PatientBirthDate = patient.name, patient.birth_date
    known.PatientSex = patient.sex
    return known


def _study(series: Series) -> Dataset:
    known = Dataset()
    known.StudyInstanceUID, known.SeriesInstanceUID = series.study_uid, series.series_uid
    known.StudyDate = known.SeriesDate = known.AcquisitionDate = known.ContentDate = series.date
    known.StudyTime = known.ContentTime = "091500"
    known.StudyID, known.StudyDescription = "1", "CT head"
    known.AccessionNumber = uid(series.study, "accession")[-8:]
    known.ReferringPhysicianName = "Referrer^Rita"
    known.Modality, known.SeriesNumber = "CT", series.number
    known.SeriesDescription, known.BodyPartExamined = series.description, "HEAD"
    known.Manufacturer, known.ManufacturerModelName = "edgerouter", "Phantom"
    known.KVP, known.ImageType = 120, ["DERIVED", "SECONDARY", "AXIAL"]
    return known


def _geometry(series: Series, number: int) -> Dataset:
    known = Dataset()
    known.InstanceNumber, known.FrameOfReferenceUID = number, uid(series.study, "frame of reference")
    known.PositionReferenceIndicator, known.PatientPosition = "", "HFS"
    known.ImagePositionPatient = [-FIELD / 2, -FIELD / 2, series.z(number)]
    known.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    known.PixelSpacing = [FIELD / series.size] * 2
    known.SliceThickness = round((_HIGHEST - _LOWEST) / max(1, series.slices - 1), 3)
    return known
