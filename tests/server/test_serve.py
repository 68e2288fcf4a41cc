"""The whole server in a process of its own: where it listens, how it starts, how it ends."""

import asyncio
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edgerouter.server.serve import listen
from tests.support.raw_client import RawClient, request

once = pytest.mark.asyncio(loop_factories=["asyncio"])  # the server brings its own loop

PATIENCE = 20.0
PROGRAM = """
    import asyncio, sys
    from edgerouter.server import Limits, serve

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup." + START})
            await receive()
            print("closed down", file=sys.stderr, flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
        loop = type(asyncio.get_running_loop()).__module__.encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": loop, "more_body": True})
        if scope["path"] == "/slow":
            print("begun", file=sys.stderr, flush=True)
            await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b" done"})

    serve(app, host="127.0.0.1", port=0, limits=Limits(max_head=2000))
    print("returned", file=sys.stderr, flush=True)
"""


@asynccontextmanager
async def running(
    start: str = "complete", program: str = PROGRAM
) -> AsyncIterator[asyncio.subprocess.Process]:
    text = textwrap.dedent(program).replace("START", repr(start))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.readline()).decode().strip()


@once
async def test_it_says_where_it_listens_and_drains_on_sigterm() -> None:
    async with running() as process:
        said = await line(process)
        assert said.startswith("listening on http://127.0.0.1:")
        async with RawClient(int(said.rpartition(":")[2])) as client:
            first = await client.ask("/fast")
            await client.send(request("/slow"))
            assert await line(process) == "begun"
            process.send_signal(signal.SIGTERM)
            last = await client.response()
            assert await client.read_to_end() == b""

        assert (first.status, first.body) == (200, b"uvloop done")
        assert (last.body, last.complete) == (b"uvloop done", True)
        assert first.get("date")
        assert first.get("server") is None
        assert await line(process) == "closed down"
        assert await line(process) == "returned"
        assert await process.wait() == 0


@once
async def test_the_limits_hold_there_too() -> None:
    async with running() as process:
        port = int((await line(process)).rpartition(":")[2])
        async with RawClient(port) as client:
            assert (await client.ask("/", fields=[("X", "y" * 2000)])).status == 431


@once
async def test_an_application_that_does_not_start_ends_the_process_with_an_error() -> None:
    async with running("failed") as process:
        assert await process.wait() == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_an_address_in_use_is_an_error_at_once(host: str) -> None:
    with listen(host, 0) as listener, pytest.raises(OSError, match="in use"):
        listen(host, listener.getsockname()[1])


def test_ipv6_is_listened_on_where_there_is_any() -> None:
    try:
        listener = listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert listener.family == socket.AF_INET6


BESIDE = """
    import asyncio, socket, sys
    from edgerouter.server import Beside, Limits, serve

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            print("closed down", file=sys.stderr, flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"front"})

    async def second(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"beside", "more_body": True})
        if scope["path"] == "/slow":
            print("begun", file=sys.stderr, flush=True)
            await asyncio.sleep(60)
        await send({"type": "http.response.body", "body": b" done"})

    listener = socket.create_server(("127.0.0.1", 0))
    print("beside on", listener.getsockname()[1], file=sys.stderr, flush=True)
    serve(app, host="127.0.0.1", port=0, beside=Beside(second, listener, Limits(max_head=2000)))
    print("returned", file=sys.stderr, flush=True)
"""


@once
async def test_a_second_application_stands_beside_it_and_ends_before_it() -> None:
    async with running(program=BESIDE) as process:
        beside = int((await line(process)).rpartition(" ")[2])
        front = int((await line(process)).rpartition(":")[2])
        async with RawClient(front) as client, RawClient(beside) as other:
            assert (await client.ask("/")).body == b"front"
            answer = await other.ask("/")
            assert (answer.body, bool(answer.get("date"))) == (b"beside done", True)
            assert (await other.ask("/", fields=[("X", "y" * 2000)])).status == 431
        async with RawClient(beside) as other:
            await other.send(request("/slow"))
            assert await line(process) == "begun"
            process.send_signal(signal.SIGTERM)
            assert not (await other.response()).complete  # a second later it is cut
        while (said := await line(process)) != "closed down":
            assert said != "returned"
        assert await line(process) == "returned"
        assert await process.wait() == 0
