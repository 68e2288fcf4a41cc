"""The desk: one thread, batches in one transaction, nobody hears of a write before its commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from edgerouter.cache.desk import Desk


class Bracket:
    """A transaction that says when it began and ended, and can be told to fail."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.fail_at = ""

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._happens("begin")
        yield
        self._happens("commit")

    def _happens(self, event: str) -> None:
        self.events.append(event)
        if event == self.fail_at:
            raise sqlite3.OperationalError("disk I/O error")


class Gate:
    """Holds the desk's thread until it is opened, so that jobs pile up into one batch."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self) -> None:
        self.open.wait(10)


async def test_jobs_run_in_order_on_one_thread() -> None:
    desk = Desk()
    seen: list[tuple[int, int]] = []
    await asyncio.gather(*(desk.run(lambda n=n: seen.append((n, threading.get_ident()))) for n in range(200)))
    await desk.close(lambda: None)
    assert [number for number, _ in seen] == list(range(200))
    assert len({thread for _, thread in seen}) == 1


async def test_writes_that_wait_together_share_one_transaction() -> None:
    desk, bracket, gate = Desk(), Bracket(), Gate()
    desk.bracket = bracket
    held = asyncio.gather(desk.run(gate))
    await asyncio.sleep(0)
    writes = asyncio.gather(*(desk.write(bracket.events.append, str(n)) for n in range(3)))
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(held, writes)
    await desk.close(lambda: None)
    assert bracket.events == ["begin", "0", "1", "2", "commit"]


async def test_reads_alone_need_no_transaction() -> None:
    desk, bracket = Desk(), Bracket()
    desk.bracket = bracket
    assert await desk.run(lambda: 5) == 5
    await desk.close(lambda: None)
    assert bracket.events == []


async def test_a_job_that_fails_does_not_spoil_the_others() -> None:
    desk, gate = Desk(), Gate()
    held = asyncio.gather(desk.run(gate))
    await asyncio.sleep(0)

    def fail() -> None:
        raise OSError("no")

    outcomes = asyncio.gather(desk.write(fail), desk.write(lambda: 7), return_exceptions=True)
    await asyncio.sleep(0)
    gate.open.set()
    await held
    failed, worked = await outcomes
    await desk.close(lambda: None)
    assert isinstance(failed, OSError)
    assert worked == 7


@pytest.mark.parametrize("moment", ["begin", "commit"])
async def test_when_a_transaction_fails_writers_hear_of_it_and_readers_do_not(moment: str) -> None:
    desk, bracket, gate = Desk(), Bracket(), Gate()
    desk.bracket = bracket
    bracket.fail_at = moment
    held = asyncio.gather(desk.run(gate))
    await asyncio.sleep(0)
    outcomes = asyncio.gather(desk.write(lambda: 1), desk.run(lambda: 2), return_exceptions=True)
    await asyncio.sleep(0)
    gate.open.set()
    await held
    wrote, read = await outcomes
    await desk.close(lambda: None)
    assert isinstance(wrote, sqlite3.OperationalError)
    assert read == 2


async def test_a_write_is_done_even_when_its_asker_has_gone() -> None:
    desk, gate = Desk(), Gate()
    done: list[int] = []
    held = asyncio.gather(desk.run(gate))
    await asyncio.sleep(0)
    async with asyncio.TaskGroup() as group:
        asker = group.create_task(desk.write(done.append, 1))
        await asyncio.sleep(0)
        asker.cancel()
    gate.open.set()
    await held
    await desk.close(lambda: None)
    assert done == [1]


async def test_a_posted_write_that_fails_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()

    def fail() -> None:
        raise OSError("secret")

    desk.post(fail)
    await desk.run(lambda: None)
    await desk.close(lambda: None)
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_closed_desk_refuses_and_does_not_hang() -> None:
    desk = Desk()
    await desk.close(lambda: None)
    desk.post(lambda: None)
    with pytest.raises(OSError, match="closed"):
        await desk.run(lambda: None)


def test_a_desk_whose_loop_has_gone_ends_its_thread() -> None:
    gate = Gate()
    threads: list[threading.Thread] = []

    async def leave() -> None:
        desk = Desk()
        desk.post(gate)
        threads.append(desk._thread)

    asyncio.run(leave())
    with suppress(RuntimeError):
        gate.open.set()
    threads[0].join(10)
    assert not threads[0].is_alive()
