"""An ASGI app behind the guarded protocol on a real socket, without uvicorn's slow start and stop.

    async with listening(app, limits=Limits(max_head=2048)) as edge:
        async with RawClient(edge.port) as client: ...
        edge.refusals, edge.connections

It is uvicorn's configuration, state and protocol, on the running loop; `tests/server/test_serve.py` has
the whole server in a process of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp
from uvicorn.server import ServerState

from edgerouter.server.gate import Gate
from edgerouter.server.limits import Limits
from edgerouter.server.protocol import GuardedProtocol
from edgerouter.server.serve import uvicorn_config

PATIENCE = 10.0  # seconds


@dataclass
class Edge:
    port: int
    state: ServerState
    refusals: list[str] = field(default_factory=list)

    @property
    def connections(self) -> int:
        """How many connections the server holds now."""
        return len(self.state.connections)

    def one_connection(self) -> GuardedProtocol:
        """The protocol of the only connection there is."""
        (connection,) = self.state.connections
        assert isinstance(connection, GuardedProtocol)
        return connection

    async def deserted(self) -> None:
        """Wait until no connection is left."""
        await _until_empty(self.state.connections)

    async def quiet(self) -> None:
        """Wait until no connection and no task of the application is left."""
        await _until_empty(self.state.connections)
        await _until_empty(self.state.tasks)


async def _until_empty(uvicorns: Sized) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(uvicorns):  # noqa: ASYNC110 - uvicorn's sets tell nobody when they change
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(app: ASGIApp, *, limits: Limits | None = None) -> AsyncIterator[Edge]:
    """The app on 127.0.0.1 and a free port, for as long as the block runs."""
    state = ServerState()
    edge = Edge(0, state)
    gate = Gate(limits or Limits(), edge.refusals.append)
    config = uvicorn_config(app, gate)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GuardedProtocol(gate, config, state, {}, loop), "127.0.0.1", 0, backlog=512
    )
    edge.port = server.sockets[0].getsockname()[1]
    try:
        yield edge
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await edge.quiet()
