"""A bounded memory of look-ups, in front of the desk: hot ones are answered without a thread hop."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Index(Generic[K, V]):
    """Least recently used look-ups go first; a look-up that was overtaken by a change is not remembered."""

    def __init__(self, limit: int = 16384) -> None:
        self._known: OrderedDict[K, V] = OrderedDict()
        self._asked: dict[K, object] = {}
        self._limit = limit

    def get(self, key: K) -> V | None:
        value = self._known.get(key)
        if value is not None:
            self._known.move_to_end(key)
        return value

    def ask(self, key: K) -> object:
        """Say that the answer is being looked up; the token is handed back with it."""
        token = self._asked[key] = object()
        return token

    def tell(self, key: K, token: object, value: V | None) -> None:
        """The answer, None if there was none to be had; kept if nothing dropped the key since `ask`."""
        if self._asked.get(key) is not token:
            return
        del self._asked[key]
        if value is None:
            return
        self._known[key] = value
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def drop(self, key: K) -> None:
        """What the key names has changed."""
        self._known.pop(key, None)
        self._asked.pop(key, None)

    def clear(self) -> None:
        self._known.clear()
        self._asked.clear()
