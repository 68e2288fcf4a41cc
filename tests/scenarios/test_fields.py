"""Only fields that are meant to pass do pass, both ways (law 9)."""

import pytest

from tests.scenarios.edge import DICOM, JSON, answering, edge_over, multipart, related
from tests.support.scripted import Reply, Seen

PERSONAL = [
    ("Authorization", "Bearer of-the-client"),
    ("Proxy-Authorization", "Basic of-the-client"),
    ("Cookie", "session=of-the-client"),
    ("X-Api-Key", "of-the-client"),
    ("Referer", "https://viewer.example/of-the-client"),
    ("Origin", "https://viewer.example"),
    ("User-Agent", "of-the-client"),
    ("X-Forwarded-For", "of-the-client"),
    ("Forwarded", "for=of-the-client"),
    ("X-Request-ID", "of-the-client"),
    ("If-None-Match", '"of-the-client"'),
    ("If-Modified-Since", "of-the-client"),
    ("TE", "trailers"),
    ("Upgrade", "of-the-client"),
    ("Keep-Alive", "of-the-client"),
]
THEIRS = [
    ("Server", "Mongoose/of-the-archive"),
    ("Set-Cookie", "of-the-archive=1"),
    ("X-Powered-By", "of-the-archive"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "of-the-archive"),
    ("WWW-Authenticate", "of-the-archive"),
    ("Link", "<http://of-the-archive>; rel=x"),
    ("Refresh", "0; url=http://of-the-archive"),
    ("Digest", "of-the-archive"),
    ("Keep-Alive", "of-the-archive"),
    ("Trailer", "of-the-archive"),
    ("Alt-Svc", "of-the-archive"),
    ("Strict-Transport-Security", "of-the-archive"),
    ("Location", "http://of-the-archive/"),
    ("X-Request-ID", "of-the-archive"),
    ("Via", "1.1 of-the-archive"),
    ("Cache-Status", "of-the-archive; hit"),
    ("Proxy-Status", "of-the-archive"),
    ("Vary", "of-the-archive"),
]
NAMES = {"host", "accept", "accept-encoding", "user-agent", "via"}


def names(request: Seen) -> set[str]:
    return {name.lower() for name, _ in request.fields}


async def test_nothing_personal_of_a_client_reaches_an_archive() -> None:
    reply = Reply(body=b"[]", fields=[("Content-Type", JSON)])
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON, fields=PERSONAL)).status == 200

        [request] = upstream.requests
        assert names(request) == NAMES
        assert "of-the-client" not in str(request.fields)
        assert "viewer.example" not in str(request.fields)


async def test_what_connection_names_ends_with_the_connection() -> None:
    reply = Reply(body=b"[]", fields=[("Content-Type", JSON)])
    fields = [("Connection", "close, Traceparent"), ("Traceparent", "00-1"), ("Tracestate", "a=b")]
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON, fields=fields)).status == 200

        assert upstream.requests[0].get("traceparent") is None
        assert upstream.requests[0].get("tracestate") == "a=b"


@pytest.mark.parametrize("multi", [True, False])
async def test_nothing_of_an_archives_own_reaches_a_client(multi: bool) -> None:
    own = related("application/dicom") if multi else ("Content-Type", "application/dicom")
    body = multipart(([("X-Part", "of-the-archive"), ("MIME-Version", "1.0")], b"file")) if multi else b"file"
    connected = ("Connection", "ETag, Last-Modified")
    hidden = [("ETag", '"of-the-archive"'), ("Last-Modified", "of-the-archive")]
    reply = Reply(body=body, fields=[own, *THEIRS, connected, *hidden])
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        accept = DICOM if multi else "application/dicom"
        got = await edge.ask("/studies/1/series/2/instances/3", accept)

        assert got.status == 200
        fields = {name.lower() for name, _ in got.raw.fields}
        framing = "transfer-encoding" if multi else "content-length"
        ours = {"content-type", "cache-control", "vary", "cache-status", "via", "x-request-id"}
        assert fields == {*ours, framing}
        assert b"of-the-archive" not in str(got.raw).encode()


async def test_an_archive_hears_of_the_way_and_a_loop_is_noticed() -> None:
    reply = Reply(body=b"[]", fields=[("Content-Type", JSON)])
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON, fields=[("Via", "1.1 clinic")])).status == 200
        way = upstream.requests[0].get("via") or ""
        assert way.startswith("1.1 clinic, 1.1 edgerouter-")

        back = await edge.ask("/studies", JSON, fields=[("Via", way)])
        back.problem(508)
        assert len(upstream.requests) == 1


async def test_a_viewer_reads_across_origins_what_it_needs() -> None:
    cors = {"cors": {"origins": ["https://viewer.example"]}}
    body = multipart(([], b"frame"))
    async with (
        answering(Reply(body=body, fields=[related(), *THEIRS])) as upstream,
        edge_over(upstream, server=cors) as edge,
    ):
        for origin, allowed in (("https://viewer.example", True), ("https://evil.example", False)):
            got = await edge.ask("/studies/1/bulkdata", fields=[("Origin", origin)])
            assert got.get("access-control-allow-origin") == (origin if allowed else None)
            assert got.get("access-control-allow-credentials") is None
            assert "Origin" in (got.get("vary") or "")

        asked = [("Origin", "https://viewer.example"), ("Access-Control-Request-Method", "GET")]
        preflight = await edge.ask("/studies/1/bulkdata", method="OPTIONS", fields=asked)
        assert (preflight.status, preflight.get("access-control-max-age")) == (204, "3600")
        assert len(upstream.requests) == 2
