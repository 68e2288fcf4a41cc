"""What is let in: one request at a time, in order, as it was received, and to its own end."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.http.reply import Reply
from edgerouter.server import RequestBody
from edgerouter.server.limits import Limits
from tests.support.apps import Recorder, Replying, beginning, echo
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request


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
