"""Two archives with studies that overlap, collide and are split, and a router over relays over them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.orthanc import Orthanc
from tests.support.relay import Relay
from tests.support.router import Router
from tests.support.samples import CHEST, Sample, SeriesSpec, one_of_each, wheel_samples, write_series

# The same PatientID as CT_small.dcm, another patient.
NAMESAKE = SeriesSpec("namesake", "1CT1", "Other^Person", slices=3, size=64, birth_date="19711231")
VISITOR = SeriesSpec("visitor", "EDGE-0002", "Phantom^Visitor", slices=5, size=128)
SPLIT_A = SeriesSpec("split a", "EDGE-0003", "Phantom^Split", slices=3, size=64, study_seed="split")
SPLIT_B = SeriesSpec("split b", "EDGE-0003", "Phantom^Split", slices=2, size=64, study_seed="split")


@dataclass(frozen=True)
class Archives:
    """Archive a: the wheel's samples, the chest series and half of the split study. Archive b: some of
    the same studies, whole or in part, the other half, and patients of its own."""

    a: Orthanc
    b: Orthanc
    in_a: tuple[Sample, ...]
    in_b: tuple[Sample, ...]

    def sample(self, file_name: str) -> Sample:
        """The sample of archive a that came from a file of this name."""
        return next(sample for sample in self.in_a if sample.path.name == file_name)

    @property
    def chest(self) -> list[Sample]:
        """The 200 slices of the generated CT series, in archive a only."""
        return [sample for sample in self.in_a if sample.study == CHEST.study]

    @property
    def studies_a(self) -> set[str]:
        """The StudyInstanceUIDs of archive a."""
        return {sample.study for sample in self.in_a}

    @property
    def studies_b(self) -> set[str]:
        """The StudyInstanceUIDs of archive b."""
        return {sample.study for sample in self.in_b}


@contextmanager
def two_archives(folder: Path) -> Iterator[Archives]:
    """Start and load both. Raises OrthancMissing when Orthanc is not installed."""
    wheel = one_of_each(wheel_samples())
    generated = {
        spec: write_series(folder / spec.seed.replace(" ", "-"), spec)
        for spec in (CHEST, NAMESAKE, VISITOR, SPLIT_A, SPLIT_B)
    }
    in_a = [*wheel, *generated[CHEST], *generated[SPLIT_A]]
    shared = [sample for sample in wheel if _is_shared(sample)]
    in_b = [*shared, *generated[NAMESAKE], *generated[VISITOR], *generated[SPLIT_B]]
    with Orthanc("a", folder / "a") as a, Orthanc("b", folder / "b") as b:
        a.load(sample.path for sample in in_a)
        b.load(sample.path for sample in in_b)
        yield Archives(
            a,
            b,
            tuple(sample for sample in in_a if sample.path not in a.refused),
            tuple(sample for sample in in_b if sample.path not in b.refused),
        )


def _is_shared(sample: Sample) -> bool:
    """CT_small and the CT study of 98892001 whole; of the MR study of 98892003 one series of several."""
    folders = sample.path.parts
    return sample.path.name == "CT_small.dcm" or "98892001" in folders or "MR700" in folders


@dataclass(frozen=True)
class Edge:
    """A router and the relays between it and its upstreams, by the upstreams' names."""

    router: Router
    relays: Mapping[str, Relay]

    @property
    def dicomweb(self) -> str:
        """The router's DICOMweb root."""
        return self.router.dicomweb

    def upstream_requests(self) -> int:
        """How many requests have reached any upstream."""
        return sum(relay.mark() for relay in self.relays.values())


@contextmanager
def edge_over(
    folder: Path,
    upstreams: Mapping[str, Orthanc],
    overrides: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    cache: str = "0 B",
) -> Iterator[Edge]:
    """A router in `folder` over archives, each behind a relay of its own; `cache` is the cache's size.

    `overrides` are merged into the configuration, `settings` into each upstream's section.
    """
    with ExitStack() as stack:
        relays = {name: stack.enter_context(Relay(archive.url)) for name, archive in upstreams.items()}
        sections = {
            name: {
                "url": f"{relay.url}/dicom-web",
                "wado_uri_url": f"{relay.url}/wado",
                "profile": "orthanc",
                **(settings or {}),
            }
            for name, relay in relays.items()
        }
        whole = {"cache": {"path": "cache", "size": cache, "min_free": "0 B"}, **(overrides or {})}
        yield Edge(stack.enter_context(Router(folder, sections, whole)), relays)
