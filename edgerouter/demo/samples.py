"""The sample files that pydicom ships, as far as an archive can hold them: found by path, in its package."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom

from edgerouter.dicom.describe import describe
from edgerouter.dicom.source import Part10Error


class Sample(NamedTuple):
    """A file and the study it is of."""

    path: Path
    study: str


def samples() -> Iterator[Sample]:
    """One file for each instance, in path order. Some of the files are broken on purpose, and some share
    their UIDs: an archive has each instance once."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    seen: set[str] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            description = describe(str(path))
        except Part10Error:
            continue
        if description.instance not in seen:
            seen.add(description.instance)
            yield Sample(path, description.study)
