"""A body closes what it was read from, however far it was read."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from edgerouter.errors import Cut
from edgerouter.transactions.streams import OwnedBody


class Exchange:
    """Remembers that it was closed, and after what."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.events: list[str] = []
        self.fault = fault

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"a"
            yield b"b"
            if self.fault:
                raise self.fault
        finally:
            self.events.append("body")

    def body(self) -> OwnedBody:
        stack = AsyncExitStack()
        stack.callback(self.events.append, "exchange")
        return OwnedBody(self.chunks(), stack)


async def test_a_body_read_to_its_end_is_closed() -> None:
    exchange = Exchange()
    assert [chunk async for chunk in exchange.body()] == [b"a", b"b"]
    assert exchange.events == ["body", "exchange"]


async def test_a_body_that_breaks_off_is_closed() -> None:
    exchange = Exchange(Cut("x"))
    with pytest.raises(Cut):
        [chunk async for chunk in exchange.body()]
    assert exchange.events == ["body", "exchange"]


async def test_a_body_left_in_the_middle_is_closed() -> None:
    exchange = Exchange()
    body = exchange.body()
    assert await anext(body) == b"a"
    await body.aclose()
    assert exchange.events == ["body", "exchange"]


async def test_a_body_of_which_nothing_was_read_closes_its_exchange() -> None:
    exchange = Exchange()
    await exchange.body().aclose()
    assert exchange.events == ["exchange"]


async def test_closing_twice_is_closing_once() -> None:
    exchange = Exchange()
    body = exchange.body()
    await body.aclose()
    await body.aclose()
    assert exchange.events == ["exchange"]
