"""Merged answers kept for paging: the same search gives slices of one ordered list (PS3.18 §8.3.4.4.1)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

CAPACITY = 64 << 20  # bytes of all snapshots together
LIFETIME = 120.0  # seconds a page may still be asked of a snapshot
YOUNG = 2.0  # seconds a first page is answered from a complete one


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An ordered list of rows (JSON objects), what has to be said with every page, and whether every
    source answered."""

    rows: tuple[bytes, ...]
    warnings: tuple[str, ...] = ()
    complete: bool = True
    taken: float = field(default=0.0)

    @property
    def size(self) -> int:
        return sum(map(len, self.rows)) + 64 * len(self.rows)


class Snapshots:
    """Bounded by bytes, least recently used first out; a snapshot too large to keep is just not kept."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[Hashable, Snapshot] = OrderedDict()
        self._capacity = capacity
        self._clock = clock
        self.bytes = 0

    def put(
        self, key: Hashable, rows: tuple[bytes, ...], warnings: tuple[str, ...], complete: bool
    ) -> Snapshot:
        """Keep and return the snapshot taken now."""
        self._drop(key)
        snapshot = Snapshot(rows, warnings, complete, self._clock())
        if snapshot.size <= self._capacity:
            self._kept[key] = snapshot
            self.bytes += snapshot.size
        while self.bytes > self._capacity:
            self._drop(next(iter(self._kept)))
        return snapshot

    def get(self, key: Hashable, offset: int) -> Snapshot | None:
        """A snapshot that may answer from this offset: a first page wants a young and complete one."""
        snapshot = self._kept.get(key)
        if snapshot is None:
            return None
        age = self._clock() - snapshot.taken
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
