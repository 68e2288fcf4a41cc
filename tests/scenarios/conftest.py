"""The whole router is tried on the loop that it runs on. Where connections end, break or wait, on asyncio's
own, too: what the two do on close and reset differs."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

ENDS = {
    "test_broken_answers",
    "test_cache",
    "test_cache_breaks",
    "test_cache_flight",
    "test_cache_refusals",
    "test_federated_failures",
    "test_refusals",
    "test_retrieve",
    "test_search",
    "test_slow_uploads",
    "test_store",
    "test_store_faults",
    "test_store_pacing",
    "test_storm",
    "test_upstream_failures",
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    own = {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, **own} if item.path.stem in ENDS else own
