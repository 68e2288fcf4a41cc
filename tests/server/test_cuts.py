"""An answer ends cleanly only when it is whole, and costs nothing more once nobody reads it (law 3)."""

import asyncio
import logging

import pytest
from starlette.types import Scope

from edgerouter.errors import Cut
from edgerouter.http.reply import Reply
from edgerouter.server import Outcome, RequestBody
from tests.support.apps import Replying
from tests.support.bodies import CHUNKS, FRAMINGS, WHOLE, Body, answered, answering
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, request


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
