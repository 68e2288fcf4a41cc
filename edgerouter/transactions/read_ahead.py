"""Reading ahead: of an instance with many frames those that follow a missing one are fetched before somebody
asks. Nobody waits for them; who asks for one that is on its way joins it."""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from edgerouter.cache.fill import Fill
from edgerouter.errors import RouterError
from edgerouter.http.fields import Fields
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.flying import Flying
from edgerouter.transactions.jobs import Larder
from edgerouter.transactions.promotion import count_of


class ReadAhead:
    """For every instance that is being read at most one fetch ahead at a time."""

    def __init__(self, larder: Larder, flying: Flying) -> None:
        self._larder = larder
        self._flying = flying
        self._windows: WeakValueDictionary[tuple[str, ...], _Window] = WeakValueDictionary()

    async def follow(self, errand: Errand, count: int) -> None:
        """Frames of an errand were missing: begin to fetch the `count` that come next, if there are so many.

        Nothing happens where it is not known how many frames the instance has."""
        fills, resource = self._larder.cache.fills, errand.resource
        frames = await count_of(self._larder.cache.catalog, errand.archive.name, resource)
        first = max(resource.frames) + 1
        last = min(first - 1 + count, frames or 0)
        if first > last:
            return
        key = ("read ahead", *errand.of(replace(resource, frames=())).key)
        window = self._windows.get(key)
        if window and fills.is_under_way(key):
            window.move(first, last)
            return
        window = self._windows[key] = _Window(self._larder, self._flying, errand, first, last)
        async with fills.join(key, window, finish_alone=True):
            pass


class _Window:
    """The frames from `first` to `last`, fetched as few at a time as the archive likes, by a fill that has
    no part of its own."""

    def __init__(self, larder: Larder, flying: Flying, errand: Errand, first: int, last: int) -> None:
        self._larder = larder
        self._flying = flying
        self._errand = errand
        self._first = first
        self._last = last

    def move(self, first: int, last: int) -> None:
        """The reader is somewhere else now: what he does not come to is left alone."""
        self._first, self._last = first, last

    async def __call__(self, fill: Fill) -> None:
        await fill.begin(200, Fields())
        while self._first <= self._last:
            numbers = self._next()
            missing = await self._missing(numbers)
            try:
                if missing and not await self._fetched(missing):
                    return
            except RouterError:
                return  # who asks for these frames is told why they cannot be had

    def _next(self) -> range:
        archive = self._errand.archive
        one_by_one = archive.name in self._larder.unlocated
        most = 1 if one_by_one else archive.profile.frames_batch or self._last
        numbers = range(self._first, min(self._first + most - 1, self._last) + 1)
        self._first = numbers.stop
        return numbers

    async def _missing(self, numbers: Sequence[int]) -> list[int]:
        errand = self._errand
        resource = replace(errand.resource, frames=tuple(numbers))
        names = [str(number) for number in numbers]
        found = await self._larder.look_up.units(errand.archive.name, resource, names, errand.wanted)
        return [number for number, unit in zip(numbers, found.units, strict=True) if unit is None]

    async def _fetched(self, numbers: Sequence[int]) -> bool:
        """Fetch some frames, together with whoever asks for them; False when they may not be kept."""
        jobs = self._flying.jobs(self._larder, self._errand, numbers, again=True)
        for job in dict.fromkeys(jobs.values()):
            async with self._larder.cache.fills.join(job.key, job, finish_alone=True) as follower:
                await follower.head()
                if not follower.stored:
                    return False
                async for _ in follower.parts():
                    pass
        return True
