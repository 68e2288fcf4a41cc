"""What Prometheus scrapes: the metrics, and what the cache says at that moment."""

from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from edgerouter.admin import CacheStatus, Exposition, ReadCache, no_cache
from tests.admin.examples import Stats
from tests.support.inside import ask
from tests.support.listening import listening
from tests.support.raw_client import RawResponse


async def full_cache() -> CacheStatus | None:
    return Stats(paused=True)


async def scraped(cache: ReadCache) -> RawResponse:
    async with listening(Starlette(routes=[Route("/metrics", Exposition(cache).metrics)])) as edge:
        return await ask(edge, "/metrics")


def samples(response: RawResponse) -> dict[str, float]:
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.body.decode())
        for sample in family.samples
    }


async def test_a_scrape_is_text_that_prometheus_reads() -> None:
    response = await scraped(no_cache)

    assert response.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert response.get("cache-control") == "no-store"
    assert samples(response)["edgerouter_active_requests"] == 0
    assert samples(response)["process_resident_memory_bytes"] > 0


async def test_a_cache_is_told_as_it_is_at_the_scrape() -> None:
    found = samples(await scraped(full_cache))

    assert {name: value for name, value in found.items() if name.startswith("edgerouter_cache_")} == {
        "edgerouter_cache_bytes": 700_000_000,
        "edgerouter_cache_filling_bytes": 50_000_000,
        "edgerouter_cache_size_bytes": 1_000_000_000,
        "edgerouter_cache_units": 1234,
        "edgerouter_cache_studies": 56,
        "edgerouter_cache_paused": 1,
        "edgerouter_cache_upstream_bytes/north": 600_000_000,
        "edgerouter_cache_upstream_bytes/south": 100_000_000,
        "edgerouter_cache_quota_bytes/south": 400_000_000,
        "edgerouter_cache_pinned_bytes": 80_000_000,
        "edgerouter_cache_pinned_studies": 3,
        "edgerouter_cache_pins_full": 0,
        "edgerouter_cache_purged_total": 37,
        "edgerouter_cache_verified_total": 38,
        "edgerouter_cache_unit_hits_total/instance": 11,
        "edgerouter_cache_unit_hits_total/frame": 22,
        "edgerouter_cache_unit_hits_total/rendition": 0,
        "edgerouter_cache_unit_misses_total": 31,
        "edgerouter_cache_fills_total": 34,
        "edgerouter_cache_collapsed_total": 35,
        "edgerouter_cache_passed_total": 36,
        "edgerouter_cache_adopted_total": 32,
        "edgerouter_cache_evicted_total": 33,
        "edgerouter_cache_damaged_total": 0,
        "edgerouter_cache_errors_total": 0,
        **{name: value for name, value in found.items() if name.startswith("edgerouter_cache_requests")},
    }


async def test_without_a_cache_there_are_no_figures_of_one() -> None:
    found = samples(await scraped(no_cache))

    assert not [name for name in found if name.startswith("edgerouter_cache_bytes")]
