"""Page and metrics tell the same figures."""

import pytest

from edgerouter import metrics
from edgerouter.admin.figures import Traffic, no_cache, traffic


def test_traffic_is_what_the_metrics_say() -> None:
    before = traffic()
    metrics.REQUESTS.labels("search", "collection", "200").inc(2)
    metrics.REQUESTS.labels("none", "none", "404").inc()
    metrics.SENT_BYTES.labels("retrieve").inc(1000)
    metrics.UPSTREAM_BYTES.labels("figures-a", "retrieve").inc(200)
    metrics.UPSTREAM_BYTES.labels("figures-b", "search").inc(100)
    metrics.CACHE_REQUESTS.labels("frames", "hit").inc(3)
    metrics.CACHE_REQUESTS.labels("frames", "miss").inc()
    metrics.CACHE_REQUESTS.labels("dicom", "partial").inc()
    metrics.CACHE_REQUESTS.labels("collection", "bypass").inc(100)
    with metrics.ACTIVE.track_inprogress():
        after = traffic()

    assert after.requests - before.requests == 3
    assert after.active - before.active == 1
    assert after.saved - before.saved == 1000 - 300
    assert (after.hits - before.hits, after.forwarded - before.forwarded) == (3, 2)


@pytest.mark.parametrize(("hits", "forwarded", "ratio"), [(0, 0, None), (0, 4, 0.0), (3, 1, 0.75)])
def test_there_is_no_hit_ratio_before_the_first_answer(
    hits: int, forwarded: int, ratio: float | None
) -> None:
    assert Traffic(0, 0, 0, 0, hits, forwarded).hit_ratio == ratio


def test_more_fetched_than_sent_is_told_as_it_is() -> None:
    assert Traffic(1, 0, sent=10, received=30, hits=0, forwarded=1).saved == -20


async def test_a_router_without_a_cache_says_so() -> None:
    assert await no_cache() is None
