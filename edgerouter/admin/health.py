"""Health for supervisors and load balancers: whether the process answers, and whether it can do its work."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from edgerouter.admin.figures import ReadCache, ReadUpstreams, UpstreamStatus
from edgerouter.admin.headers import NO_STORE

Check = Callable[[], Awaitable[str | None]]
"""Why a part of the router is not usable, in words for an operator; None while it is."""


async def healthz(request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n", headers=NO_STORE)


class Readiness:
    """Ready while every check passes. Upstreams may be down: they are named and change nothing."""

    def __init__(self, checks: Mapping[str, Check], upstreams: ReadUpstreams) -> None:
        self._checks = checks
        self._upstreams = upstreams

    async def readyz(self, request: Request) -> Response:
        """200 when ready, else 503; either way a line for each thing that is not usable."""
        found = [(name, await check()) for name, check in self._checks.items()]
        unusable = [f"{name}: {why}" for name, why in found if why is not None]
        down = [_told(upstream) for upstream in self._upstreams() if not upstream.is_up]
        lines = ["not ready" if unusable else "ready", *unusable, *down, ""]
        return PlainTextResponse("\n".join(lines), 503 if unusable else 200, headers=NO_STORE)


def cache_check(cache: ReadCache) -> Check:
    """Whether what is fetched can be kept."""

    async def check() -> str | None:
        status = await cache()
        paused = status is not None and status.paused
        return "a write failed a moment ago, nothing is kept for now" if paused else None

    return check


def _told(upstream: UpstreamStatus) -> str:
    why = f" ({upstream.last_error})" if upstream.last_error else ""
    return f"upstream {upstream.name}: {upstream.state}{why}"
