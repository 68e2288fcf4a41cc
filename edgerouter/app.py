"""The only wiring: from a validated configuration to an ASGI application whose lifespan owns every task."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from edgerouter import metrics
from edgerouter.admin import (
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
from edgerouter.config import Config, ServerConfig
from edgerouter.config.cache import CacheConfig
from edgerouter.config.upstreams import Upstream
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.door import Door, Doorway
from edgerouter.http.forwarded import Trust
from edgerouter.middleware import Access, Observer, Settings, wrap
from edgerouter.middleware.errors import places
from edgerouter.server import Limits, serve
from edgerouter.transactions.service import Service
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.profiles import PROFILES
from edgerouter.upstream.profiles.quirks import with_quirks
from edgerouter.upstream.target import origin
from edgerouter.upstream.tls import client_context
from edgerouter.upstream.translating import TranslatingArchive

logger = logging.getLogger(__name__)


def archive(name: str, upstream: Upstream) -> HttpArchive | FolderArchive:
    """One configured upstream as an archive; reads secrets and certificates.

    Raises OSError or SecretMissing."""
    if upstream.folder:
        return FolderArchive(name, upstream.folder, concurrency=upstream.concurrency)
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
    profile = with_quirks(PROFILES[upstream.profile], upstream.quirks.model_dump(exclude_none=True))
    kind = HttpArchive if profile.documents == "both" else TranslatingArchive
    return kind(
        name,
        profile,
        bases,
        aliases=upstream.aliases,
        credentials=credentials,
        tls=client_context(tls.ca, tls.cert, tls.key) if tls else None,
        timeouts=Timeouts(times.connect, times.first_byte, times.between_reads, times.store_answer),
        concurrency=upstream.concurrency,
    )


def upstream_status(archive: HttpArchive) -> UpstreamStatus:
    """What the status page shows of one upstream."""
    health = archive.health
    return UpstreamStatus(
        name=archive.name,
        profile=archive.profile.name,
        state=health.state,
        age=health.age,
        wait=health.wait,
        last_error=health.last_error,
        requests=metrics.total(metrics.UPSTREAM_REQUESTS, upstream=archive.name),
        received=metrics.total(metrics.UPSTREAM_BYTES, upstream=archive.name),
        in_flight=archive.limiter.busy,
        waiting=archive.limiter.waiting,
    )


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
    `state.door` leads to the DICOMweb root."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            archives = app.state.archives = {
                name: await stack.enter_async_context(archive(name, upstream))
                for name, upstream in config.upstreams.items()
            }
            cache = app.state.cache = await _opened(config.cache, stack)
            service = _service(config, archives, cache)
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
    app = Starlette(
        routes=[
            *pages(status, readiness, Exposition(stats)),
            Mount("/", app=_dicomweb),
        ],
        lifespan=lifespan,
        middleware=[Middleware(wrap, settings)],
    )
    app.router.redirect_slashes = False
    return app


async def _dicomweb(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["app"].state.door(scope, receive, send)


def _service(config: Config, archives: dict[str, HttpArchive], cache: Cache | None) -> Service:
    """Tokens stay good for as long as the cache directory does."""
    box = TokenBox(cache.secret if cache else secrets.token_bytes(32))
    issuers = {name: upstream.issuer for name, upstream in config.upstreams.items() if upstream.issuer}
    most = config.server.limits.max_search_answer
    return Service(archives, box, issuers=issuers, max_search_answer=most, cache=cache)


async def _opened(config: CacheConfig, stack: AsyncExitStack) -> Cache | None:
    """The cache, closed with the app, and its tasks; None where nothing is to be kept. Raises FolderError."""
    if not config.size:
        return None
    tasks = await stack.enter_async_context(asyncio.TaskGroup())

    def start(coro: Coroutine[Any, Any, None], *, name: str) -> object:
        return tasks.create_task(_guarded(coro), name=name)

    cache = await Cache.open(config.path, size=config.size, min_free=config.min_free, start=start)
    stack.push_async_callback(cache.close)
    return cache


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """A task that fails is told to the log, less what its error may hold; it takes nothing else with it."""
    try:
        await work
    except Exception as error:
        logger.error("a task failed:\n%s", "".join(places(error)))


def doorway(server: ServerConfig) -> Doorway:
    """Where the door to the DICOMweb root stands."""
    return Doorway(
        base_path=server.base_path,
        public_url=server.public_url,
        trusted=Trust(server.trusted_proxies),
        max_body=server.limits.max_body,
        write_timeout=server.limits.write_timeout,
    )


def limits(server: ServerConfig) -> Limits:
    """What the front door lets a stranger take."""
    bounds = server.limits
    return Limits(
        max_head=bounds.max_head,
        max_body=bounds.max_body,
        max_connections=bounds.max_connections,
        head_timeout=bounds.request_head_timeout,
        write_timeout=bounds.write_timeout,
    )


def run(config: Config, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve the configured router until it is told to stop; `ready` is called with its URL once it does.

    Raises FolderError when the cache directory cannot be used, OSError when the address cannot be had."""
    server = config.server
    if config.cache.size:
        Folder(config.cache.path).close()  # said now in one sentence, and not by a failing start
    serve(
        build(config),
        host=server.host,
        port=server.port,
        limits=limits(server),
        refused=metrics.refused,
        ready=ready,
    )
