"""What an archive refuses for now: fields that it does not know, asked for once, answered 400 and left out
for a while; and to be asked at all, for as long as it says."""

import time
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import replace

from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level
from edgerouter.errors import Received
from edgerouter.upstream.health import retry_after

LIFETIME = 3600.0  # seconds; an archive may be updated
CAPACITY = 1000

_Key = tuple[str, Level | None, bool, frozenset[tuple[str, ...]]]


class Refusals:
    """Which sets of fields which archive refuses at which level. A set as a whole: which of its fields is to
    blame is not said, and a viewer asks for the same ones each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: OrderedDict[_Key, float] = OrderedDict()

    def remember(self, archive: str, level: Level | None, asked: SearchQuery) -> None:
        """That the archive answers when it is not asked for these fields."""
        key = _key(archive, level, asked)
        self._refused[key] = self._clock()
        self._refused.move_to_end(key)
        while len(self._refused) > CAPACITY:
            self._refused.popitem(last=False)

    def holds(self, archive: str, level: Level | None, asked: SearchQuery) -> bool:
        """Whether it is known to refuse these fields."""
        since = self._refused.get(_key(archive, level, asked), float("-inf"))
        return self._clock() - since < LIFETIME


def choices(asked: SearchQuery, optional: Container[tuple[str, ...]]) -> list[SearchQuery]:
    """The same search with all its fields, with those that are not `optional` (rows are checked by them), and
    with none; each once."""
    needed = tuple(field for field in asked.includefield if field.path not in optional)
    found = [asked, replace(asked, includefield=needed, include_all=False)]
    return list(dict.fromkeys([*found, replace(asked, includefield=(), include_all=False)]))


def pause_of(error: Received) -> float | None:
    """The seconds that an archive asks to be left alone, None when it does not."""
    said = next((value for name, value in error.fields if name == "retry-after"), None)
    return retry_after(said, time.time()) if error.status in (429, 503) else None


def _key(archive: str, level: Level | None, asked: SearchQuery) -> _Key:
    return archive, level, asked.include_all, frozenset(field.path for field in asked.includefield)
