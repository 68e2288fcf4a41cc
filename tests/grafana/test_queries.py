"""Every query of the dashboard, run by a real Prometheus that scraped a router at work."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client import Counter, Gauge, Histogram
from starlette.applications import Starlette
from starlette.routing import Route

from edgerouter import metrics
from edgerouter.admin import CacheStatus, Exposition
from tests.admin.examples import Stats
from tests.grafana.dashboard import filled_in, metrics_in, queries
from tests.grafana.traffic import RULES, archive, traffic
from tests.support.apart import apart
from tests.support.listening import listening
from tests.support.prometheus import Prometheus, PrometheusMissing, Refused
from tests.support.router import Router
from tests.support.scripted import ScriptedUpstream, closed_port

# What a router over two upstreams, each request sent to one of them, and without a cache, has no series of.
MAY_BE_EMPTY = {
    "edgerouter_cache_": "there is no cache in this router",
    "edgerouter_search_": "no search was federated",
    "edgerouter_located": "every route of this router has one upstream",
    "edgerouter_failovers": "every route of this router has one upstream",
}
VALUES = {"status": "500", "outcome": "http_response_timeout"}  # where a query asks for certain ones


def failed(prometheus: Prometheus, instance: str) -> dict[str, str]:
    """What is wrong with the answer to each query with whose answer something is."""
    found = {query: answer(prometheus, filled_in(query, instance)) for query in queries()}
    return {query: what for query, what in found.items() if what}


def answer(prometheus: Prometheus, expression: str) -> str:
    try:
        series = prometheus.query(expression)
    except Refused as refused:
        return str(refused)
    if not series:
        return "no series"
    return "no number" if all(math.isnan(float(one["value"][1])) for one in series) else ""


def may_be_empty(query: str) -> bool:
    return all(name.startswith(tuple(MAY_BE_EMPTY)) for name in metrics_in(query))


@asynccontextmanager
async def scraping(folder: Path, **targets: int) -> AsyncIterator[Prometheus]:
    try:
        async with apart(Prometheus(folder, targets)) as prometheus:
            yield prometheus
    except PrometheusMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@asynccontextmanager
async def router(folder: Path) -> AsyncIterator[int]:
    """The port of a router at work, a process of its own."""
    (folder / "rules.yaml").write_text(json.dumps(RULES))
    async with ScriptedUpstream(archive) as upstream:
        upstreams = {"here": f"{upstream.url}/rs", "gone": f"http://127.0.0.1:{closed_port()}/rs"}
        async with apart(Router(folder, upstreams, {"rules": ["rules.yaml"]})) as running:
            yield urlsplit(running.url).port or 0


@asynccontextmanager
async def every_metric() -> AsyncIterator[int]:
    """The port of this process's own exposition, over a full cache."""

    async def cache() -> CacheStatus | None:
        return Stats()

    async with listening(Starlette(routes=[Route("/metrics", Exposition(cache).metrics)])) as edge:
        yield edge.port


async def test_every_query_is_answered_by_a_real_prometheus(short_path: Path) -> None:
    async with (
        router(short_path) as at_work,
        every_metric() as moved,
        scraping(short_path / "prometheus", router=at_work, every=moved) as prometheus,
    ):
        for _ in range(2):  # a rate is made of what happens between two scrapes
            await traffic(at_work)
            everything()
            await asyncio.to_thread(prometheus.scraped, 2)
        wrong = await asyncio.to_thread(failed, prometheus, "router")
        wrong_of_every = await asyncio.to_thread(failed, prometheus, "every")

    assert {query: what for query, what in wrong.items() if not may_be_empty(query)} == {}
    assert set(wrong.values()) <= {"no series"}
    assert wrong_of_every == {}


def everything() -> None:
    """Every metric gets a series, and every series moves."""
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Histogram | Gauge):
            labels = {name: VALUES.get(name, "some") for name in metric._labelnames}
            series = metric.labels(**labels) if labels else metric
            series.observe(0.02) if isinstance(series, Histogram) else series.inc()
    metrics.CACHE_REQUESTS.labels("frames", "hit").inc()
