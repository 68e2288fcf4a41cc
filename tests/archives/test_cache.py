"""What was retrieved once is answered from disk: judged by the relay before a real archive."""

import http.client
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.archives import Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, OCTETS_AS_STORED, Door, Reply
from tests.support.faults import Cut, Exchange, Fault
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

STUDY = f"/studies/{CHEST.study}"
SERIES = f"{STUDY}/series/{CHEST.series}"
INSTANCE = f"{SERIES}/instances/{CHEST.instance(7)}"
RETRIEVES = {
    "study": (STUDY, DICOM_AS_STORED),
    "series": (SERIES, DICOM_AS_STORED),
    "instance": (INSTANCE, DICOM_AS_STORED),
    "one frame": (f"{INSTANCE}/frames/1", OCTETS_AS_STORED),
    "study metadata": (f"{STUDY}/metadata", DICOM_JSON),
    "series metadata": (f"{SERIES}/metadata", DICOM_JSON),
    "instance metadata": (f"{INSTANCE}/metadata", DICOM_JSON),
}


@pytest.fixture
def cold(archives: Archives, short_path: Path) -> Iterator[Edge]:
    """A router with an empty cache over archive a."""
    with edge_over(short_path, {"a": archives.a}, cache="2 GB") as edge:
        yield edge


def asking(edge: Edge) -> Door:
    return Door(edge.dicomweb, f"{edge.dicomweb}/wado")


@pytest.mark.parametrize("what", RETRIEVES)
def test_a_second_retrieve_asks_no_archive_nor_after_a_restart(cold: Edge, what: str) -> None:
    path, accept = RETRIEVES[what]
    with asking(cold) as door:
        first = door.ask(path, accept)
    cold.relays["a"].quiet()
    mark = cold.relays["a"].mark()
    with asking(cold) as door:
        second = door.ask(path, accept)
    cold.router.restart()
    with asking(cold) as door:
        third = door.ask(path, accept)

    assert [first.status, second.status, third.status] == [200, 200, 200]
    assert cold.relays["a"].since(mark) == []
    assert "edgerouter; hit" in (third.get("cache-status") or "")
    assert contents(first) == contents(second) == contents(third)


def contents(reply: Reply) -> object:
    """What was retrieved, whatever the port in its links."""
    if "multipart" in (reply.get("content-type") or ""):
        return [part.body for part in reply.parts]
    return len(reply.json)


def test_after_a_kill_what_was_whole_is_still_held(cold: Edge) -> None:
    path, accept = RETRIEVES["series"]
    with asking(cold) as door:
        first = door.ask(path, accept)
    cold.router.kill()
    cold.router.start()
    mark = cold.relays["a"].mark()
    with asking(cold) as door:
        assert contents(door.ask(path, accept)) == contents(first)
    assert cold.relays["a"].since(mark) == []


def digest(edge: Edge, path: str, accept: str) -> tuple[int, str]:
    """Status and digest of one answer, read piece by piece."""
    url = urlsplit(edge.dicomweb + path)
    connection = http.client.HTTPConnection(url.netloc, timeout=100)
    try:
        connection.request("GET", url.path, headers={"Accept": accept})
        answer, found = connection.getresponse(), sha256()
        while piece := answer.read(1 << 20):
            found.update(piece)
        return answer.status, found.hexdigest()
    finally:
        connection.close()


def bodies(exchanges: list[Exchange]) -> list[Exchange]:
    """The requests that carried pixels down."""
    return [one for one in exchanges if one.body_down > 100_000]


# A hundred copies of the whole series are 10 GB: the long form.
SERIES_CLIENTS = 100 if os.environ.get("EDGEROUTER_FULL") else 12


@pytest.mark.parametrize(("what", "clients"), [("one frame", 100), ("series", SERIES_CLIENTS)])
def test_simultaneous_requests_cross_the_line_once(cold: Edge, what: str, clients: int) -> None:
    path, accept = RETRIEVES[what]
    barrier = threading.Barrier(clients)

    def one(_: int) -> tuple[int, str]:
        barrier.wait()
        return digest(cold, path, accept)

    with ThreadPoolExecutor(clients) as pool:
        found = set(pool.map(one, range(clients)))

    assert [status for status, _ in found] == [200], "all the same, and all of it"
    cold.relays["a"].quiet()
    assert len(bodies(cold.relays["a"].requests)) == 1
    assert len(cold.relays["a"].requests) <= 2


def test_the_first_bytes_arrive_before_the_archive_has_finished(cold: Edge) -> None:
    gate = cold.relays["a"].hold(lambda one: one.target.endswith(CHEST.series), at=10_000_000)
    begun = threading.Event()

    def read() -> int:
        url = urlsplit(cold.dicomweb + SERIES)
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        connection.request("GET", url.path, headers={"Accept": DICOM_AS_STORED})
        answer = connection.getresponse()
        size = len(answer.read(1_000_000))
        begun.set()
        size += len(answer.read())
        connection.close()
        return size

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert begun.wait(30), "no byte came while the archive was still sending"
        gate.open()
        assert reading.result() > CHEST.slices * CHEST.size * CHEST.size * 2


@pytest.mark.parametrize("how", [Cut.RST, Cut.FIN])
def test_a_broken_answer_is_a_cut_and_is_asked_for_again(cold: Edge, how: Cut) -> None:
    relay = cold.relays["a"]
    relay.spoil(Fault(cut_at=20_000_000, how=how), lambda one: one.target.endswith(CHEST.series), times=1)
    with asking(cold) as door:
        with pytest.raises((http.client.HTTPException, OSError, AssertionError)):
            assert door.ask(SERIES, DICOM_AS_STORED).parts
        held = relay.mark()
        whole = door.ask(SERIES, DICOM_AS_STORED)

    assert len(whole.parts) == CHEST.slices
    assert relay.since(held), "the broken series must be asked for again"


def test_every_instance_is_what_the_archive_has(cold: Edge, archives: Archives) -> None:
    with asking(cold) as door:
        for _ in range(2):
            parts = door.ask(SERIES, DICOM_AS_STORED).parts
            found = {part.fields["content-location"].rsplit("/", 1)[1]: part.body for part in parts}
            for number in (1, 100, 200):
                uid = CHEST.instance(number)
                assert found[uid] == archives.a.raw(uid)
