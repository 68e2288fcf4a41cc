"""One answer for simultaneous questions (law 4): who asks what is being found out already waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Work under way, by what it is about. Nothing is remembered once it is done."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Future[T]] = {}

    async def __call__(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of `work`, result or error, or that of the same work somebody else has begun.

        When whoever does it is cancelled, one of those who wait does it anew."""
        while (other := self._under_way.get(key)) is not None:
            await asyncio.wait([other])
            if not other.cancelled():
                return other.result()
        mine: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._under_way[key] = mine
        try:
            result = await work()
        except Exception as error:
            mine.set_exception(error)
            mine.exception()  # seen, also when nobody waits
            raise
        else:
            mine.set_result(result)
            return result
        finally:
            del self._under_way[key]
            mine.cancel()  # a future that is done stays done
