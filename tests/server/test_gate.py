"""When the house is full: the idle give way to the working, and who cannot be taken is told so at once."""

import asyncio

from starlette.types import Scope

from edgerouter.http.reply import Reply
from edgerouter.server import RequestBody
from edgerouter.server.gate import REFUSED_REASONS, Gate, uncounted
from edgerouter.server.limits import Limits
from tests.support.apps import Recorder, Replying
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request

TWO = Limits(max_connections=2)


async def test_a_new_connection_takes_the_place_of_the_one_idle_longest() -> None:
    async with (
        listening(Recorder(), limits=TWO) as edge,
        RawClient(edge.port) as old,
        RawClient(edge.port) as young,
    ):
        await young.ask("/")
        await old.ask("/")
        await young.ask("/")
        async with RawClient(edge.port) as new:
            assert (await new.ask("/")).status == 200
            assert await old.read_to_end() == b""
            assert (await young.ask("/")).status == 200
    assert edge.refusals == []


async def test_when_all_are_at_work_a_new_connection_is_told_to_come_back() -> None:
    begun, answer = asyncio.Semaphore(0), asyncio.Event()

    async def working(scope: Scope, body: RequestBody) -> Reply:
        begun.release()
        await answer.wait()
        return Reply(200, body=b"done")

    async with (
        listening(Replying(working), limits=TWO) as edge,
        RawClient(edge.port) as one,
        RawClient(edge.port) as two,
    ):
        for client in (one, two):
            await client.send(request("/"))
            await begun.acquire()
        async with RawClient(edge.port) as late:
            response = await late.response()
            assert await late.read_to_end() == b""
        answer.set()

        assert response.status == 503
        assert response.get("retry-after") == "1"
        assert response.get("connection") == "close"
        assert [(await client.response()).body for client in (one, two)] == [b"done", b"done"]
        assert (await one.ask("/")).status == 200
    assert edge.refusals == ["overload"]


async def test_a_flood_is_dropped_without_a_word() -> None:
    begun, answer = asyncio.Event(), asyncio.Event()

    async def working(scope: Scope, body: RequestBody) -> Reply:
        begun.set()
        await answer.wait()
        return Reply(200)

    async with (
        listening(Replying(working), limits=Limits(max_connections=1)) as edge,
        RawClient(edge.port) as one,
    ):
        await one.send(request("/"))
        await begun.wait()
        async with RawClient(edge.port) as refused, RawClient(edge.port) as dropped:
            assert (await refused.response()).status == 503
            assert await dropped.read_to_end() == b""
        answer.set()

        assert (await one.response()).status == 200
    assert edge.refusals == ["overload", "overload"]


def test_who_does_not_count_refusals_may_say_so() -> None:
    gate = Gate(TWO, uncounted)

    for reason in REFUSED_REASONS:
        gate.refused(reason)
