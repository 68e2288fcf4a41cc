"""Retrieves through the cache of a router, asked beside its door: for what no client can bring about.

async with keeping(pacs, folder=tmp_path) as edge, retrieves(edge) as cached:
    reply = await asked(cached, path, accept).offline(["north"], 3600)
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from edgerouter.cache.unit import Held
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.parsing.describer import Describer
from edgerouter.routing.router import Route
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.cached import Cached, CachedRetrieval
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.upstreams import Upstream
from tests.scenarios.edge import Edge
from tests.scenarios.pacs import STUDY
from tests.transactions.ask import inbound


@asynccontextmanager
async def retrieves(edge: Edge) -> AsyncIterator[Cached]:
    """Retrieves through the cache of a router."""
    describer = Describer("beside")
    archives: Mapping[str, Upstream] = edge.archives
    assert edge.cache is not None
    try:
        box = TokenBox(os.urandom(32))
        yield Cached(edge.cache, describer, archives, box, Federation(archives, {}, 1 << 20))
    finally:
        await describer.aclose()


def asked(cached: Cached, path: str, accept: str) -> CachedRetrieval:
    """One request, as the cache sees it."""
    request = inbound(path, accept=accept)
    found = cached.retrieval(request, wishes_of(request), Route(("north",)))
    assert found is not None
    return found


async def instances(edge: Edge) -> list[Held]:
    """Every instance that the router holds of the study."""
    assert edge.cache is not None
    held = await edge.cache.catalog.held_members(["north"], STUDY)
    return [one for some in held.values() for one in some]
