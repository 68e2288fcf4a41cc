"""Units on their way into the cache: a fill may have ended, or been left by its readers, before.

Who would fetch one of them anew waits for it instead (law 4)."""

from collections import Counter

from edgerouter.cache.bell import Bell
from edgerouter.cache.unit import UnitKey


class Adopting:
    """Counts them by instance; no two fills bring the same unit at a time, but several of an instance."""

    def __init__(self) -> None:
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._ended = Bell()

    def begin(self, key: UnitKey) -> None:
        self._under_way[key.upstream, key.instance] += 1

    def end(self, key: UnitKey) -> None:
        place = (key.upstream, key.instance)
        self._under_way[place] -= 1
        if not self._under_way[place]:
            del self._under_way[place]
        self._ended.ring()

    async def over(self, upstream: str, instance: str) -> None:
        """Wait until no unit of the instance is on its way."""
        while (upstream, instance) in self._under_way:
            await self._ended.wait()
