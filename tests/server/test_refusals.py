"""Refused at the front door: the client reads why, the connection ends, the application never hears of it."""

import asyncio
from dataclasses import replace

import pytest

from edgerouter.server.head import Head, read_head
from edgerouter.server.limits import Limits
from edgerouter.server.protocol import LINGER
from tests.support.apps import Recorder
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request

HOST = b"Host: edge.example\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: edge.example\r\n\r\n"
LIMITS = Limits(max_head=4096, max_target=1024, max_header_lines=20)


def post(fields: bytes, content: bytes = b"") -> bytes:
    return b"POST /studies HTTP/1.1\r\n" + HOST + fields + b"\r\n" + content


REFUSED = {
    "S1 CL+TE": (post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, "framing"),
    "S1 TE+CL": (post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"), 400, "framing"),
    "S1 xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400, "framing"),
    "S1 two TE": (post(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n"), 400, "framing"),
    "S1 not last": (post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 400, "framing"),
    "S1 gzip": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400, "framing"),
    "S2 two CL": (post(b"Content-Length: 3\r\n" * 2, b"abc"), 400, "framing"),
    "S2 list": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400, "framing"),
    "S2 plus": (post(b"Content-Length: +3\r\n", b"abc"), 400, "framing"),
    "S2 hex": (post(b"Content-Length: 0x3\r\n", b"abc"), 400, "framing"),
    "S2 long": (post(b"Content-Length: " + b"0" * 900 + b"3\r\n", b"abc"), 400, "framing"),
    "S3 bare LF": (b"GET / HTTP/1.1\nHost: edge.example\n\n", 400, "framing"),
    "S3 bare LF in a line": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\nC: d\r\n\r\n", 400, "framing"),
    "S3 bare CR": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rC: d\r\n\r\n", 400, "framing"),
    "S3 obs-fold": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400, "framing"),
    "S3 NUL": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\0c\r\n\r\n", 400, "framing"),
    "S3 space": (b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", 400, "framing"),
    "S4 chunk size": (post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n"), 400, "chunk"),
    "S4 chunk end": (post(b"Transfer-Encoding: chunked\r\n", b"3\r\nabcX\r\n0\r\n\r\n"), 400, "chunk"),
    "S4 no chunk end": (post(b"Transfer-Encoding: chunked\r\n", b"3\r\nabcXY0\r\n\r\n"), 400, "framing"),
    "S4 extension": (post(b"Transfer-Encoding: chunked\r\n", b"3;" + b"e" * 5000), 400, "chunk"),
    "S4 trailers": (post(b"Transfer-Encoding: chunked\r\n", b"0\r\n" + b"A: b\r\n" * 2000), 431, "chunk"),
    "S4 CL in a trailer": (
        post(b"Transfer-Encoding: chunked\r\n", b"0\r\nContent-Length: 3\r\n\r\n"),
        400,
        "framing",
    ),
    "S8 no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "host"),
    "S8 two Hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "host"),
    "S8 path in Host": (b"GET / HTTP/1.1\r\nHost: a/?x=\r\n\r\n", 400, "host"),
    "S8 port": (b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400, "host"),
    "S8 at": (b"GET / HTTP/1.1\r\nHost: @\r\n\r\n", 400, "host"),
    "S10 absolute": (b"GET http://evil/admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
    "S10 at": (b"GET @evil/admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
    "S10 CONNECT": (b"CONNECT evil:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method"),
    "S10 TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method"),
    "S10 asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
    "S11 non-ASCII": (b"GET /\xc0\xae HTTP/1.1\r\n" + HOST + b"\r\n", 400, "framing"),
    "S13 a large head": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 5000, 431, "head-size"),
    "S13 many lines": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 20 + b"\r\n", 431, "head-size"),
    "S13 a long target": (b"GET /" + b"a" * 1024 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "target-size"),
    "S13 an endless target": (b"GET /" + b"a" * 5000, 414, "target-size"),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", 505, "version"),
    "HTTP/1.0 + TE": (
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        505,
        "version",
    ),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400, "framing"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "framing"),
    "expectation": (post(b"Content-Length: 3\r\nExpect: more\r\n", b"abc"), 417, "expectation"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_it_is_refused_and_what_follows_is_never_a_request(case: str) -> None:
    raw, status, reason = REFUSED[case]
    app = Recorder()
    async with listening(app, limits=LIMITS) as edge, RawClient(edge.port) as client:
        await client.send(raw + SMUGGLED)
        response = await client.response()
        rest = await client.read_to_end()

    assert response.status == status
    assert response.complete
    assert response.get("connection") == "close"
    assert response.get("content-type") == "application/problem+json"
    assert response.get("cache-control") == "no-store"
    assert response.get("server") is None
    assert (rest, client.ended) == (b"", "fin")
    assert edge.refusals == [reason]
    assert app.scopes == []


@pytest.mark.parametrize("case", ["S1 CL+TE", "S3 bare LF", "S3 obs-fold", "S8 two Hosts", "HTTP/2"])
async def test_it_is_refused_however_its_bytes_arrive(case: str) -> None:
    raw, status, _ = REFUSED[case]
    app = Recorder()
    async with listening(app, limits=LIMITS) as edge, RawClient(edge.port) as client:
        for at in range(0, len(raw), 7):
            await client.send(raw[at : at + 7])
            await asyncio.sleep(0)
        response = await client.response()

    assert response.status == status


async def test_the_answer_to_a_refused_head_request_has_no_content() -> None:
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        await client.send(b"HEAD / HTTP/1.1\r\n\r\n")
        response = await client.response("HEAD")

        assert response.status == 400
        assert await client.read_to_end() == b""


async def test_a_refused_client_that_goes_on_sending_can_still_read_why() -> None:
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        await client.send(post(b"Content-Length: 9000000\r\nContent-Length: 1\r\n"))
        for _ in range(20):
            await client.send(b"x" * 65536)
        response = await client.response()

        assert response.status == 400
        assert response.complete


async def test_a_refused_client_that_has_left_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Recorder()) as edge:
        async with RawClient(edge.port) as client:
            assert (await client.ask("/")).status == 200
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            client.reset()
            await edge.quiet()

        assert edge.refusals == ["version"]
    assert caplog.records == []


async def test_two_opinions_of_where_a_request_ends_are_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(raw: bytes, limits: Limits) -> Head:
        return replace(read_head(raw, limits), length=2)

    monkeypatch.setattr("edgerouter.server.protocol.read_head", mistaken)
    app = Recorder()
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(post(b"Content-Length: 3\r\n", b"abc"))

        assert (await client.response()).status == 400
    assert app.scopes == []


async def test_a_refused_client_that_does_not_leave_is_thrown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.server.protocol.LINGER", LINGER / 20)
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        await client.read_to_end()

        await edge.quiet()


async def test_a_bad_request_behind_a_good_one_is_refused_in_its_turn() -> None:
    app = Recorder()
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/one") + b"GET /two HTTP/1.0\r\n\r\n" + SMUGGLED)
        first, second = await client.response(), await client.response()

        assert first.body == b"answer 1"
        assert second.status == 505
        assert await client.read_to_end() == b""
    assert [scope["path"] for scope in app.scopes] == ["/one"]


async def test_a_head_that_does_not_arrive_in_time_is_answered_408() -> None:
    app = Recorder()
    async with listening(app, limits=Limits(head_timeout=1.0)) as edge, RawClient(edge.port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: ")
        response = await client.response()

        assert response.status == 408
        assert await client.read_to_end() == b""
        assert edge.refusals == ["head-timeout"]
    assert app.scopes == []


async def test_the_next_head_on_a_connection_has_its_own_deadline() -> None:
    async with listening(Recorder(), limits=Limits(head_timeout=1.0)) as edge, RawClient(edge.port) as client:
        assert (await client.ask("/")).status == 200
        await client.send(b"G")
        assert (await client.response()).status == 408


async def test_a_client_that_trickles_a_head_does_not_gain_time() -> None:
    async with (
        listening(Recorder(), limits=Limits(head_timeout=1.0)) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(b"GET / HTTP/1.1\r\n")
        while await client.silent(0.02):
            await client.send(b"A: b\r\n")

        assert (await client.response()).status == 408


async def test_a_connection_on_which_nothing_was_asked_is_closed_without_a_word() -> None:
    async with (
        listening(Recorder(), limits=Limits(head_timeout=0.05)) as edge,
        RawClient(edge.port) as client,
    ):
        assert await client.read_to_end() == b""
        assert client.ended == "fin"


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with listening(Recorder(), limits=Limits(keep_alive=0.05)) as edge, RawClient(edge.port) as client:
        assert (await client.ask("/")).status == 200
        await client.send(b"\r\n")  # an empty line is no request, and buys no time

        assert await client.read_to_end() == b""
        assert client.ended == "fin"
