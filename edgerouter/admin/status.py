"""The status of the router at one moment, for people (/status) and for programs (/status.json)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from edgerouter import __version__
from edgerouter.admin.figures import ReadCache, ReadUpstreams, Traffic, traffic
from edgerouter.admin.headers import NO_STORE
from edgerouter.admin.page import PAGE_FIELDS, page
from edgerouter.admin.recent import Recent
from edgerouter.admin.snapshot import Snapshot, document


class Status:
    """The two pages over what it is told; `zone` is the site's time zone, None for the system's."""

    def __init__(
        self,
        *,
        upstreams: ReadUpstreams,
        cache: ReadCache,
        recent: Recent,
        zone: tzinfo | None = None,
        traffic: Callable[[], Traffic] = traffic,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstreams = upstreams
        self._cache = cache
        self._recent = recent
        self._zone = zone
        self._traffic = traffic
        self._now = now
        self._began = now()

    async def page(self, request: Request) -> Response:
        """For people; works without scripts, and asks for nothing from elsewhere."""
        return HTMLResponse(page(await self._snapshot()), headers={**NO_STORE, **PAGE_FIELDS})

    async def json(self, request: Request) -> Response:
        """The same figures for programs."""
        content = msgspec.json.encode(document(await self._snapshot()))
        return Response(content, media_type="application/json", headers=NO_STORE)

    async def _snapshot(self) -> Snapshot:
        return Snapshot(
            version=__version__,
            at=datetime.now(UTC).astimezone(self._zone),
            uptime=self._now() - self._began,
            traffic=self._traffic(),
            upstreams=tuple(self._upstreams()),
            cache=await self._cache(),
            recent=self._recent.latest(),
        )
