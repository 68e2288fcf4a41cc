"""What the archive hears from the router, seen from the line: few requests, its own spelling, no secrets."""

from collections.abc import Iterator

import pytest

from tests.support.archives import Archives, Edge
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, DICOM_XML, OCTETS, OCTETS_AS_STORED, Door
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

SERIES = f"/studies/{CHEST.study}/series/{CHEST.series}"
INSTANCE = f"{SERIES}/instances/{CHEST.instance(1)}"


@pytest.fixture
def router(edge_a: Edge) -> Iterator[Door]:
    with Door(edge_a.dicomweb, f"{edge_a.dicomweb}/wado") as door:
        yield door


@pytest.mark.parametrize(
    ("path", "accept", "heard"),
    [
        ("/series", "application/dicom+json, application/json", "application/dicom+json"),
        (f"{SERIES}/metadata", "*/*", "application/dicom+json"),
        (f"{SERIES}/metadata", DICOM_XML, DICOM_XML),
        (INSTANCE, "multipart/related;type=application/dicom;transfer-syntax=*", DICOM_AS_STORED),
        (f"{INSTANCE}/frames/1", f"{OCTETS}; transfer-syntax=*, */*;q=0.1", OCTETS_AS_STORED),
    ],
    ids=["search", "json", "xml", "instance", "frame"],
)
def test_the_archive_hears_one_request_in_its_own_spelling(
    edge_a: Edge, router: Door, path: str, accept: str, heard: str
) -> None:
    relay = edge_a.relays["a"]
    before = relay.mark()
    assert router.ask(path, accept).status == 200
    [request] = relay.since(before)
    assert (request.method, request.path) == ("GET", f"/dicom-web{path}")
    assert request.get("accept") == heard


def test_texts_cross_the_line_gzipped_and_pixels_as_they_are(edge_a: Edge, router: Door) -> None:
    relay = edge_a.relays["a"]
    before = relay.mark()
    metadata = router.ask(f"{SERIES}/metadata", DICOM_JSON)
    assert len(metadata.json) == 200
    assert router.ask(f"{INSTANCE}/frames/1", OCTETS_AS_STORED).status == 200
    relay.quiet()
    text, pixels = relay.since(before)
    assert text.body_down * 10 < len(metadata.body)
    assert pixels.get("accept-encoding") in (None, "identity")
    assert pixels.body_down > 2 * CHEST.size**2


def test_nothing_personal_of_the_client_reaches_the_archive(edge_a: Edge, router: Door) -> None:
    relay = edge_a.relays["a"]
    before = relay.mark()
    personal = {
        "Authorization": "Bearer of-the-client",
        "Cookie": "session=of-the-client",
        "X-Api-Key": "of-the-client",
        "Referer": "http://viewer.invalid/of-the-client",
    }
    assert router.ask("/studies?limit=1", DICOM_JSON, fields=personal).status == 200
    [request] = relay.since(before)
    assert "of-the-client" not in str(request.fields)


def test_connections_are_used_again(edge_a: Edge, router: Door) -> None:
    relay = edge_a.relays["a"]
    before = relay.connections
    for number in range(1, 11):
        path = f"{SERIES}/instances/{CHEST.instance(number)}/frames/1"
        assert router.ask(path, OCTETS_AS_STORED).status == 200
    assert relay.connections - before <= 2


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/studies/1.2.x", DICOM_AS_STORED, 400),
        ("/studies/undefined/metadata", DICOM_JSON, 400),
        (f"{INSTANCE}/frames/0", OCTETS, 400),
        (f"{INSTANCE}/frames/1,", OCTETS, 400),
        ("/patients", DICOM_JSON, 404),
        (f"{INSTANCE}/frames/1", "text/html", 406),
        (f"{SERIES}/metadata", "text/html", 406),
        (INSTANCE, "text/html", 406),
    ],
)
def test_what_cannot_be_is_refused_without_asking(
    edge_a: Edge, router: Door, archives: Archives, path: str, accept: str, status: int
) -> None:
    before = edge_a.upstream_requests()
    assert router.ask(path, accept).status == status
    assert edge_a.upstream_requests() == before
