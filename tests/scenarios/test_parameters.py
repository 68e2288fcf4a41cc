"""WADO-URI (PS3.18 §9) and the parameters of rendered resources: checked, then passed on."""

import pytest

from tests.scenarios.edge import JSON, answering, edge_over
from tests.support.scripted import Reply

OBJECT = "requestType=WADO&studyUID=1.2&seriesUID=3.4&objectUID=5.6"
INSTANCE = "/studies/1.2/series/3.4/instances/5.6"
IMAGE = Reply(body=b"image", fields=[("Content-Type", "image/jpeg")])
FILE = Reply(body=b"file", fields=[("Content-Type", "application/dicom")])


@pytest.mark.parametrize(
    ("query", "accept", "heard"),
    [
        (OBJECT, None, "*/*"),
        (OBJECT, "image/png", "image/png"),
        (f"{OBJECT}&contentType=image/jpeg", "*/*", "image/jpeg"),
        (f"{OBJECT}&contentType=image%2Fpng%2Cimage/jpeg", "text/html", "image/png, image/jpeg"),
        (f"objectUID=5.6&{OBJECT.removesuffix('&objectUID=5.6')}&rows=64&columns=64", None, "*/*"),
        (f"{OBJECT}&windowCenter=40&windowWidth=400&annotation=patient", None, "*/*"),
    ],
)
async def test_a_wado_uri_request_is_passed_on(query: str, accept: str | None, heard: str) -> None:
    async with answering(IMAGE) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"/wado?{query}", accept)

        assert (reply.status, reply.body, reply.get("content-type")) == (200, b"image", "image/jpeg")
        [request] = upstream.requests
        assert (request.target, request.get("accept")) == (f"/wado?{query}", heard)


async def test_a_wado_uri_instance_comes_as_it_is() -> None:
    query = f"{OBJECT}&contentType=application%2Fdicom&transferSyntax=1.2.840.10008.1.2.1"
    async with answering(FILE) as upstream, edge_over(upstream, settings={"profile": "orthanc"}) as edge:
        reply = await edge.ask(f"/wado?{query}")

        assert (reply.status, reply.body) == (200, b"file")
        # Orthanc wants the type unencoded.
        assert upstream.requests[0].target == f"/wado?{query.replace('%2F', '/')}"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "requestType=WADO",
        OBJECT.replace("WADO", "wado"),
        OBJECT.replace("&objectUID=5.6", ""),
        OBJECT.replace("5.6", "5.6.x"),
        f"{OBJECT}&objectUID=7.8",
        f"{OBJECT}&contentType=application/dicom;transfer-syntax=1.2.840.10008.1.2.1",
        f"{OBJECT}&contentType=text/plain%3B%20charset=utf-8",
        f"{OBJECT}&transferSyntax=nonsense",
        f"{OBJECT}&anonymize=no",
        f"{OBJECT}&contentType=%FF",
    ],
)
async def test_a_bad_wado_uri_request_asks_nobody(query: str) -> None:
    async with answering(IMAGE) as upstream, edge_over(upstream) as edge:
        (await edge.ask(f"/wado?{query}")).problem(400)
        assert upstream.connections == 0


async def test_a_login_page_is_no_object() -> None:
    page = Reply(body=b"<h1>Log in</h1>", fields=[("Content-Type", "text/html")])
    async with answering(page) as upstream, edge_over(upstream) as edge:
        (await edge.ask(f"/wado?{OBJECT}&contentType=application/dicom")).problem(502)


async def test_a_wado_uri_request_needs_somebody_who_takes_it() -> None:
    async with answering(IMAGE) as upstream, edge_over(upstream, settings={"wado_uri_url": None}) as edge:
        (await edge.ask(f"/wado?{OBJECT}")).problem(404)


@pytest.mark.parametrize(
    ("path", "query", "heard"),
    [
        ("/rendered", "viewport=64%2C64&quality=50", "viewport=64,64&quality=50"),
        ("/rendered", "window=40%2c400%2clinear", "window=40,400,linear"),
        ("/frames/2/rendered", "annotation=patient,technique&x=%20y", "annotation=patient,technique&x=%20y"),
        ("/thumbnail", "accept=image%2Fjpeg&viewport=64,64", "viewport=64,64"),
        ("/renderedMPR", "orientation=a", "orientation=a"),
    ],
)
async def test_the_parameters_of_a_rendition_reach_the_archive(path: str, query: str, heard: str) -> None:
    async with answering(IMAGE) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}{path}?{query}", "image/jpeg")

        assert (reply.status, reply.body) == (200, b"image")
        assert upstream.requests[0].target == f"/dw{INSTANCE}{path}?{heard}"


async def test_the_accept_parameter_wins_over_the_field() -> None:
    """OHIF asks for a rendered thumbnail with the Accept of pixels."""
    octets = 'multipart/related; type="application/octet-stream"'
    async with answering(IMAGE) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/rendered?accept=image/jpeg", octets)

        assert (reply.status, upstream.requests[0].get("accept")) == (200, "image/jpeg")


async def test_a_parameter_that_we_do_not_know_is_the_archives_own() -> None:
    rows = Reply(body=b"[{}]", fields=[("Content-Type", JSON)])
    async with answering(rows) as upstream, edge_over(upstream) as edge:
        query = "?imageSetId=a%20b&accept=application/dicom%2Bjson"
        assert (await edge.ask(f"{INSTANCE}/metadata{query}")).json == [{}]
        assert upstream.requests[0].target == f"/dw{INSTANCE}/metadata?imageSetId=a%20b"


async def test_the_root_tells_what_there_is() -> None:
    async with answering(IMAGE) as upstream, edge_over(upstream) as edge:
        wadl = await edge.ask("/", method="OPTIONS")
        assert (wadl.status, wadl.get("content-type")) == (200, "application/vnd.sun.wadl+xml")
        described = await edge.ask("", "application/json", method="OPTIONS")
        assert described.json["base"] == "http://edge.example/dicomweb"
        again = await edge.ask("/", method="OPTIONS", fields=[("If-None-Match", wadl.get("etag") or "")])
        assert (again.status, again.body) == (304, b"")
        assert upstream.connections == 0
