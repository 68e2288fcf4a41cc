"""Merged answers kept for paging: the same search gives slices of one ordered list (PS3.18 §8.3.4.4.1)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

CAPACITY = 64 << 20  # bytes of all snapshots together
LIFETIME = 120.0  # seconds a page may still be asked of a snapshot
YOUNG = 2.0  # seconds a first page is answered from a complete one
_ROW = 64  # bytes that a row costs beside its own
_EMPTY = 512  # and a snapshot without rows


@dataclass(frozen=True, slots=True)
class Bare:
    """A study whose archives do not say its modalities."""

    study: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An ordered list of rows (JSON objects) and what has to be said with every page of it.

    `bare` are the studies without modalities, by their place; `complete` says that every source answered
    and nothing was cut; `taken` is a time of the clock of its Snapshots."""

    rows: tuple[bytes, ...]
    warnings: tuple[str, ...] = ()
    proxy_statuses: tuple[str, ...] = ()
    bare: Mapping[int, Bare] = field(default_factory=dict)
    complete: bool = True
    taken: float = 0.0

    @property
    def size(self) -> int:
        return sum(map(len, self.rows)) + _ROW * len(self.rows) + 4 * _ROW * len(self.bare) + _EMPTY


class Snapshots:
    """Bounded by bytes, least recently used first out; a snapshot too large to keep is just not kept."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[Hashable, Snapshot] = OrderedDict()
        self._capacity = capacity
        self.clock = clock
        self.bytes = 0

    def put(self, key: Hashable, snapshot: Snapshot) -> None:
        """Keep the snapshot in place of an older one of that key."""
        self._drop(key)
        if snapshot.size <= self._capacity:
            self._kept[key] = snapshot
            self.bytes += snapshot.size
        while self.bytes > self._capacity:
            self._drop(next(iter(self._kept)))

    def get(self, key: Hashable, offset: int) -> Snapshot | None:
        """A snapshot that may answer from this offset: a first page wants a young and complete one."""
        snapshot = self._kept.get(key)
        if snapshot is None:
            return None
        age = self.clock() - snapshot.taken
        if age >= LIFETIME:
            self._drop(key)
            return None
        if offset == 0 and (age >= YOUNG or not snapshot.complete):
            return None
        self._kept.move_to_end(key)
        return snapshot

    def _drop(self, key: Hashable) -> None:
        if key in self._kept:
            self.bytes -= self._kept.pop(key).size
