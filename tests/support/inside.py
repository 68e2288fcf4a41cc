"""The whole application in this process: its lifespan has begun, and it listens on a real socket.

async with inside(load(path)) as edge:
    async with RawClient(edge.port) as client: ...
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edgerouter.app import build
from edgerouter.config import Config
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, RawResponse


@asynccontextmanager
async def inside(config: Config) -> AsyncIterator[Edge]:
    """The router of a configuration, whatever address that names."""
    app = build(config)
    async with app.router.lifespan_context(app), listening(app) as edge:
        yield edge


async def ask(edge: Edge, target: str, method: str = "GET", **fields: str) -> RawResponse:
    """One request on a connection of its own; `X_Name="value"` is a field."""
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    async with RawClient(edge.port) as client:
        return await client.ask(target, method=method, fields=pairs)
