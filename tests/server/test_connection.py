"""What an application may do with the connection its request came on."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.server import ClientGone, Connection, connection_of
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request


class Waiting:
    """Waits inside `while_here` until released, and keeps what ended it."""

    def __init__(self) -> None:
        self.here, self.release = asyncio.Event(), asyncio.Event()
        self.ended: BaseException | None = None
        self.connection: Connection | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.connection = connection_of(scope)
        try:
            async with self.connection.while_here():
                self.here.set()
                await self.release.wait()
                raise TimeoutError("of another")
        except BaseException as error:
            self.ended = error


async def test_work_for_a_client_that_left_is_given_up() -> None:
    app = Waiting()
    async with listening(app) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await app.here.wait()
        await edge.quiet()

    assert isinstance(app.ended, ClientGone)
    assert app.connection is not None
    assert (app.connection.disconnected, app.connection.aborted) == (True, False)


async def test_a_timeout_of_the_work_itself_stays_one() -> None:
    app = Waiting()
    app.release.set()
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.ask("/")

    assert isinstance(app.ended, TimeoutError)


async def test_no_work_is_begun_for_a_client_that_has_left() -> None:
    app = Waiting()
    begun = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await receive()  # the request
        await receive()  # the disconnect
        await app(scope, receive, send)

    async with listening(late) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await begun.wait()
        await edge.quiet()

    assert isinstance(app.ended, ClientGone)
    assert not app.here.is_set()


async def test_an_aborted_connection_is_reset_and_says_so() -> None:
    connections: list[Connection] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        connections.append(connection_of(scope))
        connections[0].abort()
        connections[0].abort()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/"))
        assert await client.read_to_end() == b""
        assert client.ended == "reset"

    assert (connections[0].disconnected, connections[0].aborted) == (True, True)


async def test_an_abort_wakes_who_waits_for_the_client() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        connection_of(scope).abort()
        assert (await receive())["type"] == "http.disconnect"

    async with asyncio.timeout(5), listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/"))
        await edge.quiet()


def test_another_server_has_no_such_connection() -> None:
    with pytest.raises(KeyError):
        connection_of({"type": "http", "extensions": {}})
