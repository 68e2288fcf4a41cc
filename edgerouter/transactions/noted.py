"""What was learnt and may be forgotten: the last few things noted, in bounded memory."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_MOST = 10_000


class Noted(Generic[K, V]):
    """A mapping that forgets what was noted, or noted again, longest ago."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._things: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._things

    def get(self, key: K) -> V | None:
        return self._things.get(key)

    def note(self, key: K, value: V) -> None:
        self._things[key] = value
        self._things.move_to_end(key)
        if len(self._things) > self._most:
            self._things.popitem(last=False)
