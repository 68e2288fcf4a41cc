"""The single-flight table: one fetch for one thing, whoever asks meanwhile joins it."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from edgerouter.cache.bell import Bell
from edgerouter.cache.fill import Fetch, Fill
from edgerouter.cache.follower import Follower
from edgerouter.cache.means import Means
from edgerouter.http.fields import Fields

HIT_FOR_MISS = 60.0  # seconds for which a key whose answer may not be kept is fetched by each for himself
_REFUSALS = 10_000  # keys remembered


class Fills:
    """The fills of one cache."""

    def __init__(self, means: Means, clock: Callable[[], float] = time.monotonic) -> None:
        self._means = means
        self._clock = clock
        self._table: dict[Hashable, Fill] = {}
        self._live: set[Fill] = set()
        self._refusals: OrderedDict[Hashable, float] = OrderedDict()
        self._ended = Bell()

    @property
    def live(self) -> int:
        """How many fetches are under way."""
        return len(self._live)

    def is_under_way(self, key: Hashable) -> bool:
        """Whether who joins now follows a fetch that another has begun."""
        return key in self._table

    def newest(self, key: Hashable, most: int) -> list[Fields]:
        """The fields of the last few parts that have begun in the fill of `key`, in their order."""
        fill = self._table.get(key)
        return [part.fields for part in fill.parts[-most:]] if fill else []

    async def adopted(self, upstream: str, instance: str) -> None:
        """Wait until no unit of the instance is on its way into the cache, out of a fill that nobody can
        join any more."""
        await self._means.adopting.over(upstream, instance)

    @asynccontextmanager
    async def join(
        self, key: Hashable, fetch: Fetch, *, finish_alone: bool = False
    ) -> AsyncIterator[Follower]:
        """Follow the fill of `key`, which is begun with `fetch` if none is under way.

        The fetch runs as a task of the app. It looks first whether the thing is held by now, and hands
        that on (`Fill.held`): between the caller's look-up and this call another fill may have ended.
        With `finish_alone` it goes on to its end even if every reader leaves. The key decides what is
        shared: callers who may not see the same must not use the same.
        """
        fill = self._table.get(key)
        collapsed = fill is not None
        if fill is None:
            fill = self._begun(key, fetch)
        self._means.counts.collapsed += collapsed
        place = fill.follow(finish_alone=finish_alone)
        try:
            yield Follower(fill, place, collapsed)
        finally:
            fill.leave(place)

    async def close(self) -> None:
        """Give up what is being fetched; what is whole stays."""
        for fill in list(self._live):
            fill.stop()
        while self._live:
            await self._ended.wait()

    def _begun(self, key: Hashable, fetch: Fetch) -> Fill:
        shared = not self._is_refused(key)
        fill = Fill(
            fetch,
            self._means,
            keeping=shared,
            refused=lambda: self._refuse(key),
            closed=lambda: self._close(key, fill),
        )
        if shared:
            self._table[key] = fill
        self._live.add(fill)
        self._means.counts.fills += 1
        self._means.start(self._run(fill), name="cache fill")
        return fill

    async def _run(self, fill: Fill) -> None:
        try:
            await fill.run()
        finally:
            self._live.discard(fill)
            self._ended.ring()

    def _close(self, key: Hashable, fill: Fill) -> None:
        if self._table.get(key) is fill:
            del self._table[key]

    def _is_refused(self, key: Hashable) -> bool:
        until = self._refusals.get(key)
        if until is not None and self._clock() < until:
            return True
        self._refusals.pop(key, None)
        return False

    def _refuse(self, key: Hashable) -> None:
        self._refusals[key] = self._clock() + HIT_FOR_MISS
        self._refusals.move_to_end(key)
        if len(self._refusals) > _REFUSALS:
            self._refusals.popitem(last=False)
