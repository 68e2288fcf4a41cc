"""A mixed reading session, and what of it crosses the line: through the router, and through nginx.

A viewer reads frames one by one in the order of its screen, others read series and study, scripts read
metadata, somebody asks for ranges and heads: the same pixels, asked for in many ways. The archive is a real
Orthanc behind a relay that counts the bytes of its answers.

    make bench-session
"""

import http.client
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.nginx import Nginx, nginx_missing
from tests.support.archives import Edge, edge_over
from tests.support.orthanc import Orthanc
from tests.support.relay import Relay
from tests.support.samples import CHEST, SeriesSpec, write_series

OCTETS, FILES = 'type="application/octet-stream"', 'type="application/dicom"'
# As OHIF 3 (by default and with quotation marks left out), with its preferred syntax, as Slim and as
# dicomweb-client for JavaScript spell one wish (each frame is asked for in one of them).
SPELLINGS = (
    f'multipart/related; {OCTETS}; transfer-syntax="*"',
    "multipart/related; type=application/octet-stream; transfer-syntax=*",
    f"multipart/related; {OCTETS}; transfer-syntax=1.2.840.10008.1.2.1",
    f"multipart/related; {OCTETS}; transfer-syntax=*",
    f"multipart/related; {OCTETS}",
)
WEASIS = 'multipart/related;type="application/dicom";transfer-syntax=*'
SLICER = f"multipart/related; {FILES}"
ON_THE_WIRE = 6  # requests of a browser at once
LIMIT = 1.03


@dataclass(frozen=True)
class Ask:
    """One request; `path` is below the DICOMweb root, or begins with `wado` and is of the URI service."""

    path: str
    accept: str
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """Requests of one kind, so many of them at once."""

    name: str
    asks: Sequence[Ask]
    at_once: int = 1


def steps(spec: SeriesSpec) -> list[Step]:
    """The session over one generated series."""
    study = f"/studies/{spec.study}"
    series = f"{study}/series/{spec.series}"
    instances = [f"{series}/instances/{spec.instance(number)}" for number in range(1, spec.slices + 1)]
    scrambled = random.Random(1).sample(instances, len(instances))
    frames = [Ask(f"{one}/frames/1", SPELLINGS[at % len(SPELLINGS)]) for at, one in enumerate(scrambled)]
    some = instances[:: max(1, len(instances) // 5)]
    gzipped = (("Accept-Encoding", "gzip"),)
    ranged = (("Range", "bytes=1000-1999"),)
    files = [Ask(one, "application/dicom", fields=ranged) for one in some]
    pixels = [Ask(f"{one}/frames/1", "application/octet-stream", fields=ranged) for one in some]
    all_levels = (series, study, *some)
    rows = [Ask(f"{one}/metadata", "application/dicom+json", fields=gzipped) for one in all_levels]
    return [
        Step("frames (OHIF)", frames, ON_THE_WIRE),
        Step("series (Weasis)", [Ask(series, WEASIS)]),
        Step("series, study (Slicer)", [Ask(series, SLICER), Ask(study, SLICER)]),
        Step("instances", [Ask(one, SLICER) for one in some]),
        Step("metadata", rows),
        Step("ranges", [*files, *pixels]),
        Step("HEAD", [Ask(one, SLICER, "HEAD") for one in all_levels]),
        *_formats(all_levels, spec),
    ]


def _formats(levels: Sequence[str], spec: SeriesSpec) -> list[Step]:
    xml = 'multipart/related; type="application/dicom+xml"'
    uri = f"wado?requestType=WADO&studyUID={spec.study}&seriesUID={spec.series}&contentType=application/dicom"
    uids = [one.rpartition("/")[2] for one in levels if "/instances/" in one]
    return [
        Step("metadata in XML", [Ask(f"{one}/metadata", xml) for one in levels]),
        Step("zip", [Ask(one, "application/zip") for one in levels[:2]]),
        Step("WADO-URI", [Ask(f"{uri}&objectUID={uid}", "*/*") for uid in uids]),
    ]


@dataclass
class Crossed:
    """What a step cost the line; `statuses` are the client's."""

    requests: int = 0
    down: int = 0
    statuses: list[int] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return sum(200 <= status < 300 for status in self.statuses)


@dataclass(frozen=True)
class Figures:
    """What each step of a session cost, and what one copy of the metadata was on the line."""

    steps: dict[str, Crossed]
    metadata: int

    @property
    def down(self) -> int:
        return sum(step.down for step in self.steps.values())

    @property
    def requests(self) -> int:
        return sum(step.requests for step in self.steps.values())


Check = Callable[[Ask, int, bytes], None]  # told the request, its status and a digest of the body


@dataclass(frozen=True)
class Place:
    """Where the session goes: a DICOMweb root, its URI service, and the relay before the archive."""

    root: str
    wado: str
    relay: Relay

    def url(self, ask: Ask) -> str:
        return (
            self.wado + ask.path.removeprefix("wado") if ask.path.startswith("wado") else self.root + ask.path
        )


def run(place: Place, spec: SeriesSpec, check: Check | None = None) -> Figures:
    """The session against one place."""
    relay = place.relay
    figures: dict[str, Crossed] = {}
    metadata = 0
    for step in steps(spec):
        mark = relay.mark()
        crossed = figures[step.name] = Crossed()
        with ThreadPoolExecutor(step.at_once) as pool:
            for ask, (status, digest) in zip(
                step.asks, pool.map(lambda ask: answer(place, ask), step.asks), strict=True
            ):
                crossed.statuses.append(status)
                if check:
                    check(ask, status, digest)
        relay.quiet()
        exchanges = relay.since(mark)
        crossed.requests, crossed.down = len(exchanges), sum(one.body_down for one in exchanges)
        metadata = max([metadata, *(one.body_down for one in exchanges if one.path.endswith("/metadata"))])
    return Figures(figures, metadata)


def answer(place: Place, ask: Ask) -> tuple[int, bytes]:
    """Status and digest of one answer, read piece by piece."""
    url = urlsplit(place.url(ask))
    connection = http.client.HTTPConnection(url.netloc, timeout=120)
    try:
        target = f"{url.path}?{url.query}" if url.query else url.path
        connection.request(ask.method, target, headers={"Accept": ask.accept, **dict(ask.fields)})
        reply, found = connection.getresponse(), sha256()
        while piece := reply.read(1 << 20):
            found.update(piece)
        return reply.status, found.digest()
    finally:
        connection.close()


@contextmanager
def through_nginx(folder: Path, archive: Orthanc) -> Iterator[Place]:
    """nginx with a cache before a relay before the archive."""
    with Relay(archive.url) as relay, Nginx(folder, relay.url) as nginx:
        yield Place(f"{nginx.url}/dicom-web", f"{nginx.url}/wado", relay)


@contextmanager
def through_router(folder: Path, archive: Orthanc) -> Iterator[Place]:
    """The router before a relay before the archive."""
    with edge_over(folder, {"a": archive}, cache="4 GB") as edge:
        yield place_of(edge)


def place_of(edge: Edge) -> Place:
    return Place(edge.dicomweb, f"{edge.dicomweb}/wado", edge.relays["a"])


Way = Callable[[Path, Orthanc], AbstractContextManager[Place]]


def main() -> None:
    """Print the session's figures, twice through each way."""
    ways: dict[str, Way] = {"edgerouter": through_router}
    if missing := nginx_missing():
        print(missing)
    else:
        ways["nginx"] = through_nginx
    with tempfile.TemporaryDirectory(prefix="session") as name:
        folder = Path(name)
        samples = write_series(folder / "series", CHEST)
        size = sum(sample.path.stat().st_size for sample in samples)
        with Orthanc("session", folder / "archive") as archive:
            archive.load(sample.path for sample in samples)
            for way, through in ways.items():
                (folder / way).mkdir()
                with through(folder / way, archive) as place:
                    for turn in ("first", "second"):
                        began = time.monotonic()
                        told(way, turn, run(place, CHEST), size, time.monotonic() - began)


def told(way: str, turn: str, figures: Figures, size: int, seconds: float) -> None:
    """One table; `size` is that of the study's files."""
    print(f"\n{way}, {turn} pass ({seconds:.1f} s)")
    print(f"{'step':<24}{'asked':>7}{'answered':>10}{'upstream':>10}{'MB down':>10}")
    for name, crossed in figures.steps.items():
        asked, answered = len(crossed.statuses), crossed.answered
        print(f"{name:<24}{asked:>7}{answered:>10}{crossed.requests:>10}{crossed.down / 1e6:>10.2f}")
    copies = figures.down / (size + figures.metadata)
    print(f"{'all':<24}{'':>17}{figures.requests:>10}{figures.down / 1e6:>10.2f}")
    print(f"study {size / 1e6:.2f} MB + metadata {figures.metadata / 1e6:.3f} MB: {copies:.3f} copies")


if __name__ == "__main__":
    main()
