"""The only wiring: from a validated configuration to an ASGI application whose lifespan owns every task."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter import admin, metrics
from edgerouter.cache.cache import Cache
from edgerouter.config import Config
from edgerouter.config.cache import CacheConfig
from edgerouter.config.server import ServerConfig
from edgerouter.config.upstreams import Upstream
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.door import Door, Doorway
from edgerouter.http.forwarded import Trust
from edgerouter.middleware import Access, Settings, wrap
from edgerouter.server import Limits, serve
from edgerouter.transactions.service import Service
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.profile import PROFILES
from edgerouter.upstream.target import origin
from edgerouter.upstream.tls import client_context

logger = logging.getLogger(__name__)


def archive(name: str, upstream: Upstream) -> HttpArchive:
    """One configured upstream as an archive; reads its secrets: raises OSError, SecretMissing."""
    bases = {
        transaction: base
        for transaction in (Transaction.SEARCH, Transaction.RETRIEVE, Transaction.STORE, Transaction.WADO_URI)
        if (base := upstream.base(transaction))
    }
    credentials = (
        {origin(base): upstream.auth.authorization() for base in bases.values()} if upstream.auth else {}
    )
    tls = upstream.tls
    times = upstream.timeouts
    return HttpArchive(
        name,
        PROFILES[upstream.profile],
        bases,
        aliases=upstream.aliases,
        credentials=credentials,
        tls=client_context(tls.ca, tls.cert, tls.key) if tls else None,
        timeouts=Timeouts(times.connect, times.first_byte, times.between_reads, times.store_answer),
        concurrency=upstream.concurrency,
    )


def observe(access: Access) -> None:
    """Count one answered request; what was refused before it was understood has no transaction."""
    names = (access.transaction or "none", access.resource or "none", str(access.status or "none"))
    metrics.REQUESTS.labels(*names).inc()


def build(config: Config) -> ASGIApp:
    """The router as an ASGI application; its lifespan opens and closes everything that it uses."""
    server = config.server

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            archives = {
                name: await stack.enter_async_context(archive(name, upstream))
                for name, upstream in config.upstreams.items()
            }
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            cache = await _cache(config.cache, tasks, stack)
            box = TokenBox(cache.secret if cache else secrets.token_bytes(32))
            yield {"door": Door(_doorway(server), config.router(), Service(archives, box, cache))}

    routes = [
        Route("/healthz", admin.healthz),
        Route("/readyz", admin.readyz),
        Route("/metrics", admin.metrics),
        Mount("/", app=_dicomweb),
    ]
    settings = Settings(cors_origins=server.cors.origins, observer=observe)
    app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(wrap, settings)])
    app.router.redirect_slashes = False
    return app


async def _dicomweb(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["state"]["door"](scope, receive, send)


def _doorway(server: ServerConfig) -> Doorway:
    return Doorway(
        base_path=server.base_path,
        public_url=server.public_url,
        trusted=Trust(server.trusted_proxies),
        max_body=server.limits.max_body,
        write_timeout=server.limits.write_timeout,
        zone=server.time_zone,
    )


async def _cache(config: CacheConfig, tasks: asyncio.TaskGroup, stack: AsyncExitStack) -> Cache | None:
    """The opened cache, closed with the app; None where nothing is to be kept. Raises FolderError."""
    if not config.size:
        return None

    def start(coro: Coroutine[Any, Any, None], *, name: str) -> object:
        return tasks.create_task(_guarded(coro), name=name)

    cache = await Cache.open(config.path, size=config.size, min_free=config.min_free, start=start)
    stack.push_async_callback(cache.close)
    return cache


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """A task that fails is logged; it takes nothing else with it."""
    try:
        await work
    except Exception as error:
        logger.error("a task of the app failed: %s", type(error).__name__)


def run(config: Config) -> None:
    """Serve the configured router until it is told to stop."""
    server, bounds = config.server, config.server.limits
    limits = Limits(
        max_head=bounds.max_head,
        max_body=bounds.max_body,
        max_connections=bounds.max_connections,
        head_timeout=bounds.request_head_timeout,
        write_timeout=bounds.write_timeout,
    )
    serve(build(config), host=server.host, port=server.port, limits=limits, refused=metrics.refused)
