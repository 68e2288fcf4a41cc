"""One part of an answer while it arrives: an append-only file, and in memory what is not in it yet.

Readers at the tip are served from memory, the others from the page cache, so a slow reader neither slows
the writer nor holds memory. When the disk refuses, the part stops keeping, and what it could not write
stays in memory until its readers have it.
"""

import asyncio
import errno
import logging
from collections import deque

from edgerouter.cache.bell import Bell
from edgerouter.cache.disk import File, open_regular
from edgerouter.cache.partfile import PartFile
from edgerouter.cache.reading import Reading
from edgerouter.cache.room import Share
from edgerouter.cache.unit import UnitKey
from edgerouter.http.fields import Fields

_COALESCE = 256 * 1024  # bytes in memory from which a thread is sent to write
_PENDING = 1 << 20  # bytes in memory at which the writer waits for the disk
_CHUNK = 64 * 1024  # smaller pieces are joined
_STEP = 1 << 20  # bytes of room taken at a time when the length is not known
_log = logging.getLogger(__name__)


class Tail:
    """The last bytes of a part: from `start` on they are in memory."""

    __slots__ = ("_chunks", "end", "start")

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self._chunks: deque[bytes] = deque()

    def append(self, data: bytes) -> None:
        if self._chunks and len(self._chunks[-1]) + len(data) <= _CHUNK:
            self._chunks[-1] += data
        else:
            self._chunks.append(data)
        self.end += len(data)

    def trim(self, start: int) -> None:
        """Let go of the chunks that lie wholly before `start`."""
        while self._chunks and self.start + len(self._chunks[0]) <= start:
            self.start += len(self._chunks.popleft())

    def at(self, start: int, stop: int) -> bytes | None:
        """Some bytes from `start`, none beyond `stop`; None when they are not in memory."""
        begin = self.end
        for chunk in reversed(self._chunks):
            begin -= len(chunk)
            if begin <= start:
                whole = start == begin and stop >= begin + len(chunk)
                return chunk if whole else chunk[start - begin : stop - begin]
        return None

    def views(self, start: int, stop: int) -> list[memoryview]:
        """Everything between, without copying."""
        views: list[memoryview] = []
        begin = self.start
        for chunk in self._chunks:
            low, high = max(start - begin, 0), min(stop - begin, len(chunk))
            if low < high:
                views.append(memoryview(chunk)[low:high])
            begin += len(chunk)
        return views


class Part:
    """A part that is being written, or was; `size` bytes of it are here.

    `length` is how long it said it would be, if it did. `whole` is whether its writer ended it.
    `adopted` is the unit it became; `settled` is whether that is decided. `keeping` is whether its bytes go
    to the disk.
    """

    def __init__(
        self,
        fields: Fields,
        length: int | None,
        room: Share,
        reading: Reading,
        disk: PartFile,
        bell: Bell,
        *,
        keeping: bool,
    ) -> None:
        self.fields = fields
        self.length = length
        self.whole = False
        self.adopted: UnitKey | None = None
        self.settled = False
        self.keeping = keeping
        self.tail = Tail()
        self.disk = disk
        self._bell = bell
        self._room = room
        self._reading = reading
        # A small part is written in one go.
        self._enough = _PENDING if length is not None and length <= _PENDING else _COALESCE
        self._charged = 0  # bytes of room taken
        self._reported = 0  # of these, written as far as the room was told
        self._writing = False
        self._gone = False

    def is_held(self, key: UnitKey, size: int) -> None:
        """The part is not to be written at all: it is a unit already."""
        self.tail.start = self.tail.end = size
        self.length = size
        self.whole = self.settled = True
        self.adopted = key

    @property
    def size(self) -> int:
        return self.tail.end

    @property
    def in_memory(self) -> int:
        """Bytes that only memory has."""
        return self.tail.end - max(self.tail.start, self.disk.written)

    @property
    def more_than_half(self) -> bool:
        """Whether most of it is here, as far as its length is known."""
        return self.length is not None and self.size * 2 > self.length

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits for room and for the disk, as long as the part is kept."""
        self.tail.append(data)
        self._bell.ring()
        if self.keeping and self.size > self._charged and not await self._charge():
            self.keeping = False
        if self.size - self.disk.written >= self._enough:
            self._flush()
        while self.keeping and self.size - self.disk.written > _PENDING:
            await self._bell.wait()

    def forget(self, start: int) -> None:
        """Let go of what lies before `start`, unless it has still to be written."""
        if not self.keeping:
            self.tail.trim(start)

    def close(self) -> None:
        """The part is whole."""
        self.whole = True
        self._flush()
        self._bell.ring()

    async def settle(self) -> bool:
        """Wait until all of a whole part is on the disk; False when it is not to be kept."""
        while self._writing or (self.keeping and self.disk.written < self.size):
            self._flush()
            await self._bell.wait()
        return self.keeping and self.size > 0

    def became(self, key: UnitKey | None) -> None:
        """What became of a settled part: a unit, or no unit; its file closes with its present readers."""
        self.adopted = key
        self.disk.file = None
        if key is not None:
            self._release()

    def drop(self) -> None:
        """Nobody needs the part any more: its file goes, unless it became a unit."""
        self._gone = True
        if self.adopted is None and not self._writing:
            self._reading.soon(self.disk.remove)
        self._release()

    async def reopened(self) -> File:
        """The file of a part that did not become a unit, closed meanwhile. Raises OSError."""
        return await self._reading.apart(open_regular, self.disk.path)

    async def _charge(self) -> bool:
        """Take room for what is here and what is known to come, or a step at a time."""
        announced = self._charged + _STEP if self.length is None else self.length
        count = max(self.size, announced) - self._charged
        if not await self._room.take(count):
            return False
        self._charged += count
        return True

    def _release(self) -> None:
        self._room.give(self._charged, self._charged - self._reported)
        self._charged = self._reported = 0

    def _flush(self) -> None:
        """Send a thread to write what is in memory, unless one is at it; then it goes on by itself."""
        if self._writing or not self.keeping or self._gone:
            return
        begun = self.disk.written
        views = self.tail.views(begun, min(self.size, self._charged, begun + _PENDING))
        if views:
            self._writing = True
            self._reading.hand(self.disk.append, views).add_done_callback(self._wrote)

    def _wrote(self, done: asyncio.Future[OSError | None]) -> None:
        self._writing = False
        if self._gone:
            self._reading.soon(self.disk.remove)
            return
        self._room.wrote(self.disk.written - self._reported)
        self._reported = self.disk.written
        self.tail.trim(self.disk.written)
        if (error := done.result()) is not None:
            _log.warning("a part could not be written: %s", errno.errorcode.get(error.errno or 0, "OSError"))
            self._room.pause()
            self.keeping = False
        elif self.whole or self.size - self.disk.written >= self._enough:
            self._flush()
        self._bell.ring()
