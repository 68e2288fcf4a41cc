"""What all searches under way may hold together is bounded, in turn, and given back."""

import asyncio

import pytest

from edgerouter.transactions.allowance import EACH, Allowance


class Search:
    """One that holds its portion until it is let go."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.let_in, self.go_on = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        async with self.allowance.portion():
            self.let_in.set()
            await self.go_on.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_would_exceed_it_waits_and_they_are_let_in_as_they_came() -> None:
    allowance = Allowance(2 * EACH)
    searches = [Search(allowance) for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for search in searches:
            group.create_task(search.run())
        await settle()
        assert [search.let_in.is_set() for search in searches] == [True, True, False, False]
        searches[1].go_on.set()
        await settle()
        assert [search.let_in.is_set() for search in searches] == [True, True, True, False]
        for search in searches:
            search.go_on.set()

    assert allowance.held == 0


async def test_what_a_search_takes_counts() -> None:
    allowance = Allowance(3 * EACH)
    other = Search(allowance)
    async with asyncio.TaskGroup() as group:
        async with allowance.portion() as portion:
            portion.add(EACH // 2)
            assert allowance.held == EACH  # within what was set aside
            portion.add(3 * EACH)
            group.create_task(other.run())
            await settle()
            assert not other.let_in.is_set()
        await other.let_in.wait()
        other.go_on.set()

    assert allowance.held == 0


async def test_a_search_larger_than_all_is_let_in_alone() -> None:
    async with Allowance(1).portion() as portion:
        assert portion.held == 0


async def test_who_gives_up_waiting_is_in_nobody_s_way() -> None:
    allowance = Allowance(EACH)
    first, last = Search(allowance), Search(allowance)
    async with asyncio.TaskGroup() as group:
        group.create_task(first.run())
        await first.let_in.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), allowance.portion():
                raise AssertionError("there is no room")
        group.create_task(last.run())
        first.go_on.set()
        await last.let_in.wait()
        last.go_on.set()

    assert allowance.held == 0


async def test_a_search_that_fails_gives_back_what_it_held() -> None:
    allowance = Allowance()

    async def fail() -> None:
        async with allowance.portion() as portion:
            portion.add(9 * EACH)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert allowance.held == 0
