"""How much the router adds to a search over several archives, in time and in memory."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.archive import Archive, archives
from tests.bench.client import Client, Timed, quantile
from tests.support.router import Router

ROOT = "/dicomweb"
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def router_over(
    found: Sequence[Archive], rules: str = "", settings: dict[str, Any] | None = None
) -> Iterator[Router]:
    """The router in a process of its own, without a cache."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        overrides: dict[str, Any] = {"cache": {"path": "cache", "size": "0 B"}}
        if rules:
            Path(folder, "rules.yaml").write_text(rules)
            overrides["rules"] = ["rules.yaml"]
        names = {f"s{place}": {"url": one.url, **(settings or {})} for place, one in enumerate(found)}
        with Router(Path(folder), names, overrides) as router:
            yield router


def port_of(router: Router) -> int:
    return int(router.url.rpartition(":")[2])


def cpu(router: Router) -> float:
    """Seconds of processor time the router has used."""
    fields = Path(f"/proc/{router.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def checked(answer: Timed) -> Timed:
    assert answer.status == 200, answer.head
    assert b"did not answer" not in answer.head, answer.head
    return answer


async def added(count: int, rows: int, query: str, rounds: int, spread: float = 0.0) -> dict[str, str]:
    """Times of one search after the other, each different, beside those of the archives themselves, which
    answer all at the same moment, or one after the other, `spread` seconds apart."""
    with archives(count, rows, 0.05, spread=spread) as found, router_over(found) as router:
        async with Client(port_of(router)) as client:
            more, through, before = [], [], 0.0
            for number in range(rounds + 5):
                if number == 5:  # the first few warm up both sides
                    before = cpu(router)
                alone = []
                for one in found:
                    async with Client(one.port) as direct:
                        alone.append((await direct.ask(f"/dw/studies?limit=5000&warm={number}")).seconds)
                target = f"{ROOT}/studies?PatientName=N{number}*{query}"
                seconds = checked(await client.ask(target)).seconds
                if number >= 5:
                    through.append(seconds)
                    more.append(seconds - max(alone))
            used = (cpu(router) - before) / rounds
            return {
                "added median": f"{quantile(more, 0.5) * 1000:.1f} ms",
                "added p95": f"{quantile(more, 0.95) * 1000:.1f} ms",
                "whole median": f"{quantile(through, 0.5) * 1000:.1f} ms",
                "router CPU a search": f"{used * 1000:.1f} ms",
                "router RSS": f"{router.rss() / 1e6:.0f} MB",
            }


PATIENT_RULES = """
rules:
  - name: patient
    match: {transaction: search}
    route: {upstreams: [s0, s1, s2, s3], deadline: 120s}
"""


async def many_at_once(count: int, rows: int, searches: int, waves: int = 3) -> dict[str, str]:
    """Waves of different searches, all of a wave at once."""
    with archives(count, rows, 0.05) as found, router_over(found, PATIENT_RULES) as router:
        peak, walls, each = 0, [], []

        async def one(number: int) -> float:
            async with Client(port_of(router)) as client:
                target = f"{ROOT}/studies?PatientName=W{number}*&limit=100"
                return checked(await client.ask(target)).seconds

        async with Client(port_of(router)) as lone:
            alone = [
                checked(await lone.ask(f"{ROOT}/studies?PatientName=L{n}*&limit=100")).seconds
                for n in range(10)
            ]
        for wave in range(waves):
            began = time.perf_counter()
            asking = asyncio.gather(*(one(wave * searches + number) for number in range(searches)))
            while not asking.done():
                peak = max(peak, router.rss())
                await asyncio.sleep(0.05)
            each += await asking
            walls.append(time.perf_counter() - began)
        return {
            "searches a second": f"{searches / quantile(walls, 0.5):.0f}",
            "one after the other": f"{1 / quantile(alone, 0.5):.0f} a second",
            "median": f"{quantile(each, 0.5):.2f} s",
            "p95": f"{quantile(each, 0.95):.2f} s",
            "router RSS, highest": f"{peak / 1e6:.0f} MB",
            "router RSS, after": f"{router.rss() / 1e6:.0f} MB",
        }


STOPPED_RULES = """
rules:
  - name: four
    match: {transaction: search, query: {StudyDescription: FOUR}}
    route: {upstreams: [s0, s1, s2, s3]}
  - name: all
    match: {transaction: search}
    route: {upstreams: [s0, s1, s2, s3, s4], deadline: 2s}
"""


async def one_stopped(rows: int, rounds: int) -> dict[str, str]:
    """Searches of four of five archives, while others that ask all five are under way, before and after
    the fifth is stopped (SIGSTOP)."""
    with archives(5, rows, 0.05) as found, router_over(found, STOPPED_RULES) as router:
        port = port_of(router)
        before = await _under_load(port, rounds, "B")
        os.kill(found[4].process.pid, signal.SIGSTOP)
        try:
            after = await _under_load(port, rounds, "A")
        finally:
            os.kill(found[4].process.pid, signal.SIGCONT)
        ratio = quantile(after, 0.95) / quantile(before, 0.95)
        return {
            "p95 before": f"{quantile(before, 0.95) * 1000:.0f} ms",
            "p95 with one stopped": f"{quantile(after, 0.95) * 1000:.0f} ms",
            "ratio": f"{ratio:.2f}",
            "median before": f"{quantile(before, 0.5) * 1000:.0f} ms",
            "median with one stopped": f"{quantile(after, 0.5) * 1000:.0f} ms",
        }


async def _under_load(port: int, rounds: int, mark: str) -> list[float]:
    """Times of searches that do not need the fifth archive, beside four clients whose searches do."""
    done = asyncio.Event()

    async def needs_all(who: int) -> None:
        number = 0
        async with Client(port) as client:
            while not done.is_set():
                await client.ask(f"{ROOT}/studies?PatientName={mark}{who}.{number}*&limit=20")
                number += 1
                await asyncio.sleep(0.1)

    async def needs_four() -> list[float]:
        times = []
        async with Client(port) as client:
            for number in range(rounds):
                target = f"{ROOT}/studies?StudyDescription=FOUR&PatientName={mark}{number}*&limit=20"
                times.append(checked(await client.ask(target)).seconds)
        done.set()
        return times

    async with asyncio.TaskGroup() as group:
        for who in range(4):
            group.create_task(needs_all(who))
        asking = group.create_task(needs_four())
    return asking.result()
