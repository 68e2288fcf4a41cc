"""The origin of an endurance run: a real Orthanc, everything that is asked of it, and what it says.

What an answer says is its signature: the digests of its parts in any order, of its rows without their links,
or of its bytes. Each was learned from the archive itself before the run.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from edgerouter.cache.unit import UnitKey, UnitKind
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, OCTETS, OCTETS_AS_STORED, Door, Reply
from tests.support.orthanc import Orthanc
from tests.support.samples import Sample, SeriesSpec, one_of_each, wheel_samples, write_series

_BASE = re.compile(rb"http://127\.0\.0\.1(?::\d+)?/dicom-?web")
_MULTIFRAME = {"SC_rgb_rle_2frame.dcm", "examples_ybr_color.dcm", "rtdose.dcm", "JPGExtended.dcm"}
SERIES = tuple(
    SeriesSpec(f"endurance {number}", f"EDGE-9{number:03}", f"Phantom^E{number}", slices, size)
    for number, (slices, size) in enumerate([(60, 64), (40, 128), (30, 128), (20, 256), (12, 256), (4, 1024)])
)


@dataclass(frozen=True)
class Target:
    """One thing to ask for: a path below the root and the Accept field."""

    path: str
    accept: str


class Origin:
    """The archive, its files, and the signature of every target."""

    def __init__(self, orthanc: Orthanc, samples: list[Sample]) -> None:
        self.orthanc = orthanc
        self.bytes = sum(sample.path.stat().st_size for sample in samples)
        self._files = {sample.instance: sample for sample in samples}
        self._door = Door(orthanc.dicomweb_url, "")
        self._units: dict[UnitKey, str] = {}
        self.truth = {target: self._learned(target) for target in targets(samples)}

    @property
    def upstream(self) -> dict[str, str]:
        """Its section in a router's configuration. Metadata are its own, as they are compared with that."""
        return {"url": self.orthanc.dicomweb_url, "profile": "orthanc", "derive_metadata": "no"}

    def digest(self, key: UnitKey) -> str:
        """The digest of what a unit should be, by the archive's own answer to its name."""
        if key not in self._units:
            self._units[key] = sha256(self._bytes(key)).hexdigest()
        return self._units[key]

    def _bytes(self, key: UnitKey) -> bytes:
        sample = self._files.get(key.instance)
        if key.kind is UnitKind.INSTANCE and sample and key.syntax == sample.syntax:
            return sample.path.read_bytes()
        names = (("studies", key.study), ("series", key.series), ("instances", key.instance))
        path = "".join(f"/{word}/{uid}" for word, uid in names if uid)
        tail = {UnitKind.INSTANCE: "", UnitKind.FRAME: f"/frames/{key.which}"}.get(key.kind, f"/{key.which}")
        syntax = f"; transfer-syntax={key.syntax}" if key.syntax else ""
        single = key.kind is UnitKind.RENDITION and key.media.startswith("image/")
        accept = key.media if single else f'multipart/related; type="{key.media}"{syntax}'
        reply = self._door.ask(path + tail, accept)
        assert reply.status == 200, f"the archive has no {key.kind} of {key.media}: {reply.status}"
        return reply.body if single else reply.parts[0].body

    def _learned(self, target: Target) -> str:
        reply = self._door.ask(target.path, target.accept)
        assert reply.status == 200, f"{target}: {reply.status}"
        return signature(reply)


def signature(reply: Reply) -> str:
    """What an answer says. Raises AssertionError when it is multipart and not whole."""
    kind = (reply.get("content-type") or "").partition(";")[0]
    if kind == "multipart/related":
        pieces = sorted(sha256(part.body).hexdigest() for part in reply.parts)
    elif kind == DICOM_JSON:
        rows = json.loads(_BASE.sub(b"ROOT", reply.body))
        pieces = sorted(json.dumps(row, sort_keys=True) for row in rows)
    else:
        pieces = [sha256(reply.body).hexdigest()]
    return sha256("\n".join([kind, *pieces]).encode()).hexdigest()


def targets(samples: list[Sample]) -> list[Target]:
    """Every kind of thing that is kept, of every series and of some of the instances."""
    found: dict[Target, None] = {}
    for number, sample in enumerate(samples):
        study = f"/studies/{sample.study}"
        series = sample.resource.partition("/instances/")[0]
        for path in (study, series):
            found[Target(path, DICOM_AS_STORED)] = None
            found[Target(f"{path}/metadata", DICOM_JSON)] = None
        if number % 4 == 0:
            found[Target(sample.resource, DICOM_AS_STORED)] = None
            found[Target(f"{sample.resource}/metadata", DICOM_JSON)] = None
            found[Target(f"{sample.resource}/bulk/7fe00010", OCTETS)] = None
        if number % 3 == 0:
            found[Target(f"{sample.resource}/frames/1", OCTETS_AS_STORED)] = None
            found[Target(f"{sample.resource}/rendered", "image/png")] = None
        if sample.frames > 1:
            found[Target(f"{sample.resource}/frames/2,1", OCTETS_AS_STORED)] = None
    return list(found)


@contextmanager
def an_origin(folder: Path) -> Iterator[Origin]:
    """Start and load the archive, and ask it for everything once."""
    wheel = [sample for sample in one_of_each(wheel_samples()) if sample.path.name in _MULTIFRAME]
    generated = [one for spec in SERIES for one in write_series(folder / spec.seed.replace(" ", "-"), spec)]
    with Orthanc("origin", folder / "orthanc") as orthanc:
        orthanc.load(sample.path for sample in [*wheel, *generated])
        yield Origin(orthanc, [*wheel, *generated])
