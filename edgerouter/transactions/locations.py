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
        known = self._studies.setdefault(study, {})
        if series not in known:
            known[series] = {}
            self._size += 1
        place = known[series].get(upstream)
        if place is None or place.lacks:
            place = known[series][upstream] = Place(0.0)
        place.seen = self._clock()
        place.instances = instances if instances >= 0 else place.instances
        self._learned(study)

    def learn_rows(self, rows: Sequence[Row]) -> None:
        """`learn_row` for each; most searches are for studies, and have very many."""
        studies, now = self._studies, self._clock()
        for row in rows:
            if len(row.key) > 1:
                self.learn_row(row.key, row.source, row.instances)
                continue
            study = row.key[0]
            known = studies.get(study)
            if known is None:
                known = studies[study] = {}
            else:
                studies.move_to_end(study)
            places = known.get("")
            if places is None:
                places = known[""] = {}
                self._size += 1
            place = places.get(row.source)
            if place is None or place.lacks:
                places[row.source] = Place(now, row.instances)
            else:
                place.seen = now
                if row.instances >= 0:
                    place.instances = row.instances
        self._bound()

    def learn_lack(self, study: str, series: str, upstreams: Iterable[str]) -> None:
        """These said that they have nothing of this study (series ""), or of this series of it."""
        known = self._studies.setdefault(study, {})
        if series not in known:
            known[series] = {}
            self._size += 1
        known[series].update(dict.fromkeys(upstreams, Place(self._clock(), lacks=True)))
        self._learned(study)

    def _learned(self, study: str) -> None:
        self._studies.move_to_end(study)
        self._bound()

    def _bound(self) -> None:
        while self._size > self._capacity:
            _, dropped = self._studies.popitem(last=False)
            self._size -= len(dropped)

    def learn_row(self, key: Sequence[str], upstream: str, instances: int) -> None:
        """The upstream has a search row of this key (of the study, the series, the instance) that says so
        many instances. Holding a series is holding its study, never the other way round."""
        if len(key) > 1:
            self.learn(key[0], key[1], upstream, instances if len(key) == 2 else -1)
        self.learn(key[0], "", upstream, instances if len(key) == 1 else -1)

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
