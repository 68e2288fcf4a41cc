"""Slots and the queue before them."""

import asyncio

import pytest

from edgerouter.errors import Overloaded
from edgerouter.upstream.limiter import Limiter


async def hold(limiter: Limiter, go: asyncio.Event) -> None:
    async with limiter.slot():
        await go.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_full_queue_refuses_at_once() -> None:
    limiter, go = Limiter("north", 1, patience=60, queue=2), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(hold(limiter, go))
        await settle()

        assert (limiter.busy, limiter.waiting) == (1, 2)
        with pytest.raises(Overloaded):
            await hold(limiter, go)
        go.set()

    assert (limiter.busy, limiter.waiting) == (0, 0)


async def test_who_waits_too_long_is_refused_and_loses_nobody_a_slot() -> None:
    limiter, go = Limiter("north", 1, patience=0.01), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(limiter, go))
        await settle()
        with pytest.raises(Overloaded):
            await hold(limiter, go)
        go.set()

    await hold(limiter, go)
    assert (limiter.busy, limiter.waiting) == (0, 0)


async def test_a_waiter_cancelled_as_its_turn_comes_passes_the_turn_on() -> None:
    limiter, go, done = Limiter("north", 1, patience=60), asyncio.Event(), asyncio.Event()
    done.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(limiter, go))
        await settle()
        second = group.create_task(hold(limiter, done))
        third = group.create_task(hold(limiter, done))
        await settle()
        go.set()
        await asyncio.sleep(0)  # the first lets go; the second has been given its turn and not yet taken it
        second.cancel()
        await asyncio.wait([third], timeout=5)

        assert third.done()
    assert (limiter.busy, limiter.waiting) == (0, 0)
