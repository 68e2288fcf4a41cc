"""The status page of a running router: what passed through it, and no word of whom it was about."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from tests.admin.conftest import Routers
from tests.support.inside import ask
from tests.support.listening import Edge
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply, Seen, Step, Wait

ROW = (
    b'[{"00080061":{"vr":"CS","Value":["CT"]},"0020000D":{"vr":"UI","Value":["1.2.3"]},'
    b'"00100010":{"vr":"PN","Value":[{"Alphabetic":"CANARY"}]}}]'
)
JSON = [("content-type", "application/dicom+json")]


def found(request: Seen) -> Iterable[Step]:
    return [Reply(body=ROW, fields=JSON)]


async def status(edge: Edge) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((await ask(edge, "/status.json")).body)
    return read


async def test_a_request_is_on_the_page_when_it_has_ended(routers: Routers) -> None:
    async with routers.over(found, time_zone="Asia/Tokyo") as edge:
        response = await ask(edge, "/dicomweb/studies?PatientName=X")
        read = await status(edge)
        html = (await ask(edge, "/status")).body.decode()

    (last,) = read["recent"]
    assert last["at"].endswith("+09:00")
    assert (last["method"], last["template"], last["status"]) == ("GET", "/dicomweb/studies", 200)
    assert last["bytes"] == len(response.body)
    assert '<span title="/dicomweb/studies">/dicomweb/studies</span>' in html


async def test_an_upstream_that_is_gone_is_shown_as_ejected_with_its_error(routers: Routers) -> None:
    async with routers.over(found) as edge:
        for _ in range(3):
            assert (await ask(edge, "/dicomweb/studies", X_To="gone")).status == 502
        here, gone = (await status(edge))["upstreams"]

    assert (here["state"], here["age"], here["last_error"]) == ("up", None, None)
    assert (gone["state"], gone["last_error"]) == ("ejected", "ConnectError ECONNREFUSED")
    assert gone["age"] >= 0
    assert 0 < gone["wait"] <= 30


async def test_what_an_upstream_was_asked_and_gave_is_counted(routers: Routers) -> None:
    async with routers.over(found) as edge:
        await ask(edge, "/dicomweb/studies")
        await ask(edge, "/dicomweb/studies")
        here = (await status(edge))["upstreams"][0]

    assert (here["requests"], here["received"], here["profile"]) == (2, 2 * len(ROW), "orthanc")


async def test_a_request_under_way_is_active_and_in_flight(routers: Routers) -> None:
    asked, held = asyncio.Event(), asyncio.Event()

    def waiting(request: Seen) -> Iterable[Step]:
        asked.set()
        return [Wait(held), Reply(body=ROW, fields=JSON)]

    async with routers.over(waiting) as edge, RawClient(edge.port) as client:
        await client.send(request("/dicomweb/studies"))
        await asked.wait()
        during = await status(edge)
        held.set()
        await client.response()
        after = await status(edge)

    assert (during["requests"]["active"], during["upstreams"][0]["in_flight"]) == (1, 1)
    assert (after["requests"]["active"], after["upstreams"][0]["in_flight"]) == (0, 0)


async def test_the_pages_themselves_are_no_traffic(routers: Routers) -> None:
    async with routers.over(found) as edge:
        before = await status(edge)
        for page in ("/status", "/status.json", "/metrics", "/healthz", "/readyz"):
            assert (await ask(edge, page)).status == 200
        after = await status(edge)

    assert after["recent"] == []
    assert after["requests"] == before["requests"]
    assert after["bytes"] == before["bytes"]


async def test_no_page_knows_a_patient_a_client_or_a_query(routers: Routers) -> None:
    digits = "1.2.840.99999.4711"
    asked = (
        ("/dicomweb/studies?PatientName=CANARY&PatientID=CANARY", "GET"),
        (f"/dicomweb/studies/{digits}/series/{digits}/instances/{digits}/frames/4711", "GET"),
        (f"/dicomweb/studies/{digits}/CANARY", "GET"),
        (f"/dicomweb/wado?requestType=WADO&studyUID={digits}&objectUID=CANARY", "GET"),
        ("/dicomweb/CANARY", "GET"),
        ("/CANARY", "GET"),
        ("/dicomweb/studies/CANARY", "DELETE"),
    )
    async with routers.over(found) as edge:
        for target, method in asked:
            await ask(edge, target, method, X_Request_ID="CANARY-4711", Authorization="CANARY", Via="CANARY")
        pages = [(await ask(edge, page)).body for page in ("/status", "/status.json", "/metrics", "/readyz")]

    assert len(json.loads(pages[1])["recent"]) == len(asked)
    for page in pages:
        assert b"CANARY" not in page
        assert b"4711" not in page
        assert b"127.0.0.1" not in page
