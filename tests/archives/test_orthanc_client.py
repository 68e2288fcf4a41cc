"""An archive's own DICOMweb client is a client of the router: Orthanc, through its `DicomWeb.Servers`.

The same Orthanc knows the archive under another name, so that each answer can be compared with going there
directly. What it fetched and sent is compared in bytes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.archives import Edge, edge_over
from tests.support.orthanc import Orthanc, OrthancFailed
from tests.support.samples import Sample, SeriesSpec, one_of_each, wheel_samples, write_series

pytestmark = pytest.mark.archives

NAMES = {"CT_small.dcm", "MR_small.dcm", "SC_rgb_rle_2frame.dcm", "JPGExtended.dcm", "rtdose.dcm"}
SLICES = SeriesSpec("peer", "EDGE-0005", "Phantom^Peer", slices=12, size=256)
OWN = SeriesSpec("own", "EDGE-0006", "Phantom^Own", slices=5, size=512)
_BASE = re.compile(rb"http://127\.0\.0\.1:\d+/dicom-?web")


@dataclass(frozen=True)
class Peers:
    """An Orthanc with series of its own that reaches `archive` by two names, and the router between."""

    archive: Orthanc
    edge: Edge
    peer: Orthanc
    files: list[Sample]
    own: list[Sample]

    def call(self, server: str, what: str, **arguments: object) -> Any:
        """What its DICOMweb client makes of a server's answer, without links."""
        body = self.peer.post(f"/dicom-web/servers/{server}/{what}", arguments)
        return json.loads(_BASE.sub(b"ROOT", body))

    def text(self, server: str, uri: str, accept: str, **arguments: str) -> bytes:
        """The body of a server's answer to a GET that its client passes on."""
        wish = {"Uri": uri, "HttpHeaders": {"Accept": accept}, "Arguments": arguments}
        return _BASE.sub(b"ROOT", self.peer.post(f"/dicom-web/servers/{server}/get", wish))

    @property
    def relay(self) -> Any:
        """Between router and archive."""
        return self.edge.relays["a"]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("peers")
    wheel = [sample for sample in one_of_each(wheel_samples()) if sample.path.name in NAMES]
    files = [*wheel, *write_series(folder / "slices", SLICES)]
    own = write_series(folder / "own", OWN)
    with (
        Orthanc("archive", folder / "archive") as archive,
        edge_over(folder / "edge", {"a": archive}, cache="1 GB") as edge,
    ):
        archive.load(sample.path for sample in files)
        servers = {"archive": [f"{archive.dicomweb_url}/"], "edge": [f"{edge.dicomweb}/"]}
        with Orthanc("peer", folder / "peer", DicomWeb={"Servers": servers}) as peer:
            peer.load(sample.path for sample in own)
            yield Peers(archive, edge, peer, files, own)


QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    "studies": ("/studies", {}),
    "by patient": ("/studies", {"00100020": "1CT1", "includefield": "00081030"}),
    "by uid": ("/studies", {"StudyInstanceUID": SLICES.study}),
    "one page": ("/studies", {"limit": "2", "offset": "1"}),
    "nobody": ("/studies", {"PatientID": "nobody"}),
    "series": (f"/studies/{SLICES.study}/series", {}),
    "all series": ("/series", {"Modality": "MR"}),
    "instances": (f"/studies/{SLICES.study}/series/{SLICES.series}/instances", {"limit": "5"}),
}


@pytest.mark.parametrize("what", QUERIES)
def test_it_finds_what_it_finds_at_the_archive(peers: Peers, what: str) -> None:
    uri, arguments = QUERIES[what]
    there = peers.call("archive", "qido", Uri=uri, Arguments=arguments)
    assert peers.call("edge", "qido", Uri=uri, Arguments=arguments) == there
    assert bool(there) is (what != "nobody")


def test_it_reads_metadata_as_at_the_archive(peers: Peers) -> None:
    for sample in peers.files:
        series = sample.resource.partition("/instances/")[0]
        for path in (f"/studies/{sample.study}", series, sample.resource):
            wish = (f"{path}/metadata", "application/dicom+json")
            assert json.loads(peers.text("edge", *wish)) == json.loads(peers.text("archive", *wish))


def test_it_reads_a_rendered_image_as_at_the_archive(peers: Peers) -> None:
    wish = (f"{peers.files[0].resource}/rendered", "image/png")
    for _ in range(2):
        assert peers.text("edge", *wish) == peers.text("archive", *wish)


def test_what_it_encodes_too_much_is_understood_where_the_archive_does_not(peers: Peers) -> None:
    """It writes %2A and %2C, which this archive takes for letters."""
    query = {"Uri": "/studies", "Arguments": {"PatientName": "Phantom*"}}
    assert peers.call("archive", "qido", **query) == []
    assert len(peers.call("edge", "qido", **query)) == 1
    path = f"{peers.files[0].resource}/rendered"
    with pytest.raises(OrthancFailed):
        peers.text("archive", path, "image/png", viewport="64,64")
    assert peers.text("edge", path, "image/png", viewport="64,64").startswith(b"\x89PNG")


@pytest.mark.parametrize("level", ["Study", "Series", "Instance"])
def test_it_retrieves_every_level_byte_for_byte_and_again_without_asking_the_archive(
    peers: Peers, level: str
) -> None:
    wanted = [resources(sample)[level] for sample in peers.files]
    wanted = [one for at, one in enumerate(wanted) if one not in wanted[:at]]
    for again in (False, True):
        mark = peers.relay.mark()
        said = peers.call("edge", "retrieve", Resources=wanted, Synchronous=True)
        assert int(said["ReceivedInstancesCount"]) == len(peers.files)
        for sample in peers.files:
            assert peers.peer.raw(sample.instance) == sample.path.read_bytes()
        if again:
            assert peers.relay.since(mark) == []
        for study in {sample.study for sample in peers.files}:
            peers.peer.delete_study(study)


def resources(sample: Sample) -> dict[str, dict[str, str]]:
    study = {"Study": sample.study}
    series = study | {"Series": sample.series}
    return {"Study": study, "Series": series, "Instance": series | {"Instance": sample.instance}}


def test_what_it_cannot_retrieve_fails_as_at_the_archive(peers: Peers) -> None:
    for server in ("archive", "edge"):
        with pytest.raises(OrthancFailed):
            peers.call(server, "retrieve", Resources=[{"Study": "1.2.3"}], Synchronous=True)


@pytest.mark.parametrize("server", ["archive", "edge"])
@pytest.mark.parametrize("level", ["Study", "Instance"])
def test_it_stores_into_the_archive_byte_for_byte(peers: Peers, server: str, level: str) -> None:
    """With its own boundary, longer than RFC 2046 allows, and in chunks."""
    named = {getattr(sample, level.lower()) for sample in peers.own}
    chosen = [peers.peer.identifier(level, uid) for uid in sorted(named)]
    said = peers.call(server, "stow", Resources=chosen, Synchronous=True)
    assert int(said["InstancesCount"]) == len(peers.own)
    for sample in peers.own:
        assert peers.archive.raw(sample.instance) == sample.path.read_bytes()
    peers.archive.delete_study(OWN.study)


def test_a_store_that_the_archive_refuses_fails_at_the_client_too(peers: Peers) -> None:
    peers.relay.refuse()
    try:
        with pytest.raises(OrthancFailed):
            peers.call(
                "edge", "stow", Resources=[peers.peer.identifier("Study", OWN.study)], Synchronous=True
            )
    finally:
        peers.relay.accept()


def test_what_it_stored_through_the_router_it_finds_there_at_once(peers: Peers) -> None:
    study = peers.peer.identifier("Study", OWN.study)
    query = {"Uri": "/studies", "Arguments": {"PatientID": OWN.patient_id}}
    assert peers.call("edge", "qido", **query) == []
    peers.call("edge", "stow", Resources=[study], Synchronous=True)
    assert len(peers.call("edge", "qido", **query)) == 1
    peers.archive.delete_study(OWN.study)
    assert peers.call("edge", "qido", **query) == []
