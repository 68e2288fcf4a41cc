"""The demo's folders: legal files, studies that overlap, are split and collide, and nothing half made."""

import shutil
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest

from edgerouter.config import load
from edgerouter.demo.guide import guide
from edgerouter.demo.hospitals import (
    ANNA,
    CONTRAST,
    HOSPITALS,
    KARL,
    PLAIN,
    SHARED_NUMBER,
    furnish,
    holders,
)
from edgerouter.demo.samples import samples
from edgerouter.dicom.describe import Description, describe
from edgerouter.dicom.frame_table import FrameTable


class Steps(list[tuple[str, int, int]]):
    def __call__(self, name: str, done: int, total: int) -> None:
        self.append((name, done, total))


def blank(shapes: object, z: float, size: int, seed: str) -> bytes:
    """A slice that is made at once."""
    return bytes(2 * size * size)


@pytest.fixture(scope="module")
def steps() -> Steps:
    return Steps()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, steps: Steps) -> Path:
    """A furnished folder, its slices blank."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "edgerouter.demo.studies.slice_of", lambda shapes, z, size, seed: bytes(2 * size * size)
        )
        furnish(folder, steps)
    return folder


@pytest.fixture(scope="module")
def held(demo: Path) -> dict[str, list[Description]]:
    return {name: [describe(str(path)) for path in (demo / name).rglob("*.dcm")] for name in HOSPITALS}


def studies(files: list[Description]) -> set[str]:
    return {file.study for file in files}


def test_both_hospitals_have_studies_of_their_own_and_some_in_common(
    held: dict[str, list[Description]],
) -> None:
    a, b = (studies(held[name]) for name in HOSPITALS)

    assert len(a - b) >= 5
    assert len(b - a) >= 3
    assert len(a & b) >= 5


def test_one_study_is_split_a_series_in_each_hospital(held: dict[str, list[Description]]) -> None:
    for name, series in zip(HOSPITALS, (PLAIN, CONTRAST), strict=True):
        found = [file for file in held[name] if file.study == PLAIN.study_uid]
        assert {file.series for file in found} == {series.series_uid}
        assert len({file.instance for file in found}) == series.slices
    assert PLAIN.study_uid == CONTRAST.study_uid


def test_two_people_have_one_number_and_two_issuers(demo: Path) -> None:
    people = {
        (image.PatientID, image.IssuerOfPatientID, str(image.PatientName))
        for name, series in zip(HOSPITALS, (ANNA, KARL), strict=True)
        for image in [pydicom.dcmread(next((demo / name / f"{series.study}-1").glob("*.dcm")))]
    }

    assert len(people) == 2
    assert {number for number, _, _ in people} == {SHARED_NUMBER}
    assert len({issuer for _, issuer, _ in people}) == 2


def test_generated_images_are_whole_and_each_instance_is_there_once(
    held: dict[str, list[Description]],
) -> None:
    for files in held.values():
        assert len({file.instance for file in files}) == len(files)
        made = [file for file in files if file.instance.startswith("2.25.")]
        assert all(FrameTable.from_bytes(file.frames).frames == 1 for file in made)


def test_slices_are_in_their_places_in_space(demo: Path) -> None:
    images = [pydicom.dcmread(path) for path in sorted((demo / "hospital-a" / "split-1").glob("*.dcm"))]
    heights = [float(image.ImagePositionPatient[2]) for image in images]

    assert [int(image.InstanceNumber) for image in images] == list(range(1, PLAIN.slices + 1))
    steps = {round(upper - lower, 1) for lower, upper in pairwise(heights)}
    assert len(steps) == 1
    assert float(images[0].SliceThickness) == pytest.approx(steps.pop(), abs=0.05)
    assert len({image.FrameOfReferenceUID for image in images}) == 1


def test_progress_is_told_to_the_end(demo: Path, steps: Steps) -> None:
    names = dict.fromkeys(name for name, _, _ in steps)

    assert len(names) == 6
    for name in names:
        told = [(done, total) for each, done, total in steps if each == name]
        assert told == [(done, len(told)) for done in range(1, len(told) + 1)]


def test_the_configuration_is_one_that_can_be_served(demo: Path) -> None:
    config = load(demo / "edgerouter.yaml")

    assert config.missing() == ()
    assert [upstream.folder for upstream in config.upstreams.values()] == [demo / name for name in HOSPITALS]


def test_what_is_there_already_stays_and_what_is_half_made_is_made_anew(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    (folder / "hospital-a" / "mine.txt").write_text("of the visitor")
    (folder / "edgerouter.yaml").write_text("# of the visitor")
    (folder / "hospital-b").rename(folder / "hospital-b.unfinished")
    (folder / "hospital-b.unfinished" / "torn").write_text("")
    steps = Steps()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "edgerouter.demo.studies.slice_of", lambda shapes, z, size, seed: bytes(2 * size * size)
        )
        furnish(folder, steps)

    assert (folder / "hospital-a" / "mine.txt").exists()
    assert (folder / "edgerouter.yaml").read_text() == "# of the visitor"
    assert not (folder / "hospital-b" / "torn").exists()
    assert all(name.startswith("hospital-b") for name, _, _ in steps)
    assert not (folder / "hospital-b.unfinished").exists()


def test_samples_are_readable_and_each_instance_is_one() -> None:
    found = list(samples())

    assert len(found) > 100
    assert {holders(sample) for sample in found} == {HOSPITALS, HOSPITALS[:1], HOSPITALS[1:]}


def test_the_guide_says_where_to_click_and_what_to_ask(tmp_path: Path) -> None:
    text = guide("http://127.0.0.1:8080", "/dicomweb", tmp_path, temporary=True)

    assert "http://127.0.0.1:8080/status" in text
    assert "curl -s 'http://127.0.0.1:8080/dicomweb/studies'" in text
    assert f"studies/{PLAIN.study_uid}/series/{PLAIN.series_uid}'" in text
    assert "removes its folder" in text
    assert "its folder stays" in guide("http://h", "/dicomweb", tmp_path, temporary=False)
