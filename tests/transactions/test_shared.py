"""Simultaneous questions share one answer, whatever becomes of those who asked."""

import asyncio

import pytest

from edgerouter.transactions.shared import Shared


class Work:
    """Counts how often it is done, and waits until it is let go."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.done = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.failure = failure

    async def __call__(self) -> int:
        self.done += 1
        self.begun.set()
        await self.go_on.wait()
        if self.failure:
            raise self.failure
        return self.done


async def test_who_asks_meanwhile_gets_the_same_answer() -> None:
    shared: Shared[int] = Shared()
    work = Work()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(shared("key", work)) for _ in range(5)]
        await work.begun.wait()
        work.go_on.set()

    assert [task.result() for task in tasks] == [1] * 5


async def test_who_asks_afterwards_or_something_else_gets_an_answer_of_its_own() -> None:
    shared: Shared[int] = Shared()
    work = Work()
    work.go_on.set()

    assert [await shared("key", work), await shared("key", work), await shared("other", work)] == [1, 2, 3]


async def test_a_failure_is_everybody_s() -> None:
    shared: Shared[int] = Shared()
    work = Work(failure=ValueError("no"))

    async def ask() -> str:
        with pytest.raises(ValueError, match="no") as caught:
            await shared("key", work)
        return str(caught.value)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask()) for _ in range(3)]
        await work.begun.wait()
        work.go_on.set()

    assert [task.result() for task in tasks] == ["no"] * 3
    assert work.done == 1


async def test_when_the_first_leaves_another_does_the_work() -> None:
    shared: Shared[int] = Shared()
    work = Work()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(shared("key", work))
        await work.begun.wait()
        others = [group.create_task(shared("key", work)) for _ in range(3)]
        await asyncio.sleep(0)
        work.begun.clear()
        first.cancel()
        await work.begun.wait()
        work.go_on.set()

    assert first.cancelled()
    assert [task.result() for task in others] == [2] * 3


async def test_one_of_those_who_wait_may_leave() -> None:
    shared: Shared[int] = Shared()
    work = Work()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(shared("key", work))
        await work.begun.wait()
        second = group.create_task(shared("key", work))
        await asyncio.sleep(0)
        second.cancel()
        work.go_on.set()

    assert first.result() == 1
    assert second.cancelled()
