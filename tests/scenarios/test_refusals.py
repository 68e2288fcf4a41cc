"""What is refused without asking any upstream, from raw sockets through the whole router."""

import json

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, answering, edge_over
from tests.support.raw_client import RawClient
from tests.support.scripted import Reply

HOST = b"Host: edge.example\r\n"
INSTANCE = "/studies/1.2/series/3.4/instances/5.6"
CORS = {"cors": {"origins": ["https://viewer.example"]}}


def get(fields: bytes = b"", target: bytes = b"/dicomweb/studies", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + fields + b"\r\n"


def post(fields: bytes, content: bytes = b"") -> bytes:
    head = b"POST /dicomweb/studies HTTP/1.1\r\n" + HOST + b"Content-Type: application/dicom\r\n"
    return head + fields + b"\r\n" + content


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /dicomweb/studies?smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
UNSOUND = {
    "CL+TE": (post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n" + SMUGGLED), 400),
    "TE+CL": (post(CHUNKED + b"Content-Length: 90\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "CL+TE of a GET": (get(HOST + b"Content-Length: 5\r\n" + CHUNKED) + b"0\r\n\r\n" + SMUGGLED, 400),
    "TE xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    "TE \\vchunked": (post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    "TE identity": (post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 400),
    "TE gzip": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400),
    "two TE": (post(CHUNKED * 2, b"0\r\n\r\n"), 400),
    "two CL": (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400),
    "two equal CL": (post(b"Content-Length: 3\r\n" * 2, b"abc"), 400),
    "CL list": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    "CL +3": (post(b"Content-Length: +3\r\n", b"abc"), 400),
    "CL 0x3": (post(b"Content-Length: 0x3\r\n", b"abc"), 400),
    "bad chunk": (post(CHUNKED, b"zz\r\n"), 400),
    "chunk without end": (post(CHUNKED, b"3\r\nabcX\r\n0\r\n\r\n"), 400),
    "bare LF": (b"GET /dicomweb/studies HTTP/1.1\nHost: edge.example\n\n", 400),
    "obs-fold": (get(HOST + b"A: b\r\n c\r\n"), 400),
    "NUL": (get(HOST + b"A: b\0c\r\n"), 400),
    "space before the colon": (get(HOST + b"A : b\r\n"), 400),
    "no Host": (get(), 400),
    "two Hosts": (get(HOST * 2), 400),
    "a path in Host": (get(b"Host: a/?x=\r\n"), 400),
    "user information in Host": (get(b"Host: a@b\r\n"), 400),
    "absolute form": (get(HOST, b"http://evil.example/dicomweb/studies"), 400),
    "authority form": (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "TRACE": (b"TRACE /dicomweb/studies HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a fragment": (get(HOST, b"/dicomweb/studies#x"), 400),
    "not ASCII": (get(HOST, b"/dicomweb/studies\xff"), 400),
    "HTTP/1.0": (get(HOST, version=b"HTTP/1.0"), 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no version": (b"GET /dicomweb/studies\r\n\r\n", 400),
    "a large head": (get(HOST + b"A: " + b"b" * 9000 + b"\r\n"), 431),
    "many lines": (get(HOST + b"A: b\r\n" * 200), 431),
    "a long target": (get(HOST, b"/dicomweb/studies?" + b"a" * 20_000), 414),
    "an expectation": (post(b"Expect: miracles\r\nContent-Length: 3\r\n"), 417),
}
SMALL = {"limits": {"max_head": "8 KB"}}


@pytest.mark.parametrize("name", UNSOUND)
async def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed(name: str) -> None:
    data, status = UNSOUND[name]
    bounds = SMALL if name == "a large head" else None
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream, server=bounds) as edge:
        async with RawClient(edge.port) as client:
            await client.send(data)
            reply = await client.response()
            assert (reply.status, reply.get("connection")) == (status, "close")
            assert json.loads(reply.body)["status"] == status
            assert await client.read_to_end() == b""
        assert upstream.wire == []


AMBIGUOUS = [
    "/studies/../metrics",
    "/studies/./1.2",
    "/studies/%2e%2e/metrics",
    "/studies/%2E%2e/x",
    "/studies/1.2%2f..%2fx",
    "/studies/1.2%2Fmetadata",
    "/studies/1.2%5cmetadata",
    "/studies//1.2",
    "//studies",
    "/studies/1.2;a=b",
    "/studies/1.2%3bx",
    "/studies/1.2%00",
    "/studies/1.2%0d%0aHost:x",
    "/studies/1.2/%252e%252e",
    "/studies/1.2/%c0%af",
    "/studies/1.2\\metadata",
    "/studies/%zz",
    "/studies?PatientName=a%00b",
    "/studies?PatientName=a%0d%0ab",
]


@pytest.mark.parametrize("path", AMBIGUOUS)
async def test_an_ambiguous_target_is_refused_and_the_connection_closed(path: str) -> None:
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream) as edge:
        head = b"GET /dicomweb" + path.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        async with RawClient(edge.port) as client:
            await client.send(head)
            reply = await client.response()
            assert (reply.status, reply.get("content-type")) == (400, "application/problem+json")
            assert reply.get("connection") == "close"
            assert await client.read_to_end() == b""
        assert upstream.connections == 0


UID_65 = "1." + "2" * 63
NOTHING_TO_ASK = [
    ("/studies/1.2.x", DICOM, 400),
    ("/studies/undefined/metadata", JSON, 400),
    (f"/studies/{UID_65}", DICOM, 400),
    ("/studies/1.2/series/3..4", DICOM, 400),
    ("/studies/1.2/series/3.4/instances/.5", DICOM, 400),
    (f"{INSTANCE}/frames/0", OCTETS, 400),
    (f"{INSTANCE}/frames/1,", OCTETS, 400),
    (f"{INSTANCE}/frames/a", OCTETS, 400),
    (f"{INSTANCE}/frames/-1", OCTETS, 400),
    (f"{INSTANCE}/frames/1,,2/rendered", "image/jpeg", 400),
    ("/studies?limit=-1", JSON, 400),
    ("/studies?limit=x", JSON, 400),
    ("/studies?offset=1.5", JSON, 400),
    ("/studies?fuzzymatching=perhaps", JSON, 400),
    ("/studies?limit=1&limit=2", JSON, 400),
    ("/studies?PatientID=1&00100020=2", JSON, 400),
    ("/studies?PatientName=%FF", JSON, 400),
    ("/studies/1.2?accept=image/jpeg,application/dicom", "*/*", 400),
    ("/patients", JSON, 404),
    ("/studies/", JSON, 404),
    ("/studies/1.2/series/", JSON, 404),
    ("/instances/5.6", DICOM, 404),
    ("/wado/x", JSON, 404),
    (f"{INSTANCE}/frames/1/metadata", JSON, 404),
    ("/bulkdata/bm90LW91cnM", OCTETS, 404),
    ("/bulkdata/http:evil", OCTETS, 404),
    ("/bulkdata/http://evil/", OCTETS, 400),
    ("/studies", "text/html", 406),
    ("/studies/1.2/metadata", "image/jpeg", 406),
    ("/studies/1.2", "application/dicom", 406),
    (INSTANCE, "text/html", 406),
    (f"{INSTANCE}/frames/1", "text/html", 406),
    (f"{INSTANCE}/frames/1,2", "application/octet-stream", 406),
    (f"{INSTANCE}/frames/1", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.1", 406),
    (f"{INSTANCE}/rendered", "application/dicom", 406),
    ("", "text/html", 406),
]


@pytest.mark.parametrize(("path", "accept", "status"), NOTHING_TO_ASK)
async def test_what_cannot_be_is_refused_without_asking(path: str, accept: str, status: int) -> None:
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream, server=CORS) as edge:
        asked = [("Origin", "https://viewer.example"), ("X-Request-ID", "of-the-client")]
        reply = await edge.ask(path, accept, fields=asked)

        assert reply.problem(status)
        assert reply.get("x-request-id") == "of-the-client"
        assert reply.get("access-control-allow-origin") == "https://viewer.example"
        assert "proxy-status" in (reply.get("access-control-expose-headers") or "")
        assert (reply.get("proxy-status") or "").startswith("edgerouter; error=")
        assert upstream.connections == 0


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/studies/1.2", "GET, HEAD, POST"),
        ("PUT", "/studies", "GET, HEAD, POST"),
        ("POST", "/studies/1.2/series/3.4", "GET, HEAD"),
        ("POST", f"{INSTANCE}/frames/1", "GET, HEAD"),
        ("PATCH", "/series", "GET, HEAD"),
        ("POST", "/wado", "GET, HEAD"),
        ("OPTIONS", "/studies", "GET, HEAD, POST"),
        ("DELETE", "", "OPTIONS, GET, HEAD"),
    ],
)
async def test_a_method_that_a_resource_does_not_have_is_refused(method: str, path: str, allow: str) -> None:
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(path, method=method)

        reply.problem(405)
        assert reply.get("allow") == allow
        assert upstream.connections == 0


@pytest.mark.parametrize("target", ["/dicomwebs/studies", "/dicom", "/", "/admin", "/dicomweb2"])
async def test_beside_the_root_is_nothing(target: str) -> None:
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream) as edge:
        (await edge.page(target)).problem(404)
        assert upstream.connections == 0


async def test_a_rule_refuses_without_asking() -> None:
    rules = [
        {
            "name": "no-metadata",
            "match": {"resource": "metadata"},
            "deny": {"status": 403, "reason": "closed"},
        }
    ]
    async with answering(Reply(body=b"[]")) as upstream, edge_over(upstream, rules=rules) as edge:
        reply = await edge.ask("/studies/1.2/metadata", JSON)

        assert reply.problem(403) == "closed"
        assert (reply.get("proxy-status") or "").startswith("edgerouter; error=http_request_denied")
        assert upstream.connections == 0


async def test_the_front_door_knows_no_other_way_in() -> None:
    """What a client says of other hosts, methods and paths does not choose what is asked."""
    misleading = [
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
    ]
    fields = [("Content-Type", JSON)]
    async with answering(Reply(body=b"[]", fields=fields)) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON, fields=misleading)).status == 200
        assert [(seen.method, seen.target) for seen in upstream.requests] == [("GET", "/dw/studies")]
        assert upstream.requests[0].get("host") == f"127.0.0.1:{upstream.port}"


async def test_pipelined_requests_are_answered_in_order() -> None:
    fields = [("Content-Type", JSON)]
    async with answering(Reply(body=b"[]", fields=fields)) as upstream, edge_over(upstream) as edge:
        await _two_at_once(edge)
        assert len(upstream.requests) == 1


async def _two_at_once(edge: Edge) -> None:
    one = b"GET /dicomweb/studies HTTP/1.1\r\n" + HOST + b"\r\n"
    two = b"GET /dicomweb/nothing HTTP/1.1\r\n" + HOST + b"\r\n"
    async with RawClient(edge.port) as client:
        await client.send(one + two)
        assert [(await client.response()).status, (await client.response()).status] == [200, 404]
