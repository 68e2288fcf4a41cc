"""Merged answers kept for paging: the same search gives slices of one ordered list (PS3.18 §8.3.4.4.1).

A search asked again within seconds is not taken anew, whoever asks; later pages of a client are slices of the
list that its first page came from. All lists together stay within bytes: beyond what memory may hold, the
least recently used go to disk, one after the other and behind the searches' back; beyond what disk may hold,
or when it fails or is too slow, they are dropped, and the next page is taken anew."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgerouter.dicomweb.merge import Match, Merger
from edgerouter.dicomweb.rows import Row
from edgerouter.metrics import SNAPSHOT_BYTES, SNAPSHOTS
from edgerouter.transactions.spill import Spilled, spill

logger = logging.getLogger(__name__)

CAPACITY = 32 << 20  # bytes of all snapshots in memory; twice that while disk does not keep up
SPILL = 1 << 30  # bytes of all snapshots on disk
LIFETIME = 120.0  # seconds a page may still be asked of a snapshot
YOUNG = 2.0  # seconds a first page is answered from a complete one
_ROW = 400  # bytes that a row costs in memory beside its own
_EMPTY = 512  # and a snapshot without rows, or one more client of it
_FILES = 64  # snapshots on disk at a time
_PAUSE = 0.02  # seconds before one is written, unless there are far too many bytes: its answer leaves first


@dataclass(slots=True, eq=False)
class Snapshot:
    """An ordered list of matches and what has to be said with every page of it.

    Matches are as their sources sent them until a page needs them: `merger` makes them ours. `complete`
    says that every source answered and nothing was cut, `exhaustive` are the sources that lack whatever is a
    match and not theirs, `offline` says that nobody answered and all of it is of held copies; `taken` is a
    time of the clock of its Snapshots."""

    matches: Sequence[Match] | Spilled
    merger: Merger
    warnings: tuple[str, ...] = ()
    proxy_statuses: tuple[str, ...] = ()
    complete: bool = True
    exhaustive: tuple[str, ...] = ()
    offline: bool = False
    taken: float = 0.0
    _keys: set[Hashable] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def size(self) -> int:
        """Bytes in memory, or on disk once it is there."""
        if isinstance(self.matches, Spilled):
            return self.matches.size
        size = _EMPTY
        for match in self.matches:  # thousands of them, between two others' turns
            if isinstance(match, Row):
                size += _ROW + len(match.raw)
            else:
                size += sum(_ROW + len(row.raw) for row in match.rows)
        return size

    async def page(self, places: range) -> Sequence[Match]:
        """The matches at these places; raises OSError when they are on a disk that fails."""
        if isinstance(self.matches, Spilled):
            return await asyncio.to_thread(self.matches.read, places)
        return self.matches[places.start : places.stop]


class Snapshots:
    """Least recently used first out; a snapshot that fits nowhere is just not kept."""

    def __init__(
        self,
        folder: Path | None = None,
        capacity: int = CAPACITY,
        on_disk: int = SPILL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept: OrderedDict[Snapshot, int] = OrderedDict()
        self._of: dict[Hashable, Snapshot] = {}
        self._folder = folder
        self._capacity = capacity
        self._on_disk = on_disk
        self._spilling: Snapshot | None = None
        self._job: asyncio.Future[Spilled] | None = None
        self.clock = clock
        self.bytes = 0  # in memory
        self.spilled = 0  # on disk

    def put(self, question: Hashable, client: Hashable, snapshot: Snapshot) -> None:
        """Keep the snapshot as the newest answer to the question, and as what this client pages through."""
        self._expire()
        SNAPSHOTS.labels("taken").inc()
        self._kept[snapshot] = snapshot.size
        self.bytes += self._kept[snapshot]
        self._point((question, None), snapshot)
        self._point((question, client), snapshot)
        self._make_room()

    def get(self, question: Hashable, client: Hashable, offset: int) -> Snapshot | None:
        """A snapshot that may answer from this offset: a later page wants the one that the client's first
        came from; a first page, or a client not known yet, a young and complete one, whoever asked for it."""
        snapshot = self._fresh((question, client)) if offset else None
        if snapshot is None:
            snapshot = self._fresh((question, None))
            if snapshot and (not snapshot.complete or self.clock() - snapshot.taken >= YOUNG):
                return None
        if snapshot is None:
            return None
        SNAPSHOTS.labels("used").inc()
        self._point((question, client), snapshot)
        self._kept.move_to_end(snapshot)
        return snapshot

    def _fresh(self, key: Hashable) -> Snapshot | None:
        snapshot = self._of.get(key)
        if snapshot and self.clock() - snapshot.taken >= LIFETIME:
            self._drop(snapshot)
            return None
        return snapshot

    def share(self, question: Hashable, client: Hashable, snapshot: Snapshot) -> None:
        """Somebody else's snapshot, waited for together, is what this client pages through, too."""
        if snapshot in self._kept:
            self._point((question, client), snapshot)

    def drop(self, snapshot: Snapshot) -> None:
        """Forget a snapshot that cannot be read."""
        SNAPSHOTS.labels("dropped").inc()
        self._drop(snapshot)

    def _point(self, key: Hashable, snapshot: Snapshot) -> None:
        """The key leads to this snapshot; the one before goes when nothing else leads to it."""
        before = self._of.get(key)
        if before is snapshot:
            return
        self._of[key] = snapshot
        snapshot._keys.add(key)
        if before is not None:
            before._keys.discard(key)
            if not before._keys:
                self._drop(before)

    async def settled(self) -> None:
        """Wait until nothing is on its way to disk."""
        while self._job is not None:
            await asyncio.wait([self._job])
            await asyncio.sleep(0)  # its callback has run then

    def _make_room(self) -> None:
        """Have the least recently used snapshot in memory moved to disk, if there are too many bytes."""
        in_memory = [each for each in self._kept if not isinstance(each.matches, Spilled)]
        if self._job is None and self.bytes > self._capacity:
            self._spilling = in_memory[0]
            loop = asyncio.get_running_loop()
            pause = _PAUSE if 4 * self.bytes < 5 * self._capacity else 0.0
            self._job = loop.run_in_executor(None, self._write, self._spilling, self._folder, pause)
            self._job.add_done_callback(self._written)
        for snapshot in in_memory:
            if self.bytes > 2 * self._capacity and snapshot is not self._spilling:
                self.drop(snapshot)
        self._tell()

    def _write(self, snapshot: Snapshot, folder: Path | None, pause: float) -> Spilled:
        assert not isinstance(snapshot.matches, Spilled)
        if self._kept.get(snapshot, 0) > self._on_disk:
            raise OSError("it is larger than all that may be there")
        time.sleep(pause)
        return spill(snapshot.matches, folder)

    def _written(self, job: "asyncio.Future[Spilled]") -> None:
        snapshot, self._spilling, self._job = self._spilling, None, None
        if job.cancelled() or snapshot is None or snapshot not in self._kept:
            return  # forgotten meanwhile
        if error := job.exception():
            why = error.strerror or error if isinstance(error, OSError) else type(error).__name__
            logger.warning("a search answer cannot be kept on disk: %s", why)
            self.drop(snapshot)
        else:
            self._moved(snapshot, job.result())
        self._make_room()

    def _moved(self, snapshot: Snapshot, on_disk: Spilled) -> None:
        SNAPSHOTS.labels("spilled").inc()
        self.bytes -= self._kept[snapshot]
        snapshot.matches = on_disk
        self._kept[snapshot] = on_disk.size
        self.spilled += on_disk.size
        self._bound_disk()

    def _bound_disk(self) -> None:
        files = [each for each in self._kept if isinstance(each.matches, Spilled)]
        for snapshot in files:
            if self.spilled <= self._on_disk and len(files) <= _FILES:
                return
            files = files[1:]
            self.drop(snapshot)

    def _expire(self) -> None:
        limit = self.clock() - LIFETIME
        for snapshot in [each for each in self._kept if each.taken <= limit]:
            self._drop(snapshot)

    def _drop(self, snapshot: Snapshot) -> None:
        size = self._kept.pop(snapshot, None)
        if size is None:
            return
        if isinstance(snapshot.matches, Spilled):
            self.spilled -= size
        else:
            self.bytes -= size
        for key in snapshot._keys:
            del self._of[key]
        snapshot._keys.clear()
        self._tell()

    def _tell(self) -> None:
        SNAPSHOT_BYTES.labels("memory").set(self.bytes)
        SNAPSHOT_BYTES.labels("disk").set(self.spilled)
