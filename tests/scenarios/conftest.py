"""The whole router is tried on the loop that it runs on. Where connections end, break or wait, on asyncio's
own, too: what the two do on close and reset differs."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from edgerouter.parsing.describer import Describer

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


@pytest.fixture(scope="session")
def spare() -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Reading processes that no router has."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def reading_processes_are_handed_on(
    monkeypatch: pytest.MonkeyPatch, spare: "list[subprocess.Popen[bytes]]"
) -> None:
    """They hold no state, and to start one takes longer than most tests: one router's serves the next."""
    start = Describer._started

    def taken(self: Describer) -> "subprocess.Popen[bytes]":
        while spare:
            process = self._process = spare.pop()
            if process.poll() is None:
                return process
        return start(self)

    async def given_back(self: Describer) -> None:
        await self._threads.aclose()
        process, self._process = self._process, None
        if process is not None:
            spare.append(process)

    monkeypatch.setattr(Describer, "_started", taken)
    monkeypatch.setattr(Describer, "aclose", given_back)
