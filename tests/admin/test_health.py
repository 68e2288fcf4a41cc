"""Supervisors are told whether the process lives, load balancers whether it can work, people why not."""

from starlette.applications import Starlette
from starlette.routing import Route

from edgerouter.admin import CacheStatus, Check, Readiness, UpstreamStatus, cache_check
from edgerouter.admin.health import healthz
from tests.admin.examples import DOWN, Stats, upstream
from tests.support.inside import ask
from tests.support.listening import listening


async def readiness(checks: dict[str, Check], *upstreams: UpstreamStatus) -> tuple[int, str]:
    ready = Readiness(checks, lambda: upstreams)
    async with listening(Starlette(routes=[Route("/readyz", ready.readyz)])) as edge:
        response = await ask(edge, "/readyz")
    assert response.get("cache-control") == "no-store"
    return response.status, response.body.decode()


async def nothing() -> str | None:
    return None


async def test_the_process_answers() -> None:
    async with listening(Starlette(routes=[Route("/healthz", healthz)])) as edge:
        response = await ask(edge, "/healthz")

    assert (response.status, response.body, response.get("cache-control")) == (200, b"ok\n", "no-store")


async def test_it_is_ready_when_every_check_passes() -> None:
    assert await readiness({"cache": nothing}, upstream()) == (200, "ready\n")


async def test_upstreams_that_are_down_are_named_and_it_is_ready_all_the_same() -> None:
    resting = upstream(name="west", state="resting")

    assert await readiness({}, upstream(), DOWN, resting) == (
        200,
        "ready\nupstream south: ejected (ConnectError ECONNREFUSED)\nupstream west: resting\n",
    )


async def test_what_cannot_be_used_is_said_and_it_is_not_ready() -> None:
    async def full() -> str | None:
        return "its folder is gone"

    assert await readiness({"cache": nothing, "spool": full}, DOWN) == (
        503,
        "not ready\nspool: its folder is gone\nupstream south: ejected (ConnectError ECONNREFUSED)\n",
    )


async def test_a_cache_that_cannot_write_is_not_usable() -> None:
    async def said(status: CacheStatus | None) -> str | None:
        async def read() -> CacheStatus | None:
            return status

        return await cache_check(read)()

    assert await said(Stats(paused=True)) == "a write failed a moment ago, nothing is kept for now"
    assert await said(Stats()) is None
    assert await said(None) is None
