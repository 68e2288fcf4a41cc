"""The wiring: what is told of a request that was answered."""

from edgerouter import metrics
from edgerouter.admin import Recent
from edgerouter.app import observing
from tests.admin.examples import access


def test_an_answer_is_counted_and_remembered() -> None:
    recent = Recent()
    before = metrics.total(metrics.REQUESTS, transaction="retrieve", resource="volume", status="206")
    observing(recent)(access(resource="volume", status=206))

    assert (
        metrics.total(metrics.REQUESTS, transaction="retrieve", resource="volume", status="206") == before + 1
    )
    assert [answered.status for answered in recent.latest()] == [206]


def test_what_was_refused_before_it_was_understood_is_counted_as_such() -> None:
    before = metrics.total(metrics.REQUESTS, transaction="none", resource="none", status="none")
    observing(Recent())(access(transaction=None, resource=None, template=None, status=None))

    assert metrics.total(metrics.REQUESTS, transaction="none", resource="none", status="none") == before + 1


def test_what_the_cache_did_is_counted_in_its_own_word() -> None:
    before = metrics.total(metrics.CACHE_REQUESTS)
    for cache in ("partial", "partial", None):
        observing(Recent())(access(resource="volume", cache=cache))

    assert metrics.total(metrics.CACHE_REQUESTS) == before + 2
    assert metrics.total(metrics.CACHE_REQUESTS, resource="volume", outcome="partial") == 2


def test_the_routers_own_pages_are_neither() -> None:
    recent, before = Recent(), metrics.total(metrics.REQUESTS)
    observing(recent)(access(transaction=None, resource=None, template="/status"))

    assert (recent.latest(), metrics.total(metrics.REQUESTS)) == ((), before)
