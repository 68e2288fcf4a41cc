"""Where things are: which upstream holds which study or series, learned from searches, retrieves and stores.

A bounded memory that may forget at any time; whoever needs certainty asks the upstreams (holders)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgerouter.dicomweb.rows import Row

CAPACITY = 100_000  # studies and series; half of each took 52 MB when measured
FRESH = 900.0  # seconds; a study moved elsewhere is found again after that


@dataclass(slots=True)
class Place:
    """What one upstream said: when, that it holds it or `lacks` it, and how many instances it has (-1:
    unsaid)."""

    seen: float
    instances: int = -1
    lacks: bool = False


class Locations:
    """study → series ("" for the study itself) → upstream → Place; least recently learned study first out."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._studies: OrderedDict[str, dict[str, dict[str, Place]]] = OrderedDict()
        self._capacity = capacity
        self._clock = clock
        self._size = 0

    def __len__(self) -> int:
        """How many studies and series it knows."""
        return self._size

    def learn(self, study: str, series: str, upstream: str, instances: int = -1) -> None:
        """The upstream said that it holds this study (series ""), or this series of it."""
        self._note(study, series, upstream, instances, self._clock())
        self._bound()

    def learn_lack(self, study: str, series: str, upstreams: Iterable[str]) -> None:
        """These said that they have nothing of this study (series ""), or of this series of it."""
        self._places(study, series).update(dict.fromkeys(upstreams, Place(self._clock(), lacks=True)))
        self._bound()

    def learn_row(self, key: Sequence[str], upstream: str, instances: int) -> None:
        """The upstream has a search row of this key (of the study, the series, the instance) that says so
        many instances. Holding a series is holding its study, never the other way round."""
        self._note_row(key, upstream, instances, self._clock())
        self._bound()

    def learn_rows(self, rows: Iterable[Row]) -> None:
        """`learn_row` for each, at one moment."""
        now = self._clock()
        for row in rows:
            self._note_row(row.key, row.source, row.instances, now)
        self._bound()

    def _note_row(self, key: Sequence[str], upstream: str, instances: int, now: float) -> None:
        if len(key) > 1:
            self._note(key[0], key[1], upstream, instances if len(key) == 2 else -1, now)
        self._note(key[0], "", upstream, instances if len(key) == 1 else -1, now)

    def _note(self, study: str, series: str, upstream: str, instances: int, now: float) -> None:
        places = self._places(study, series)
        place = places.get(upstream)
        if place is None or place.lacks:
            places[upstream] = Place(now, instances)
            return
        place.seen = now
        if instances >= 0:
            place.instances = instances

    def _places(self, study: str, series: str) -> dict[str, Place]:
        """Where the study, or the series, was seen; it is the last one to be forgotten now."""
        known = self._studies.get(study)
        if known is None:
            known = self._studies[study] = {}
        else:
            self._studies.move_to_end(study)
        places = known.get(series)
        if places is None:
            places = known[series] = {}
            self._size += 1
        return places

    def _bound(self) -> None:
        while self._size > self._capacity:
            _, dropped = self._studies.popitem(last=False)
            self._size -= len(dropped)

    def forget(self, study: str, upstream: str | None = None) -> None:
        """The study changed, or one upstream said that it does not hold it (any more)."""
        if upstream is None:
            self._size -= len(self._studies.pop(study, {}))
        for places in self._studies.get(study, {}).values():
            places.pop(upstream or "", None)

    def holders(self, study: str, series: str, among: Iterable[str]) -> list[str]:
        """Fresh holders among these upstreams, the one with most instances first, else in their order."""
        now = self._clock()
        names = list(among)
        places = self._studies.get(study, {}).get(series, {})
        known = [
            name
            for name in names
            if name in places and not places[name].lacks and now - places[name].seen < FRESH
        ]
        return sorted(known, key=lambda name: (-places[name].instances, names.index(name)))

    def lacking(self, study: str, series: str, among: Iterable[str]) -> set[str]:
        """Those of these that lately said they do not have it; who lacks a study lacks its series."""
        now, known = self._clock(), self._studies.get(study, {})
        of = [known.get(one, {}) for one in dict.fromkeys([series, ""])]
        places = ((name, place.get(name)) for place in of for name in among)
        return {name for name, place in places if place and place.lacks and now - place.seen < FRESH}
