"""Two hospitals with what makes routing worth while: studies that only one has, that both have, and that are
split over both; and two people whom the hospitals know by the same number."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from edgerouter.demo.phantom import ENHANCED, HEAD, LESION
from edgerouter.demo.samples import Sample, samples
from edgerouter.demo.studies import Patient, Series, write

HOSPITALS = ("hospital-a", "hospital-b")
CONFIGURATION = "edgerouter.yaml"
_UNFINISHED = ".unfinished"
_YAML = """\
# What `edgerouter demo` made: two hospitals' archives, each embedded over a folder.
upstreams:
  hospital-a:
    folder: hospital-a
  hospital-b:
    folder: hospital-b
"""

SHARED_NUMBER = "4711"
_SPLIT = Patient("10042", "HOSP-A", "Phantom^Paula", "19560304", "F")
_ANNA = Patient(SHARED_NUMBER, "HOSP-A", "Berg^Anna", "19710812", "F")
_KARL = Patient(SHARED_NUMBER, "HOSP-B", "Lind^Karl", "19891130", "M")
PLAIN = Series(_SPLIT, "split", "20240612", 1, "Axial 4 mm", HEAD + LESION, 40, 512)
CONTRAST = Series(_SPLIT, "split", "20240612", 2, "Axial 8 mm, contrast", HEAD + ENHANCED, 20, 512)
ANNA = Series(_ANNA, "anna", "20230117", 1, "Axial 12 mm", HEAD, 12, 256)
KARL = Series(_KARL, "karl", "20240226", 1, "Axial 12 mm", HEAD + LESION, 12, 256)
_GENERATED = {"hospital-a": (PLAIN, ANNA), "hospital-b": (CONTRAST, KARL)}

Step = Callable[[str, int, int], object]  # what is being made, how much of it is done, of how much


def furnish(folder: Path, step: Step) -> Path:
    """Put the demo into a folder; returns the configuration for it.

    What an earlier demo left there stays as it is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    found = list(samples())
    for hospital in HOSPITALS:
        if not (folder / hospital).exists():
            _make(folder, hospital, found, step)
    configuration = folder / CONFIGURATION
    if not configuration.exists():
        configuration.write_text(_YAML)
    return configuration


def _make(folder: Path, hospital: str, found: Iterable[Sample], step: Step) -> None:
    """Only what is whole gets the hospital's name: an interrupted demo starts over."""
    unfinished = folder / (hospital + _UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _copy([sample.path for sample in found if hospital in holders(sample)], unfinished, hospital, step)
    for series in _GENERATED[hospital]:
        name = f"{hospital}: {series.description} of {series.patient.name.replace('^', ', ')}"

        def progress(done: int, total: int, name: str = name) -> None:
            step(name, done, total)

        write(series, unfinished / f"{series.study}-{series.number}", progress)
    unfinished.rename(folder / hospital)


def holders(sample: Sample) -> tuple[str, ...]:
    """Which hospitals have a sample: of every four studies one has both, so that they overlap."""
    share = sum(sample.study.encode()) % 4
    return {0: HOSPITALS, 1: HOSPITALS[1:]}.get(share, HOSPITALS[:1])


def _copy(paths: list[Path], folder: Path, hospital: str, step: Step) -> None:
    for number, path in enumerate(paths, start=1):
        shutil.copyfile(path, folder / f"sample-{number:03}.dcm")
        step(f"{hospital}: pydicom's sample files", number, len(paths))
