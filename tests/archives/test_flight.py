"""A hundred clients want one cold thing of a real archive at once, and the first of them leaves.

The relay holds the answer back, so that nobody can have been served by anything but the one fetch that is
under way. Whole (EDGEROUTER_FULL=1) the series is the chest's 105 MB, else one of 10 MB.
"""

import http.client
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.archives import Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, OCTETS_AS_STORED, Door, Reply
from tests.support.faults import Exchange, Gate
from tests.support.orthanc import Orthanc
from tests.support.samples import CHEST, SeriesSpec, write_series

pytestmark = pytest.mark.archives

CLIENTS = 100
PATIENCE = 60.0  # seconds
WANTED = CHEST if os.environ.get("EDGEROUTER_FULL") == "1" else SeriesSpec("flight", "EDGE-0004", "P^F", 20)
SERIES = f"/studies/{WANTED.study}/series/{WANTED.series}"
FRAME = f"{SERIES}/instances/{WANTED.instance(3)}/frames/1"
THINGS = {"series": (SERIES, DICOM_AS_STORED, 3_000_000), "frame": (FRAME, OCTETS_AS_STORED, 300_000)}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("flight")
    with Orthanc("flight", folder / "orthanc") as orthanc:
        orthanc.load(sample.path for sample in write_series(folder / "files", WANTED))
        yield orthanc


@pytest.fixture
def cold(orthanc: Orthanc, short_path: Path) -> Iterator[Edge]:
    """A router with an empty cache over a relay over the archive."""
    with edge_over(short_path, {"a": orthanc}, cache="2 GB") as edge:
        yield edge


class Client:
    """One viewer: it asks, reads a first piece, and then goes on or leaves."""

    def __init__(self, edge: Edge, path: str, accept: str) -> None:
        url = urlsplit(edge.dicomweb + path)
        self._connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("GET", url.path, headers={"Accept": accept})
        self.kept: bytearray | None = None  # what it read, if it is to be kept
        self._digest = sha256()
        self._answer: http.client.HTTPResponse | None = None

    def begin(self) -> int:
        """Read the head and the first bytes; how many they were."""
        self._answer = self._connection.getresponse()
        return self._took(self._answer.read1(1000))

    def finish(self) -> tuple[int, str | None, str]:
        """Read to the end: status, Cache-Status and the digest of the whole body."""
        answer = self._answer = self._answer or self._connection.getresponse()
        while piece := answer.read(1 << 20):
            self._took(piece)
        self._connection.close()
        return answer.status, answer.getheader("Cache-Status"), self._digest.hexdigest()

    @property
    def content_type(self) -> str:
        """Of an answer that has begun."""
        return (self._answer.getheader("Content-Type") if self._answer else None) or ""

    def leave(self) -> None:
        """RST: in the middle of everything."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._answer:
            self._answer.close()
        self._connection.close()

    def _took(self, piece: bytes) -> int:
        self._digest.update(piece)
        if self.kept is not None:
            self.kept += piece
        return len(piece)


def everybody(edge: Edge, path: str, accept: str) -> list[Client]:
    """All clients, their requests sent at one moment."""
    barrier = threading.Barrier(CLIENTS)

    def one(_: int) -> Client:
        barrier.wait(PATIENCE)
        return Client(edge, path, accept)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = list(pool.map(one, range(CLIENTS)))
    clients[-1].kept = bytearray()
    return clients


def joined(edge: Edge) -> int:
    """How many readers have joined a fetch that another had begun, by the router's own count."""
    with Door(edge.router.url, "") as door:
        lines = door.ask("/metrics").body.decode().splitlines()
    name = "edgerouter_cache_collapsed_total "
    return next(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


def all_joined(edge: Edge, clients: int) -> None:
    """Wait until every client but the one who began the fetch has joined it."""
    deadline = time.monotonic() + PATIENCE
    while joined(edge) < clients - 1:
        assert time.monotonic() < deadline, "not everybody joined"
        time.sleep(0.01)


def bodies(edge: Edge) -> list[Exchange]:
    """What the archive was asked for that holds pixels."""
    edge.relays["a"].quiet()
    return [one for one in edge.relays["a"].requests if one.body_down > 100_000]


def held_back(edge: Edge, at: int) -> Gate:
    return edge.relays["a"].hold(lambda one: "/instances" in one.target or "/series/" in one.target, at=at)


def finished(clients: list[Client]) -> list[tuple[int, str | None, str]]:
    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(Client.finish, clients))


@pytest.mark.parametrize("what", THINGS)
def test_the_first_client_leaves_in_the_body_and_nobody_notices(cold: Edge, what: str) -> None:
    path, accept, tail = THINGS[what]
    gate = held_back(cold, tail)
    clients = everybody(cold, path, accept)
    all_joined(cold, CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        first_bytes = list(pool.map(Client.begin, clients))
    assert all(first_bytes), "everybody reads while the archive is still sending"
    first, others = clients[0], clients[1:]
    first.leave()
    gate.open()

    answers = finished(others)
    assert {status for status, _, _ in answers} == {200}
    assert len({digest for _, _, digest in answers}) == 1
    assert sum("collapsed" in (how or "") for _, how, _ in answers) >= CLIENTS - 2
    assert len(bodies(cold)) == 1
    assert len(cold.relays["a"].requests) <= 2, "one body, at most one listing"
    same_as_the_archive(cold, path, accept, clients[-1])


@pytest.mark.parametrize("what", THINGS)
def test_the_first_client_leaves_before_the_head_and_nobody_notices(cold: Edge, what: str) -> None:
    path, accept, _ = THINGS[what]
    gate = held_back(cold, -1)
    first = Client(cold, path, accept)
    gate.wait_reached()
    clients = everybody(cold, path, accept)
    all_joined(cold, CLIENTS + 1)
    first.leave()
    gate.open()

    answers = finished(clients)
    assert {status for status, _, _ in answers} == {200}
    assert len({digest for _, _, digest in answers}) == 1
    assert len(bodies(cold)) == 1
    same_as_the_archive(cold, path, accept, clients[-1])


def same_as_the_archive(edge: Edge, path: str, accept: str, client: Client) -> None:
    """What was sent round is what the archive has, and what is held now; nobody asks for it again."""
    assert client.kept is not None
    with Door(edge.dicomweb, "") as router, Door(f"{edge.relays['a'].url}/dicom-web", "") as direct:
        mark = edge.relays["a"].mark()
        held = router.ask(path, accept)
        assert edge.relays["a"].since(mark) == []
        there = direct.ask(path, accept)
    assert (held.get("cache-status") or "").startswith("edgerouter; hit")
    parts = sorted(part.body for part in there.parts)
    assert sorted(part.body for part in held.parts) == parts
    sent = Reply(200, (("Content-Type", client.content_type),), bytes(client.kept))
    assert sorted(part.body for part in sent.parts) == parts
