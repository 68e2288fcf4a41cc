"""Merged answers kept for paging: the same search gives slices of one ordered list (PS3.18 §8.3.4.4.1)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from edgerouter.dicomweb.merge import Merged, Merger
from edgerouter.dicomweb.rows import Row

CAPACITY = 64 << 20  # bytes of all snapshots together
LIFETIME = 120.0  # seconds a page may still be asked of a snapshot
YOUNG = 2.0  # seconds a first page is answered from a complete one
_ROW = 400  # bytes that a row costs beside its own
_EMPTY = 512  # and a snapshot without rows


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An ordered list of matches and what has to be said with every page of it.

    Rows that one source alone has are as it sent them, until a page needs them: `merger` makes them ours.
    `complete` says that every source answered and nothing was cut; `taken` is a time of the clock of its
    Snapshots."""

    rows: tuple[Row | Merged, ...]
    merger: Merger
    warnings: tuple[str, ...] = ()
    proxy_statuses: tuple[str, ...] = ()
    complete: bool = True
    taken: float = 0.0

    @property
    def size(self) -> int:
        return _EMPTY + sum(_ROW + len(row.raw if isinstance(row, Row) else row.body) for row in self.rows)

    def match(self, place: int) -> Merged:
        """One match, merged."""
        row = self.rows[place]
        return self.merger([row]) if isinstance(row, Row) else row


class Snapshots:
    """Bounded by bytes, least recently used first out; a snapshot too large to keep is just not kept."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[Hashable, tuple[Snapshot, int]] = OrderedDict()
        self._capacity = capacity
        self.clock = clock
        self.bytes = 0

    def put(self, key: Hashable, snapshot: Snapshot) -> None:
        """Keep the snapshot in place of an older one of that key."""
        self._drop(key)
        size = snapshot.size
        if size <= self._capacity:
            self._kept[key] = snapshot, size
            self.bytes += size
        while self.bytes > self._capacity:
            self._drop(next(iter(self._kept)))

    def get(self, key: Hashable, offset: int) -> Snapshot | None:
        """A snapshot that may answer from this offset: a first page wants a young and complete one."""
        if key not in self._kept:
            return None
        snapshot, _ = self._kept[key]
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
            self.bytes -= self._kept.pop(key)[1]
