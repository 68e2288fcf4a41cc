"""The only wiring: from a validated configuration to an ASGI application whose lifespan owns every task."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from edgerouter import admin, metrics
from edgerouter.config import Config, ServerConfig
from edgerouter.config.upstreams import Upstream
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.door import Door, Doorway
from edgerouter.http.forwarded import Trust
from edgerouter.middleware import Access, Settings, wrap
from edgerouter.server import Limits, serve
from edgerouter.transactions.service import Service
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.profile import PROFILES
from edgerouter.upstream.target import origin
from edgerouter.upstream.tls import client_context


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
    if access.transaction:
        metrics.REQUEST_SECONDS.labels(access.transaction).observe(access.seconds)
        metrics.SENT_BYTES.labels(access.transaction).inc(access.bytes)
    if access.outcome != "complete":
        metrics.CUTS.labels(access.outcome).inc()


def build(config: Config) -> Starlette:
    """The router as an ASGI application; its lifespan opens and closes everything that it uses.

    `state.archives` are the upstreams by name, while it runs."""
    archives: dict[str, HttpArchive | FolderArchive] = {}
    server = config.server
    box = TokenBox(secrets.token_bytes(32))
    service = Service(archives, box, max_search_answer=server.limits.max_search_answer)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, upstream in config.upstreams.items():
                archives[name] = await stack.enter_async_context(archive(name, upstream))
            yield

    settings = Settings(cors_origins=server.cors.origins, observer=observe)
    app = Starlette(
        routes=[
            Route("/healthz", admin.healthz),
            Route("/readyz", admin.readyz),
            Route("/metrics", admin.metrics),
            Mount("/", app=Door(doorway(server), config.router(), service)),
        ],
        lifespan=lifespan,
        middleware=[Middleware(wrap, settings)],
    )
    app.router.redirect_slashes = False
    app.state.archives = archives
    return app


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
    """Serve the configured router until it is told to stop; `ready` is called with its URL once it does."""
    server = config.server
    serve(
        build(config),
        host=server.host,
        port=server.port,
        limits=limits(server),
        refused=metrics.refused,
        ready=ready,
    )
