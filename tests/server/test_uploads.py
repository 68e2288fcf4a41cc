"""A request's content on the wire: taken to its own end, as fast as it is read, and dropped when unwanted."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.http.reply import Reply
from edgerouter.server import ClientGone, RequestBody
from tests.support.apps import Recorder, Replying, beginning, echo
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request

CHUNKED = (("Transfer-Encoding", "chunked"),)


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_chunked_content_arrives_whole_however_it_is_cut(size: int) -> None:
    wire = (
        request("/", method="POST", fields=CHUNKED) + b"3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    )
    async with listening(Replying(echo)) as edge, RawClient(edge.port) as client:
        for at in range(0, len(wire), size):
            await client.send(wire[at : at + size])
            await asyncio.sleep(0)
        assert (await client.response()).body == b"abc0123456789abcdef"

        assert (await client.ask("/", method="POST", body=b"next")).body == b"next"


async def test_trailers_never_become_fields() -> None:
    app = Replying(echo)
    seen: list[Scope] = []

    async def remember(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await app(scope, receive, send)

    async with listening(remember) as edge, RawClient(edge.port) as client:
        wire = request("/", method="POST", fields=CHUNKED)
        await client.send(wire + b"1\r\nx\r\n0\r\nAuthorization: Basic Zm9v\r\nHost: evil\r\n\r\n")
        assert (await client.response()).body == b"x"

    assert [name for name, _ in seen[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_continue_is_said_when_the_content_is_asked_for() -> None:
    ask = asyncio.Event()

    async def later(scope: Scope, body: RequestBody) -> Reply:
        await ask.wait()
        return await echo(scope, body)

    async with listening(Replying(later)) as edge, RawClient(edge.port) as client:
        fields = [("Expect", "100-continue"), ("Content-Length", "3")]
        await client.send(request("/", method="POST", fields=fields))
        assert await client.silent(0.02)
        ask.set()
        assert (await client.response()).status == 100
        await client.send(b"abc")
        assert (await client.response()).body == b"abc"


async def test_continue_is_not_said_when_the_content_is_not_wanted() -> None:
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        fields = [("Expect", "100-continue"), ("Content-Length", "3")]
        response = await client.ask("/", method="POST", fields=fields)

        assert response.status == 200
        assert response.get("connection") == "close"
        assert await client.read_to_end() == b""


@pytest.mark.parametrize("sent", [b"", b"part", b"whole body"])
async def test_an_answer_that_left_content_unread_closes_the_connection(sent: bytes) -> None:
    app = Recorder()
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=[("Content-Length", "10")]) + sent)
        response = await client.response()
        rest = await client.read_to_end()

    assert response.complete
    assert response.get("connection") == "close"
    assert (rest, client.ended) == (b"", "fin")


async def test_an_early_answer_reaches_a_client_that_is_still_sending() -> None:
    size = 20_000_000
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=[("Content-Length", str(size))]))
        for _ in range(size // 100_000 // 4):
            await client.send(b"x" * 100_000)

        assert (await client.response()).body == b"answer 1"


async def test_content_that_arrives_under_an_answer_is_dropped() -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        started.set()
        await finish.wait()
        await send({"type": "http.response.body", "body": b"early"})

    size = 5_000_000
    async with listening(early) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=[("Content-Length", str(size))]))
        await started.wait()
        await client.send(b"x" * size)
        assert len(edge.one_connection().cycle.body) == 0
        finish.set()

        assert (await client.response()).body == b"early"


async def test_content_that_breaks_its_framing_never_seems_whole_to_the_application() -> None:
    begun, app = beginning(echo)
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/", method="POST", fields=CHUNKED) + b"3\r\nabc\r\n")
            await begun.wait()
            await client.send(b"zz\r\n")
            response = await client.response()

            assert response.status == 400
            assert await client.read_to_end() == b""
        await edge.quiet()
    assert isinstance(app.raised[0], ClientGone)


async def test_content_that_breaks_its_framing_under_an_answer_cuts_the_answer() -> None:
    started = asyncio.Event()

    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        started.set()
        await asyncio.Event().wait()

    async with listening(early) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=CHUNKED) + b"3\r\nabc\r\n")
        await started.wait()
        await client.send(b"zz\r\n")
        await client.read_to_end()

        assert client.ended == "reset"


async def test_a_client_that_leaves_while_sending_is_noticed() -> None:
    begun, app = beginning(echo)
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/", method="POST", fields=[("Content-Length", "10")]) + b"half")
            await begun.wait()
            client.reset()
        await edge.quiet()

    assert isinstance(app.raised[0], ClientGone)


async def test_the_content_is_taken_only_as_fast_as_the_application_reads_it() -> None:
    go = asyncio.Event()

    async def slow(scope: Scope, body: RequestBody) -> Reply:
        await go.wait()
        return Reply(200, body=str(sum([len(chunk) async for chunk in body])).encode())

    size = 8_000_000
    async with listening(Replying(slow)) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=[("Content-Length", str(size))]))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.send(b"x" * size))
            await asyncio.sleep(0.05)
            held = len(edge.one_connection().cycle.body)
            go.set()
        response = await client.response()

    assert response.body == str(size).encode()
    assert held < 1_000_000
