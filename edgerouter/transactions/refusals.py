"""What an archive refuses for now: fields that it does not know, asked for once, answered 400 and left out
for a while; and to be asked at all, for as long as it says."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from edgerouter.dicomweb.attribute import Attribute
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level
from edgerouter.errors import Received
from edgerouter.upstream.health import retry_after

LIFETIME = 3600.0  # seconds; an archive may be updated
CAPACITY = 1000

_Key = tuple[str, Level | None, frozenset[tuple[str, ...]]]


class Refusals:
    """Which sets of fields which archive refuses at which level. A set as a whole: which of its fields is to
    blame is not said, and a viewer asks for the same ones each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: OrderedDict[_Key, float] = OrderedDict()

    def remember(self, archive: str, level: Level | None, fields: Iterable[Attribute]) -> None:
        key = _key(archive, level, fields)
        self._refused[key] = self._clock()
        self._refused.move_to_end(key)
        while len(self._refused) > CAPACITY:
            self._refused.popitem(last=False)

    def holds(self, archive: str, level: Level | None, fields: Iterable[Attribute]) -> bool:
        since = self._refused.get(_key(archive, level, fields), float("-inf"))
        return self._clock() - since < LIFETIME


def without_fields(asked: SearchQuery) -> SearchQuery:
    """The same search, less what it would only have returned beside what is always returned."""
    return replace(asked, includefield=(), include_all=False)


def pause_of(error: Received) -> float | None:
    """The seconds that an archive asks to be left alone, None when it does not."""
    said = next((value for name, value in error.fields if name == "retry-after"), None)
    return retry_after(said, time.time()) if error.status in (429, 503) else None


def _key(archive: str, level: Level | None, fields: Iterable[Attribute]) -> _Key:
    return archive, level, frozenset(field.path for field in fields)
