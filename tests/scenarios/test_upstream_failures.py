"""What an archive refuses, or cannot answer at all, reaches the client in our words, and says whose fault."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.scenarios.edge import (
    DICOM,
    IMPATIENT,
    JSON,
    PUBLIC,
    answering,
    edge_over,
    multipart,
    related,
)
from tests.support.raw_client import RawClient, request
from tests.support.scripted import (
    Close,
    Reply,
    Request,
    Reset,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
    black_hole,
    closed_port,
)

SECRET = "ZWRnZTpzZWNyZXQ="
AUTH = {"auth": {"type": "basic", "username": "edge", "password": {"env": "EDGE_TEST_PASSWORD"}}}
ROWS = Reply(body=b"[]", fields=[("Content-Type", JSON)])


def proxy_status(edge_reply_field: str | None) -> str:
    """What Proxy-Status says without its details."""
    return (edge_reply_field or "").partition("; details=")[0]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 409, 410, 413, 416, 429, 500, 501, 503, 504])
async def test_a_refusal_keeps_its_status_and_nothing_else_of_the_archive(status: int) -> None:
    fields = [("Content-Type", "text/html"), ("Server", "Secret/1.0"), ("Set-Cookie", "a=b")]
    refusal = Reply(status, b"<h1>Patient Doe^John at pacs.internal not found</h1>", fields)
    async with answering(refusal) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies/1.2", DICOM)

        assert str(status) in reply.problem(status)
        assert proxy_status(reply.get("proxy-status")) == (
            f"edgerouter; received-status={status}; next-hop=north"
        )
        assert b"Doe" not in reply.body
        assert reply.get("server") is reply.get("set-cookie") is None
        assert (reply.get("allow") is not None) is (status == 405)
        assert len(upstream.requests) == 1


async def test_when_to_come_back_is_passed_on() -> None:
    refusal = Reply(503, b"", [("Retry-After", "120"), ("Warning", "299 http://pacs.internal:8042/dw: Busy")])
    async with answering(refusal) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies", JSON)

        assert (reply.status, reply.get("retry-after")) == (503, "120")
        assert reply.get("warning") == f"299 {PUBLIC}: Busy"


async def test_a_range_beyond_the_end_says_where_the_end_is() -> None:
    async with (
        answering(Reply(416, b"", [("Content-Range", "bytes */9")])) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await edge.ask("/studies/1.2/bulk/1", "image/jls", fields=[("Range", "bytes=99-")])

        assert (reply.status, reply.get("content-range")) == (416, "bytes */9")


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_of_ours_are_the_operators_problem(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EDGE_TEST_PASSWORD", "secret")
    refusal = Reply(status, b"", [("WWW-Authenticate", 'Basic realm="pacs"')])
    async with answering(refusal) as upstream, edge_over(upstream, settings=AUTH) as edge:
        reply = await edge.ask("/studies", JSON, fields=[("Authorization", "Bearer of-the-client")])

        reply.problem(502)
        assert (
            proxy_status(reply.get("proxy-status")) == "edgerouter; error=http_request_denied; next-hop=north"
        )
        assert reply.get("www-authenticate") is None
        assert upstream.requests[0].get("authorization") == f"Basic {SECRET}"
    assert "credentials" in caplog.text
    assert "secret" not in caplog.text


async def test_credentials_that_nobody_can_give_are_not_asked_of_the_client() -> None:
    refusal = Reply(401, b"", [("WWW-Authenticate", 'Basic realm="pacs"')])
    async with answering(refusal) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies", JSON, fields=[("Authorization", "Bearer of-the-client")])

        reply.problem(502)
        assert reply.get("www-authenticate") is None
        assert upstream.requests[0].get("authorization") is None


async def test_an_archive_that_is_down_is_a_bad_gateway() -> None:
    async with edge_over(f"http://127.0.0.1:{closed_port()}") as edge:
        reply = await edge.ask("/studies", JSON)

        assert "reached" in reply.problem(502)
        assert (
            proxy_status(reply.get("proxy-status"))
            == "edgerouter; error=destination_unavailable; next-hop=north"
        )


async def test_a_black_hole_is_a_gateway_timeout() -> None:
    with black_hole() as port:
        async with edge_over(f"http://127.0.0.1:{port}", settings={"timeouts": {"connect": "100ms"}}) as edge:
            reply = await edge.ask("/studies", JSON)

            reply.problem(504)
            assert "error=connection_timeout" in (reply.get("proxy-status") or "")


HALF_A_HEAD = Send(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
HEADS: dict[str, tuple[Sequence[Step], int, str]] = {
    "silence": ([Stall()], 504, "http_response_timeout"),
    "half a head, then silence": ([HALF_A_HEAD, Stall()], 504, "http_response_timeout"),
    "half a head, then FIN": ([HALF_A_HEAD, Close()], 502, ""),
    "half a head, then RST": ([HALF_A_HEAD, Reset()], 502, ""),
    "no HTTP": ([Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")], 502, "http_protocol_error"),
    "CL+TE": (
        [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")],
        502,
        "http_protocol_error",
    ),
    "two lengths": (
        [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]]")],
        502,
        "http_protocol_error",
    ),
    "TE gzip": (
        [Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")],
        502,
        "http_protocol_error",
    ),
    "304": ([Reply(304)], 502, "http_protocol_error"),
    "a flood of 1xx": ([Send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99), Stall()], 502, "http_protocol_error"),
    "a redirect elsewhere": ([Reply(302, b"", [("Location", "http://evil.example/dw/studies")])], 502, ""),
    "a redirect nowhere": ([Reply(303)], 502, "http_protocol_error"),
}


@pytest.mark.parametrize("name", HEADS)
async def test_an_answer_without_an_acceptable_head_is_ours_to_answer(name: str) -> None:
    steps, status, token = HEADS[name]
    async with answering(*steps) as upstream, edge_over(upstream, settings=IMPATIENT) as edge:
        reply = await edge.ask("/studies", JSON)

        reply.problem(status)
        assert token in (reply.get("proxy-status") or "")
        assert "next-hop=north" in (reply.get("proxy-status") or "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_archive_is_one_within_the_router(status: int) -> None:
    fields = [("Location", "http://pacs.internal:8042/dw/studies/1/rendered?viewport=9,9")]
    async with (
        answering(Reply(status, b"<html>moved</html>", [*fields, ("Content-Type", "text/html")])) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await edge.ask("/studies/1/thumbnail", "image/jpeg")

        assert (reply.status, reply.body) == (status, b"")
        assert reply.get("location") == f"{PUBLIC}/studies/1/rendered?viewport=9,9"


@pytest.mark.parametrize("how", [Reset(), Close()], ids=["rst", "fin"])
async def test_a_get_is_repeated_while_nothing_of_its_answer_came(how: Step) -> None:
    def answer(request: Seen) -> list[Step]:
        return [how] if request.number == 1 else [ROWS]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON)).json == []
        assert len(upstream.requests) == 2


async def test_a_get_is_not_repeated_once_its_answer_began() -> None:
    async with answering(HALF_A_HEAD, Close()) as upstream, edge_over(upstream) as edge:
        (await edge.ask("/studies", JSON)).problem(502)
        assert len(upstream.requests) == 1


async def test_a_stray_response_on_an_idle_connection_reaches_nobody() -> None:
    """Were it kept, every later answer would be another patient's."""
    idle, strayed = asyncio.Event(), asyncio.Event()
    whole = Reply(body=b'[{"00100020":{"vr":"LO","Value":["MINE"]}}]', fields=[("Content-Type", JSON)])
    stray = Reply(body=b'[{"00100020":{"vr":"LO","Value":["STRAY"]}}]', fields=[("Content-Type", JSON)])
    script = [[Request(), whole, Wait(idle), stray, Wait(strayed)], [Request(), whole, Request(), whole]]
    async with ScriptedUpstream(script=script) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            for number in range(3):
                reply = await client.ask("/dicomweb/studies", fields=[("Accept", JSON)])
                assert b"MINE" in reply.body
                assert b"STRAY" not in reply.body
                if number == 0:
                    idle.set()
                    while upstream.replies < 2:
                        assert await client.silent(0.01)
        strayed.set()
        assert upstream.connections == 2


async def test_what_follows_a_whole_answer_is_never_the_next_answer() -> None:
    rows = b'[{"00100020":{"vr":"LO","Value":["MINE"]}}]'
    first = Reply(body=rows, fields=[("Content-Type", JSON)])
    extra = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n[]"

    def answer(request: Seen) -> list[Step]:
        return [Send(first.render(request.number, "GET") + extra)]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        for _ in range(3):
            assert b"MINE" in (await edge.ask("/studies", JSON)).body
        assert upstream.connections == 3


async def test_a_full_archive_is_overload_and_the_slot_comes_back() -> None:
    release = asyncio.Event()
    head = Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n")

    def answer(request: Seen) -> list[Step]:
        return [head, Wait(release), Send(b"[]")]

    # A slot is waited for as long as a head is.
    narrow = {"concurrency": 1, "timeouts": {"first_byte": "200ms"}}
    async with (
        ScriptedUpstream(answer) as upstream,
        edge_over(upstream, settings=narrow) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(request("/dicomweb/studies", fields=[("Accept", JSON)]))
        assert await client.more()
        second = await edge.ask("/studies", JSON)

        second.problem(503)
        assert second.get("retry-after") is not None
        assert "error=connection_limit_reached; next-hop=north" in (second.get("proxy-status") or "")
        release.set()
        assert (await client.response()).body == b"[]"
        assert (await edge.ask("/studies", JSON)).status == 200


async def test_another_upstream_is_asked_where_one_is_known_to_be_sick() -> None:
    """Five failures in a row eject it; it is not asked again while another can be."""
    body = multipart(([], b"file"))
    healthy = Reply(body=body, fields=[related("application/dicom")])
    async with (
        answering(healthy) as south,
        edge_over(f"http://127.0.0.1:{closed_port()}", south) as edge,
    ):
        north = edge.archives["north"]
        studies = 0
        while north.healthy:
            studies += 1
            reply = await edge.ask(f"/studies/1.{studies}", DICOM)
            assert [part.body for part in reply.parts] == [b"file"]
        before = len(south.requests)
        reply = await edge.ask("/studies/2.1", DICOM)

        assert reply.status == 206
        assert "Source north did not answer (resting)" in (reply.get("warning") or "")
        assert 1 <= studies <= 5
        assert [seen.target for seen in south.requests[before:]] == ["/dw/studies/2.1"]
