"""A Reply on the wire: framed by what is known of it, its head at once, its framing fields ours."""

import asyncio

import pytest

from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.server import Outcome
from tests.support.bodies import CHUNKS, FRAMINGS, WHOLE, Body, answered, answering
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_leaves_whole_in_the_framing_that_is_known_of_it(framing: str) -> None:
    body = Body(*CHUNKS)
    response, app = await answered(Reply(200, Fields([("x-a", "b")]), body, **FRAMINGS[framing]))  # type: ignore[arg-type]

    assert (response.body, response.complete, response.framing) == (WHOLE, True, framing)
    assert response.get("x-a") == "b"
    assert response.get("connection") == ("close" if framing == "close" else None)
    assert body.closed.is_set()
    sent = app.sent[0]
    assert (sent.status, sent.bytes, sent.outcome) == (200, len(WHOLE), Outcome.COMPLETE)
    assert sent.ttfb is not None


async def test_whole_bytes_leave_with_their_length() -> None:
    response, app = await answered(Reply(404, body=WHOLE))

    assert (response.status, response.body, response.framing) == (404, WHOLE, "length")
    assert app.sent[0].bytes == len(WHOLE)


async def test_an_empty_body_has_length_zero_and_no_first_byte() -> None:
    response, app = await answered(Reply(200))

    assert response.get("content-length") == "0"
    assert app.sent[0].ttfb is None


async def test_a_length_that_is_not_that_of_the_bytes_is_never_sent() -> None:
    app = answering(Reply(200, body=b"abc", length=4))
    async with listening(app) as edge, RawClient(edge.port) as client:
        assert (await client.ask("/")).status == 500

    assert isinstance(app.raised[0], ValueError)


async def test_the_head_leaves_before_the_body_is_here() -> None:
    body = Body(wait=asyncio.Event())
    async with listening(answering(Reply(200, body=body))) as edge, RawClient(edge.port) as client:
        await client.send(request("/"))
        head = await client.read_until(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("reply", "length"),
    [
        (Reply(200, body=b"abc"), "3"),
        (Reply(200, length=1234), "1234"),
        (Reply(200, body=Body(b"abc"), length=3), "3"),
        (Reply(200, body=Body(b"abc")), None),
        (Reply(200, body=Body(b"abc"), unproven=True), None),
    ],
)
async def test_a_head_request_gets_the_head_alone_and_the_body_is_closed_unread(
    reply: Reply, length: str | None
) -> None:
    async with listening(answering(reply)) as edge, RawClient(edge.port) as client:
        first = await client.ask("/", method="HEAD")
        second = await client.ask("/", method="HEAD")

    assert first == second
    assert first.status == 200
    assert first.get("content-length") == length
    assert first.get("transfer-encoding") is None
    if isinstance(reply.body, Body):
        assert reply.body.closed.is_set()
        assert reply.body.pulled == 0


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_content_has_none_whatever_the_reply_says(status: int) -> None:
    body = Body(b"abc")
    async with (
        listening(answering(Reply(status, body=body, length=3))) as edge,
        RawClient(edge.port) as client,
    ):
        first = await client.ask("/")
        second = await client.ask("/")

    assert first.status == second.status == status
    assert first.get("content-length") is None
    assert body.pulled == 0


async def test_the_framing_is_ours_and_a_date_is_not_repeated() -> None:
    wrong = Fields(
        [("content-length", "7"), ("transfer-encoding", "gzip"), ("date", "then"), ("server", "x")]
    )
    response, _ = await answered(Reply(200, wrong.add("connection", "x-a").add("keep-alive", "1"), b"abc"))

    assert response.fields == (("content-length", "3"),)


async def test_a_reply_can_close_the_connection() -> None:
    async with (
        listening(answering(Reply(200, body=b"abc", close=True))) as edge,
        RawClient(edge.port) as client,
    ):
        response = await client.ask("/")

        assert response.all("connection") == ["close"]
        assert await client.read_to_end() == b""


async def test_an_illegal_field_is_an_error_before_anything_is_sent() -> None:
    body = Body(b"abc")
    reply = Reply(200, Fields([("location", "/a\r\nset-cookie: b")]), body)
    app = answering(reply)
    async with listening(app) as edge, RawClient(edge.port) as client:
        response = await client.ask("/")

    assert response.status == 500
    assert isinstance(app.raised[0], ValueError)
    assert body.closed.is_set()
