"""What is let in: one request at a time, in order, as it was received, and to its own end."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.http.reply import Reply
from edgerouter.server import ClientGone, RequestBody
from edgerouter.server.limits import Limits
from tests.support.apps import Answering, Recorder, Replying
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request

CHUNKED = (("Transfer-Encoding", "chunked"),)


async def echo(scope: Scope, body: RequestBody) -> Reply:
    return Reply(200, body=b"".join([chunk async for chunk in body]))


def beginning(answering: Answering) -> tuple[asyncio.Event, Replying]:
    """An app, and an event that is set when it begins with a request."""
    begun = asyncio.Event()

    async def begin(scope: Scope, body: RequestBody) -> Reply:
        begun.set()
        return await answering(scope, body)

    return begun, Replying(begin)


async def test_the_application_gets_the_target_as_it_was_received() -> None:
    app = Recorder()
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.ask("/studies/1%2e2?PatientName=A%20B&x=%5C")

    scope = app.scopes[0]
    assert scope["edgerouter.raw_target"] == "/studies/1%2e2?PatientName=A%20B&x=%5C"
    assert scope["path"] == "/studies/1.2"
    assert scope["raw_path"] == b"/studies/1%2e2"
    assert scope["query_string"] == b"PatientName=A%20B&x=%5C"
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.1", "http")
    assert scope["client"][0] == "127.0.0.1"


async def test_no_answer_names_its_server() -> None:
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        response = await client.ask("/")

    assert response.get("server") is None


async def test_a_connection_serves_one_request_after_another() -> None:
    async with listening(Replying(echo)) as edge, RawClient(edge.port) as client:
        for number in range(5):
            body = b"%d" % number * 100_000
            assert (await client.ask("/", method="POST", body=body)).body == body


async def test_pipelined_requests_are_answered_in_order() -> None:
    app = Recorder()
    pipeline = b"".join(request(f"/{number}") for number in range(50))
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(pipeline)
        bodies = [(await client.response()).body for _ in range(50)]

    assert bodies == [b"answer %d" % number for number in range(1, 51)]
    assert [scope["path"] for scope in app.scopes] == [f"/{number}" for number in range(50)]


async def test_a_pipelined_request_waits_until_the_one_before_is_answered() -> None:
    answer, running = asyncio.Event(), 0

    async def one_at_a_time(scope: Scope, body: RequestBody) -> Reply:
        nonlocal running
        running += 1
        assert running == 1
        await answer.wait()
        running -= 1
        return Reply(200, body=scope["path"].encode())

    async with listening(Replying(one_at_a_time)) as edge, RawClient(edge.port) as client:
        await client.send(request("/one") + request("/two", method="POST", body=b"x") + request("/three"))
        assert await client.silent(0.02)
        answer.set()

        assert [(await client.response()).body for _ in range(2)] == [b"/one", b"/two"]


async def test_a_client_that_pipelines_without_reading_is_held_back() -> None:
    answer = asyncio.Event()

    async def late(scope: Scope, body: RequestBody) -> Reply:
        await answer.wait()
        return Reply(200)

    begun, app = beginning(late)
    async with listening(app, limits=Limits(max_head=1024)) as edge, RawClient(edge.port) as client:
        await client.send(request("/") * 40)
        await begun.wait()

        assert not edge.one_connection().transport.is_reading()
        answer.set()
        assert [(await client.response()).status for _ in range(40)] == [200] * 40


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


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_an_upgrade_is_answered_as_the_request_it_is(protocol: str) -> None:
    fields = [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", protocol),
        ("HTTP2-Settings", "AAMAAABk"),
    ]
    async with listening(Replying(echo)) as edge, RawClient(edge.port) as client:
        posted = await client.ask("/", method="POST", fields=fields, body=b"content " * 10_000)
        got = await client.ask("/", fields=fields)
        after = await client.ask("/", method="POST", body=b"after")

    assert (posted.status, posted.body) == (200, b"content " * 10_000)
    assert got.status == 200
    assert after.body == b"after"


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


async def test_an_application_that_fails_after_the_start_is_seen_to_have_failed() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise RuntimeError

    async with listening(broken) as edge, RawClient(edge.port) as client:
        response = await client.ask("/")

        assert not response.complete
        assert client.ended == "reset"


async def test_every_method_of_the_list_reaches_the_application() -> None:
    app = Recorder()
    async with listening(app) as edge, RawClient(edge.port) as client:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            await client.ask("/", method=method)

    assert [scope["method"] for scope in app.scopes] == [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
    ]


async def test_a_client_that_asks_for_it_is_closed_after_the_answer() -> None:
    async with listening(Recorder()) as edge, RawClient(edge.port) as client:
        response = await client.ask("/", fields=[("Connection", "close")])

        assert response.get("connection") == "close"
        assert await client.read_to_end() == b""


async def test_a_client_that_reads_nothing_does_not_keep_a_closed_connection() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"x" * 8_000_000})

    async with (
        listening(answer, limits=Limits(write_timeout=0.05)) as edge,
        RawClient(edge.port, receive_buffer=4096) as client,
    ):
        await client.send(request("/"))

        await edge.quiet()
