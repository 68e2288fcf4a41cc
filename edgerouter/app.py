"""The only wiring: from a validated configuration to an ASGI application whose lifespan owns every task."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
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
from edgerouter.cache.means import FrameNotes, no_notes
from edgerouter.cache.operations import Operations
from edgerouter.cache.start import Start
from edgerouter.config import Config, ServerConfig
from edgerouter.config.server import AdminListener
from edgerouter.config.upstreams import Upstream
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.door import Door, Doorway
from edgerouter.http.forwarded import Trust
from edgerouter.middleware import Access, Observer, Settings, wrap
from edgerouter.middleware.errors import places
from edgerouter.parsing.describer import Describer
from edgerouter.server import Beside, Limits, admin_listener, names, serve
from edgerouter.transactions.search import Settings as Searching
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


async def frame_note(describer: Describer, path: Path) -> bytes:
    """What is written down of an instance's frames; nothing for a file that cannot be read so."""
    try:
        return await describer.frames(os.fsencode(path))
    except (Part10Error, OSError):
        return b""


async def open_cache(config: Config, start: Start, frames: FrameNotes = no_notes) -> Cache:
    """The configured cache, in its directory, which must not be in use. Raises FolderError."""
    quotas = {
        name: upstream.cache_quota
        for name, upstream in config.upstreams.items()
        if upstream.cache_quota is not None
    }
    return await Cache.open(
        config.cache.path,
        size=config.cache.size,
        min_free=config.cache.min_free,
        start=start,
        quotas=quotas,
        issuers=issuers(config),
        zone=config.server.time_zone,
        frames=frames,
    )


def issuers(config: Config) -> dict[str, str]:
    """The assigning authorities of the upstreams that have one."""
    return {name: upstream.issuer for name, upstream in config.upstreams.items() if upstream.issuer}


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
        min_upload_rate=server.limits.min_upload_rate,
        upload_window=server.limits.upload_window,
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
