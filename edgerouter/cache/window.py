"""The window of a passing fill: what is in memory for its present readers, and no more."""

from collections.abc import Callable, Sequence

from edgerouter.cache.bell import Bell
from edgerouter.cache.part import Part

WINDOW = 4 << 20  # bytes that the slowest reader may lie behind the writer


class Place:
    """How far one reader has got: the part, and the byte in it."""

    __slots__ = ("offset", "part")

    def __init__(self) -> None:
        self.part = 0
        self.offset = 0


class Window:
    """The places of a fill's readers, and the memory they still need."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.places: set[Place] = set()
        self.drained = Bell()  # rung when a reader got further, or left
        self._parts = parts
        self._passed = 0  # parts that every reader has behind him

    async def wait(self, while_: Callable[[], bool]) -> None:
        """Wait as long as the window is full and the condition holds."""
        while while_() and self._used() > WINDOW:
            await self.drained.wait()

    def _used(self) -> int:
        """Bytes in memory that some reader has not had yet; what all had is let go."""
        count = len(self._parts)
        low, offset = min(((place.part, place.offset) for place in self.places), default=(count, 0))
        while self._passed < min(low, count):
            self._parts[self._passed].forget(self._parts[self._passed].size)
            self._passed += 1
        if self._passed < count:
            self._parts[self._passed].forget(offset)
        return sum(part.in_memory for part in self._parts[self._passed :])
