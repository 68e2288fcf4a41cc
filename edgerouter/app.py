"""The only wiring: from a validated configuration to an ASGI application whose lifespan owns every task."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from edgerouter import metrics
from edgerouter.admin import (
    AdminGuard,
    CacheOperations,
    Exposition,
    Readiness,
    Recent,
    Status,
    UpstreamStatus,
    cache_check,
    is_own_page,
    pages,
)
from edgerouter.cache.cache import Cache
from edgerouter.cache.counts import Stats
from edgerouter.cache.folder import Folder
from edgerouter.cache.operations import Operations
from edgerouter.config import Config
from edgerouter.config.server import AdminListener
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.door import Door
from edgerouter.fittings import archive, doorway, frame_note, limits, open_cache, upstream_status
from edgerouter.middleware import Access, Observer, Settings, wrap
from edgerouter.middleware.errors import places
from edgerouter.parsing.describer import Describer
from edgerouter.server import Beside, Limits, admin_listener, names, serve
from edgerouter.transactions.search import Settings as Searching
from edgerouter.transactions.service import Service
from edgerouter.upstream.archive import HttpArchive

logger = logging.getLogger(__name__)


def observing(recent: Recent) -> Observer:
    """Tells `recent` and the metrics of each answered request; the router's own pages are no traffic."""

    def observe(access: Access) -> None:
        if not is_own_page(access):
            recent.observe(access)
            count(access)

    return observe


def count(access: Access) -> None:
    """Count one answered request; what was refused before it was understood has no transaction."""
    resource = access.resource or "none"
    metrics.REQUESTS.labels(access.transaction or "none", resource, str(access.status or "none")).inc()
    if access.transaction:
        metrics.REQUEST_SECONDS.labels(access.transaction).observe(access.seconds)
        metrics.SENT_BYTES.labels(access.transaction).inc(access.bytes)
    if access.outcome != "complete":
        metrics.CUTS.labels(access.outcome).inc()
    if access.cache is not None:
        metrics.CACHE_REQUESTS.labels(resource, access.cache).inc()


def build(config: Config) -> Starlette:
    """The router as an ASGI application; its lifespan opens and closes everything that it uses.

    While it runs, `state.archives` are the upstreams by name, `state.cache` is the cache or None, and
    `state.door` leads to the DICOMweb root. `state.admin` is the application of the admin listener."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            archives = app.state.archives = {
                name: await stack.enter_async_context(archive(name, upstream))
                for name, upstream in config.upstreams.items()
            }
            describer = Describer("cache")
            stack.push_async_callback(describer.aclose)
            cache = app.state.cache = await _opened(config, describer, stack)
            service = _service(config, archives, cache, describer)
            app.state.door = Door(doorway(config.server), config.router(), service)
            yield

    def upstreams() -> list[UpstreamStatus]:
        return [upstream_status(archive) for archive in app.state.archives.values()]

    async def stats() -> Stats | None:
        cache: Cache | None = app.state.cache
        return await cache.stats() if cache else None

    recent = Recent()
    status = Status(upstreams=upstreams, cache=stats, recent=recent, zone=config.server.time_zone)
    readiness = Readiness({"cache": cache_check(stats)}, upstreams)
    settings = Settings(cors_origins=config.server.cors.origins, observer=observing(recent))
    read = pages(status, readiness, Exposition(stats))
    app = Starlette(
        routes=[
            *read,
            Mount("/", app=_dicomweb),
        ],
        lifespan=lifespan,
        middleware=[Middleware(wrap, settings)],
    )
    app.router.redirect_slashes = False

    def operations() -> Operations | None:
        cache: Cache | None = app.state.cache
        return Operations(cache, tuple(config.upstreams)) if cache else None

    app.state.admin = _admin([*read, *CacheOperations(operations).routes()], config.admin)
    return app


def _admin(routes: list[Route], way: AdminListener | None) -> Starlette:
    """The application of the admin listener: what can be read, and what changes the router."""
    hosts = names(way) if way else None
    token = way.token.reveal if way and way.token else None
    app = Starlette(
        routes=routes,
        middleware=[Middleware(wrap, Settings()), Middleware(AdminGuard, hosts=hosts, token=token)],
    )
    app.router.redirect_slashes = False
    return app


async def _dicomweb(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["app"].state.door(scope, receive, send)


def _service(
    config: Config, archives: dict[str, HttpArchive], cache: Cache | None, describer: Describer
) -> Service:
    """Tokens stay good for as long as the cache directory does."""
    box = TokenBox(cache.secret if cache else secrets.token_bytes(32))
    said = {name: upstream.derive_metadata for name, upstream in config.upstreams.items()}
    return Service(
        archives,
        box,
        search=_searching(config, cache),
        cache=cache,
        describer=describer,
        derive_metadata={name: derives for name, derives in said.items() if derives is not None},
    )


def _searching(config: Config, cache: Cache | None) -> Searching:
    upstreams = config.upstreams.items()
    return Searching(
        issuers={name: upstream.issuer for name, upstream in upstreams if upstream.issuer},
        home=config.patients.home,
        mapping=config.patients.mapping,
        bare_ids=config.patients.bare_ids,
        patience={name: one.timeouts.search for name, one in upstreams if one.timeouts.search},
        max_rows=config.server.limits.max_search_answer,
        folder=config.cache.path if cache else None,
    )


async def _opened(config: Config, describer: Describer, stack: AsyncExitStack) -> Cache | None:
    """The cache, closed with the app, and its tasks; None where nothing is to be kept. Raises FolderError."""
    if not config.cache.size:
        return None
    tasks = await stack.enter_async_context(asyncio.TaskGroup())

    def start(coro: Coroutine[Any, Any, None], *, name: str) -> object:
        return tasks.create_task(_guarded(coro), name=name)

    cache = await open_cache(config, start, partial(frame_note, describer))
    stack.push_async_callback(cache.close)
    return cache


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """A task that fails is told to the log, less what its error may hold; it takes nothing else with it."""
    try:
        await work
    except Exception as error:
        logger.error("a task failed:\n%s", "".join(places(error)))


def run(config: Config, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve the configured router until it is told to stop; `ready` is called with its URL once it does.

    Raises FolderError when the cache directory cannot be used, OSError when the address cannot be had,
    CannotListen, which is one, when that of the admin listener cannot."""
    server = config.server
    if config.cache.size:
        Folder(config.cache.path).close()  # said now in one sentence, and not by a failing start
    app = build(config)
    with admin_listener(config.admin) as listener:
        serve(
            app,
            host=server.host,
            port=server.port,
            limits=limits(server),
            refused=metrics.refused,
            ready=ready,
            beside=Beside(app.state.admin, listener, Limits()) if listener else None,
        )
