"""Where things are: which upstream holds which study or series, learned from searches, retrieves and stores.

A bounded memory that may forget at any time; whoever needs certainty asks the upstreams (holders)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

CAPACITY = 50_000  # studies; about 40 MB with their series
FRESH = 900.0  # seconds; a study moved elsewhere is found again after that


@dataclass(slots=True)
class Place:
    """One holder: when it was last seen to hold, and how many instances it said it has (-1: unsaid)."""

    seen: float
    instances: int = -1


class Locations:
    """study → series ("" for the study itself) → upstream → Place; least recently learned study first out."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._studies: OrderedDict[str, dict[str, dict[str, Place]]] = OrderedDict()
        self._capacity = capacity
        self._clock = clock

    def learn(self, study: str, series: str, upstream: str, instances: int = -1) -> None:
        """The upstream said that it holds this study (series ""), or this series of it."""
        places = self._studies.setdefault(study, {}).setdefault(series, {})
        known = places.get(upstream)
        if instances < 0 and known:
            instances = known.instances
        places[upstream] = Place(self._clock(), instances)
        self._studies.move_to_end(study)
        while len(self._studies) > self._capacity:
            self._studies.popitem(last=False)

    def forget(self, study: str, upstream: str | None = None) -> None:
        """The study changed, or one upstream said that it does not hold it (any more)."""
        if upstream is None:
            self._studies.pop(study, None)
        for places in self._studies.get(study, {}).values():
            places.pop(upstream or "", None)

    def holders(self, study: str, series: str, among: Iterable[str]) -> list[str]:
        """Fresh holders among these upstreams, the one with most instances first, else in their order.

        Holding a series is holding its study, never the other way round."""
        now = self._clock()
        names = list(among)
        places = self._studies.get(study, {}).get(series, {})
        known = [name for name in names if name in places and now - places[name].seen < FRESH]
        return sorted(known, key=lambda name: (-places[name].instances, names.index(name)))
