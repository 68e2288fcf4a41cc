"""A Reply on the wire: framed by what is known, ended cleanly only when whole, dropped when nobody reads."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from starlette.types import Scope

from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.server import Outcome, RequestBody
from edgerouter.server.sender import PIECE
from tests.support.apps import Replying
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, RawResponse, request

CHUNKS = (b"first", b"", b"x" * (PIECE + 1), b"last")
WHOLE = b"".join(CHUNKS)
FRAMINGS = {"length": {"length": len(WHOLE)}, "chunked": {}, "close": {"unproven": True}}


class Body(AsyncIterator[bytes]):
    """A body that tells whether it was closed; it may wait before a chunk, and fail at its end."""

    def __init__(
        self,
        *chunks: bytes,
        wait: asyncio.Event | None = None,
        failure: Exception | None = None,
        on_close: Exception | None = None,
    ) -> None:
        self.pulled = 0
        self.closed = asyncio.Event()
        self.waiting = asyncio.Event()
        self._chunks = iter(chunks)
        self._wait = wait
        self._failure = failure
        self._on_close = on_close

    async def __anext__(self) -> bytes:
        self.pulled += 1
        for chunk in self._chunks:
            return chunk
        if self._wait is not None:
            self.waiting.set()
            await self._wait.wait()
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed.set()
        if self._on_close is not None:
            raise self._on_close


def answering(reply: Reply, *, write_timeout: float = 5.0) -> Replying:
    async def answer(scope: Scope, body: RequestBody) -> Reply:
        return reply

    return Replying(answer, write_timeout=write_timeout)


async def answered(reply: Reply, *, method: str = "GET") -> tuple[RawResponse, Replying]:
    app = answering(reply)
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            response = await client.ask("/", method=method)
        await edge.quiet()
    return response, app


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


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("failure", [Cut("gone", upstream="a"), ValueError("DOE^JOHN"), TimeoutError()])
async def test_a_body_that_fails_is_seen_to_be_cut(
    framing: str, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    body = Body(b"some", failure=failure)
    app = answering(Reply(200, body=body, **FRAMINGS[framing]))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        async with listening(app) as edge, RawClient(edge.port) as client:
            response = await client.ask("/")

    assert not response.complete
    assert client.ended == "reset"
    assert app.sent[0].outcome is Outcome.CUT
    assert app.raised == []
    assert body.closed.is_set()
    assert len(caplog.records) == 1
    assert type(failure).__name__ in caplog.text
    assert "DOE" not in caplog.text


@pytest.mark.parametrize("length", [len(WHOLE) - 1, len(WHOLE) + 1])
async def test_a_body_that_is_not_as_long_as_it_said_is_seen_to_be_cut(length: int) -> None:
    response, app = await answered(Reply(200, body=Body(*CHUNKS), length=length))

    assert not response.complete
    assert len(response.body) < length
    assert app.sent[0].outcome is Outcome.CUT


async def test_a_body_whose_closing_fails_was_still_sent_whole(caplog: pytest.LogCaptureFixture) -> None:
    response, app = await answered(Reply(200, body=Body(b"all", on_close=RuntimeError("DOE^JOHN"))))

    assert response.complete
    assert app.sent[0].outcome is Outcome.COMPLETE
    assert "closing the body" in caplog.text
    assert "DOE" not in caplog.text


async def test_an_illegal_field_is_an_error_before_anything_is_sent() -> None:
    body = Body(b"abc")
    reply = Reply(200, Fields([("location", "/a\r\nset-cookie: b")]), body)
    app = answering(reply)
    async with listening(app) as edge, RawClient(edge.port) as client:
        response = await client.ask("/")

    assert response.status == 500
    assert isinstance(app.raised[0], ValueError)
    assert body.closed.is_set()


async def leave(edge: Edge, body: Body) -> None:
    async with RawClient(edge.port) as client:
        await client.send(request("/"))
        await body.waiting.wait()
        client.reset()
    await body.closed.wait()
    await edge.quiet()


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_is_closed_when_the_client_leaves_while_nothing_comes(framing: str) -> None:
    body = Body(b"some", wait=asyncio.Event())
    app = answering(Reply(200, body=body, **FRAMINGS[framing]))  # type: ignore[arg-type]
    async with asyncio.timeout(5), listening(app) as edge:
        await leave(edge, body)

    assert app.sent[0].outcome is Outcome.CLIENT_GONE


async def test_a_body_that_turns_the_cancellation_into_a_fault_is_still_not_to_blame() -> None:
    class Stubborn(Body):
        async def __anext__(self) -> bytes:
            try:
                return await super().__anext__()
            except asyncio.CancelledError:
                raise Cut("cancelled") from None

    body = Stubborn(b"some", wait=asyncio.Event())
    app = answering(Reply(200, body=body))
    async with asyncio.timeout(5), listening(app) as edge:
        await leave(edge, body)

    assert app.sent[0].outcome is Outcome.CLIENT_GONE


async def test_an_endless_body_that_never_waits_ends_when_the_client_leaves() -> None:
    class Endless(Body):
        async def __anext__(self) -> bytes:
            self.pulled += 1
            return b"x" * 100

    body = Endless()
    async with asyncio.timeout(5), listening(answering(Reply(200, body=body))) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await client.read(100_000)
        await body.closed.wait()
        pulled = body.pulled
        await edge.quiet()

    assert body.pulled == pulled


async def test_a_client_that_left_before_the_answer_costs_no_chunk() -> None:
    body, here, gone = Body(b"some"), asyncio.Event(), asyncio.Event()

    async def late(scope: Scope, content: RequestBody) -> Reply:
        here.set()
        await gone.wait()
        return Reply(200, body=body)

    app = Replying(late)
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await here.wait()
        await edge.deserted()
        gone.set()
        await edge.quiet()

    assert app.sent[0].outcome is Outcome.CLIENT_GONE
    assert body.pulled == 0
    assert body.closed.is_set()


async def test_a_client_that_reads_too_slowly_is_cut_off() -> None:
    body = Body(*[b"x" * 1_000_000] * 100)
    app = answering(Reply(200, body=body, length=100_000_000), write_timeout=0.1)
    async with (
        asyncio.timeout(10),
        listening(app) as edge,
        RawClient(edge.port, receive_buffer=4096) as client,
    ):
        await client.send(request("/"))
        await body.closed.wait()
        await edge.quiet()
        await client.read_to_end()

        assert client.ended == "reset"
    assert app.sent[0].outcome is Outcome.CUT
    assert body.pulled < 20


async def test_a_client_that_reads_slowly_but_reads_gets_it_all() -> None:
    body = Body(*[b"x" * 100_000] * 20)
    app = answering(Reply(200, body=body, length=2_000_000), write_timeout=5)
    async with listening(app) as edge, RawClient(edge.port, receive_buffer=4096) as client:
        response = await client.ask("/")

    assert response.complete


async def test_a_drain_that_ran_out_of_time_cuts_the_answer_visibly() -> None:
    body = Body(b"some", wait=asyncio.Event())
    app = answering(Reply(200, body=body, unproven=True))
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/"))
        await body.waiting.wait()
        for task in edge.state.tasks:
            task.cancel()
        await client.read_to_end()

        assert client.ended == "reset"
    assert isinstance(app.raised[0], asyncio.CancelledError)
    assert body.closed.is_set()
