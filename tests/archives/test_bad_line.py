"""A line that breaks between router and archive: the client sees a cut, never a clean end."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.support.archives import Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, Door
from tests.support.relay import Cut, Fault
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

SERIES = f"/studies/{CHEST.study}/series/{CHEST.series}"  # close-delimited by this archive
METADATA = f"{SERIES}/metadata"  # with a length
INSTANCE = f"{SERIES}/instances/{CHEST.instance(5)}"  # multipart with a length
HALF = {SERIES: 50_000_000, METADATA: 5_000, INSTANCE: 300_000}


@pytest.fixture(scope="module")
def bad_edge(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    impatient = {"timeouts": {"between_reads": "1s"}}
    folder = tmp_path_factory.mktemp("edge")
    with edge_over(folder, {"a": archives.a}, settings=impatient) as edge:
        yield edge


@pytest.fixture
def edge(bad_edge: Edge) -> Iterator[Edge]:
    yield bad_edge
    bad_edge.relays["a"].mend()


@pytest.fixture
def door(edge: Edge) -> Iterator[Door]:
    with Door(edge.dicomweb, "") as door:
        yield door


def accept(path: str) -> str:
    return DICOM_JSON if path == METADATA else DICOM_AS_STORED


def is_broken(door: Door, path: str) -> bool:
    """Whether an answer breaks off, or is an error because nothing of it had left yet."""
    try:
        return door.ask(path, accept(path)).status in (502, 504)
    except (ConnectionError, http.client.IncompleteRead):
        return True


@pytest.mark.parametrize("how", list(Cut), ids=lambda how: how.value)
@pytest.mark.parametrize("path", [SERIES, METADATA, INSTANCE], ids=["series", "metadata", "instance"])
def test_a_broken_answer_is_never_whole(edge: Edge, door: Door, path: str, how: Cut) -> None:
    edge.relays["a"].spoil(Fault(cut_at=HALF[path], how=how))
    assert is_broken(door, path)


@pytest.mark.parametrize("path", [SERIES, METADATA, INSTANCE], ids=["series", "metadata", "instance"])
def test_after_a_cut_the_next_request_is_whole(edge: Edge, door: Door, direct: Door, path: str) -> None:
    relay = edge.relays["a"]
    relay.spoil(Fault(cut_at=HALF[path], how=Cut.RST))
    assert is_broken(door, path)
    relay.mend()
    before = relay.mark()
    reply, expected = door.ask(path, accept(path)), direct.ask(path, accept(path))
    if path == METADATA:
        assert door.rows(reply) == direct.rows(expected)
    else:
        assert {part.body for part in reply.parts} == {part.body for part in expected.parts}
    assert relay.since(before)


def test_the_first_bytes_arrive_before_the_archive_has_finished(edge: Edge) -> None:
    gate = edge.relays["a"].hold(lambda exchange: exchange.path.endswith(SERIES), at=20_000_000)
    with closing(http.client.HTTPConnection(urlsplit(edge.dicomweb).netloc, timeout=30)) as connection:
        connection.request("GET", f"/dicomweb{SERIES}", headers={"Accept": DICOM_AS_STORED})
        answer = connection.getresponse()
        assert len(answer.read(19_000_000)) == 19_000_000
        gate.wait_reached()
        gate.open()
        assert len(answer.read()) > 80_000_000


def test_an_archive_that_is_gone_is_a_bad_gateway_and_comes_back(edge: Edge, door: Door) -> None:
    relay = edge.relays["a"]
    relay.refuse()
    refused = door.ask(INSTANCE, DICOM_AS_STORED)
    assert refused.status in (502, 503, 504)
    assert refused.get("proxy-status")
    relay.accept()
    assert door.ask(INSTANCE, DICOM_AS_STORED).status == 200


def test_a_client_that_leaves_stops_the_transfer(edge: Edge) -> None:
    """What the archive was still sending is not fetched to the end for nobody."""
    relay = edge.relays["a"]
    relay.spoil(Fault(rate=30_000_000))
    before = relay.mark()
    with closing(http.client.HTTPConnection(urlsplit(edge.dicomweb).netloc, timeout=30)) as connection:
        connection.request("GET", f"/dicomweb{SERIES}", headers={"Accept": DICOM_AS_STORED})
        assert len(connection.getresponse().read(1_000_000)) == 1_000_000
    relay.quiet()
    [exchange] = relay.since(before)
    assert not exchange.whole
