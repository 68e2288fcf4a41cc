"""The whole application in this process: its lifespan has begun, and it listens on a real socket.

async with inside(load(path)) as edge:
    async with RawClient(edge.port) as client: ...
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message

from edgerouter.app import build
from edgerouter.config import Config
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, RawResponse


@asynccontextmanager
async def inside(config: Config) -> AsyncIterator[Edge]:
    """The router of a configuration, whatever address that names."""
    app = build(config)
    async with _alive(app), listening(app) as edge:
        yield edge


async def ask(edge: Edge, target: str, method: str = "GET", **fields: str) -> RawResponse:
    """One request on a connection of its own; `X_Name="value"` is a field."""
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    async with RawClient(edge.port) as client:
        return await client.ask(target, method=method, fields=pairs)


@asynccontextmanager
async def _alive(app: ASGIApp) -> AsyncIterator[None]:
    """Begins the lifespan, and ends it (ASGI lifespan protocol)."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()

    async def live() -> None:
        await app({"type": "lifespan", "state": {}}, told.get, said.put)

    async with asyncio.TaskGroup() as group:
        group.create_task(live(), name="lifespan")
        await told.put({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        try:
            yield
        finally:
            await told.put({"type": "lifespan.shutdown"})
