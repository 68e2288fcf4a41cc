"""Everything of metrics.py in the Prometheus text format; what others own is read when it is scraped."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from edgerouter import metrics
from edgerouter.admin.figures import CacheStatus, ReadCache
from edgerouter.admin.headers import NO_STORE


class Exposition:
    """The metrics endpoint."""

    def __init__(self, cache: ReadCache) -> None:
        self._cache = cache

    async def metrics(self, request: Request) -> Response:
        """One scrape."""
        content = generate_latest(metrics.REGISTRY)
        cache = await self._cache()
        if cache is not None:
            content += generate_latest(_Cache(cache))
        return Response(content, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4, **NO_STORE})


class _Cache:
    def __init__(self, cache: CacheStatus) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        cache = self._cache
        gauges = (
            (metrics.CACHE_BYTES, cache.bytes),
            (metrics.CACHE_FILLING_BYTES, cache.filling),
            (metrics.CACHE_SIZE_BYTES, cache.size),
            (metrics.CACHE_UNITS, cache.units),
            (metrics.CACHE_STUDIES, cache.studies),
            (metrics.CACHE_PAUSED, cache.paused),
            (metrics.CACHE_PINNED_BYTES, cache.pinned.bytes),
            (metrics.CACHE_PINNED_STUDIES, cache.pinned.studies),
            (metrics.CACHE_PINS_FULL, cache.pinned.crowded),
        )
        yield from (GaugeMetricFamily(*named, value=value) for named, value in gauges)
        used = GaugeMetricFamily(*metrics.CACHE_UPSTREAM_BYTES, labels=["upstream"])
        quotas = GaugeMetricFamily(*metrics.CACHE_QUOTA_BYTES, labels=["upstream"])
        for share in cache.shares:
            used.add_metric([share.upstream], share.bytes)
            if share.quota is not None:
                quotas.add_metric([share.upstream], share.quota)
        yield from (used, quotas)
        hits = CounterMetricFamily(*metrics.CACHE_UNIT_HITS, labels=["unit"])
        for kind, number in cache.counts.hits.items():
            hits.add_metric([str(kind)], number)
        yield hits
        counters = (
            (metrics.CACHE_UNIT_MISSES, cache.counts.misses),
            (metrics.CACHE_FILLS, cache.counts.fills),
            (metrics.CACHE_COLLAPSED, cache.counts.collapsed),
            (metrics.CACHE_PASSED, cache.counts.passed),
            (metrics.CACHE_ADOPTED, cache.counts.adopted),
            (metrics.CACHE_EVICTED, cache.counts.evicted),
            (metrics.CACHE_PURGED, cache.counts.purged),
            (metrics.CACHE_VERIFIED, cache.verified),
            (metrics.CACHE_DAMAGED, cache.counts.damaged),
            (metrics.CACHE_ERRORS, cache.counts.errors),
        )
        yield from (CounterMetricFamily(*named, value=value) for named, value in counters)
