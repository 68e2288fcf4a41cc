"""Answers in application/zip (PS3.18 §8.6.1.3.2): an archive, the same bytes whenever it is made.

Entries are STORED and carry one fixed date, so names and sizes alone say where every byte stands (APPNOTE
6.3.10; ZIP64 where a number does not fit). A local header has the sizes, so a reader of the stream need not
search for an end; the CRC-32 follows each entry in a data descriptor, gathered while the bytes pass by.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32

MAX_NAME = 0xFFFF
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF  # "see the ZIP64 field"
_LOCAL, _DESCRIPTOR, _CENTRAL = b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02"
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_VERSION, _VERSION_64 = 20, 45
_UNIX = 3 << 8
_MODE = 0o100644 << 16
_DESCRIBED, _UTF_8 = 1 << 3, 1 << 11  # general purpose flags
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1  # midnight of 1980-01-01, the first day there is
_CHUNK = 64 * 1024


class ZipError(ValueError):
    """Entries no archive can be made of, or bytes not as announced; the message names no value."""


class Entry(NamedTuple):
    """One file of the archive: its path inside, its size in bytes."""

    name: str
    size: int


class Slice(NamedTuple):
    """Bytes of one entry that are due now. Those not `sent` are only for the CRC-32 to see."""

    entry: int
    offset: int
    length: int
    sent: bool


def instance_entry(series: str, instance: str, size: int) -> Entry:
    """The entry of a PS3.10 instance, by its Series and SOP Instance UID."""
    return Entry(f"{series}/{instance}.dcm", size)


class Layout:
    """Where everything stands in the archive of some entries; `size` is its length in bytes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Raises ZipError for names that are absolute, lead elsewhere, are too long or occur twice."""
        self.entries = tuple(entries)
        _check(self.entries)
        spans = (_local_size(entry) + entry.size + _descriptor_size(entry.size) for entry in self.entries)
        self.offsets = array("Q", accumulate(spans, initial=0))
        self.directory = self.offsets.pop()
        heads = (_central_size(entry, at) for entry, at in zip(self.entries, self.offsets, strict=True))
        self.records = array("Q", accumulate(heads, initial=self.directory))
        self.end = self.records.pop()
        self.size = self.end + len(self._trailer())

    def local_header(self, index: int) -> bytes:
        """What stands before the bytes of an entry."""
        entry = self.entries[index]
        name, large = entry.name.encode(), entry.size >= _FULL_32
        size = _FULL_32 if large else entry.size
        extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if large else b""
        version = _VERSION_64 if large else _VERSION
        flags = _flags(entry.name)
        fixed = (version, flags, _STORED, _TIME, _DATE, 0, size, size, len(name), len(extra))
        return struct.pack("<4s5H3L2H", _LOCAL, *fixed) + name + extra

    def descriptor(self, index: int, crc: int) -> bytes:
        """What stands behind the bytes of an entry."""
        size = self.entries[index].size
        form = "<4sLQQ" if size >= _FULL_32 else "<4sLLL"
        return struct.pack(form, _DESCRIPTOR, crc, size, size)

    def central_header(self, index: int, crc: int) -> bytes:
        """The record of an entry in the central directory."""
        entry, offset = self.entries[index], self.offsets[index]
        name, extra = entry.name.encode(), _central_extra(entry.size, offset)
        size = min(entry.size, _FULL_32)
        version = _VERSION_64 if extra else _VERSION
        fixed = (_UNIX | version, version, _flags(entry.name), _STORED, _TIME, _DATE, crc, size, size)
        lengths = (len(name), len(extra), 0, 0, 0)  # no comment, first disk, no internal attributes
        head = struct.pack("<4s6H3L5H", _CENTRAL, *fixed, *lengths)
        return head + struct.pack("<LL", _MODE, min(offset, _FULL_32)) + name + extra

    def _trailer(self) -> bytes:
        """The end of central directory, with its ZIP64 form before it where that is needed."""
        count, length, at = len(self.entries), self.end - self.directory, self.directory
        small = (min(count, _FULL_16), min(length, _FULL_32), min(at, _FULL_32))
        end = struct.pack("<4s4HLLH", _END, 0, 0, small[0], *small, 0)
        if small[0] < _FULL_16 and small[1] < _FULL_32 and small[2] < _FULL_32:
            return end
        made = (_UNIX | _VERSION_64, _VERSION_64)
        large = struct.pack("<4sQ2H2L4Q", _END_64, 44, *made, 0, 0, count, count, length, at)
        return large + struct.pack("<4sLQL", _LOCATOR_64, 0, self.end, 1) + end


class Writer:
    """Bytes `start` to `stop` of an archive, one step after the other.

    Each step is literal bytes to send, or a Slice: the caller gives its bytes to `gather` in order, and sends
    them where the slice says so, before it takes the next step. `crcs` are known CRC-32s by the index
    of their entry; of others the whole entry is asked for as soon as the range holds its CRC-32. Afterwards
    `crcs` has all that were seen.
    """

    def __init__(
        self, layout: Layout, start: int = 0, stop: int | None = None, crcs: Mapping[int, int] | None = None
    ) -> None:
        self.crcs = dict(crcs or {})
        self._layout = layout
        self._start = start
        self._stop = layout.size if stop is None else stop
        self._running = 0
        self._due = 0
        if not 0 <= self._start <= self._stop <= layout.size:
            raise ZipError("The range is not within the archive.")

    def gather(self, data: bytes | bytearray | memoryview) -> None:
        """Take notice of bytes of the slice at hand. Raises ZipError when they are more than it has."""
        self._due -= len(data)
        if self._due < 0:
            raise ZipError("An entry has more bytes than were announced.")
        self._running = crc32(data, self._running)

    def steps(self) -> Iterator[bytes | Slice]:
        """The steps. Raises ZipError when the bytes of a slice were not all gathered."""
        for index in range(len(self._layout.entries)):
            if self._concerned(index):
                yield from self._entry(index)
        yield from self._directory()

    def _concerned(self, index: int) -> bool:
        begin, end = self._span(index)
        return self._reaches(begin, end) or self._wanted(index)

    def _span(self, index: int) -> tuple[int, int]:
        offsets = self._layout.offsets
        end = offsets[index + 1] if index + 1 < len(offsets) else self._layout.directory
        return offsets[index], end

    def _wanted(self, index: int) -> bool:
        """Whether the range holds a CRC-32 of this entry that is not known."""
        if index in self.crcs:
            return False
        records, end = self._layout.records, self._span(index)[1]
        record = records[index]
        following = records[index + 1] if index + 1 < len(records) else self._layout.end
        behind = end - _descriptor_size(self._layout.entries[index].size)
        return self._reaches(behind, end) or self._reaches(record, following)

    def _reaches(self, begin: int, end: int) -> bool:
        return begin < self._stop and self._start < end

    def _entry(self, index: int) -> Iterator[bytes | Slice]:
        begin, end = self._span(index)
        size, wanted = self._layout.entries[index].size, self._wanted(index)
        yield from self._cut(begin, self._layout.local_header(index))
        data = end - size - _descriptor_size(size)
        first = min(max(self._start - data, 0), size)
        last = max(min(self._stop - data, size), first)
        self._running = 0
        for offset, stop, sent in ((0, first, False), (first, last, True), (last, size, False)):
            if offset < stop and (sent or wanted):
                self._due = stop - offset
                yield Slice(index, offset, stop - offset, sent)
                if self._due:
                    raise ZipError("An entry has fewer bytes than were announced.")
        if wanted or last - first == size:
            self._known(index)
        if self._reaches(data + size, end):
            yield from self._cut(data + size, self._layout.descriptor(index, self.crcs[index]))

    def _known(self, index: int) -> None:
        if self.crcs.setdefault(index, self._running) != self._running:
            raise ZipError("The bytes of an entry are not those its CRC-32 is of.")

    def _directory(self) -> Iterator[bytes]:
        layout, held, begin = self._layout, bytearray(), self._start
        for index, at in enumerate(layout.records):
            following = layout.records[index + 1] if index + 1 < len(layout.records) else layout.end
            if not self._reaches(at, following):
                continue
            begin = at if not held else begin
            held += layout.central_header(index, self.crcs[index])
            if len(held) >= _CHUNK:
                yield from self._cut(begin, bytes(held))
                held.clear()
        yield from self._cut(begin, bytes(held))
        yield from self._cut(layout.end, layout._trailer())

    def _cut(self, at: int, piece: bytes) -> Iterator[bytes]:
        """What of a piece that stands at an offset the range holds."""
        cut = piece[max(self._start - at, 0) : max(self._stop - at, 0)]
        if cut:
            yield cut


def _check(entries: tuple[Entry, ...]) -> None:
    seen: set[str] = set()
    for name, size in entries:
        if size < 0 or name in seen or not 0 < len(name.encode()) <= MAX_NAME:
            raise ZipError("An entry has no usable size or name, or a name occurs twice.")
        if "\\" in name or "\0" in name or {"", ".", ".."} & set(name.split("/")):
            raise ZipError("The name of an entry leads out of the archive.")
        seen.add(name)


def _flags(name: str) -> int:
    return _DESCRIBED if name.isascii() else _DESCRIBED | _UTF_8


def _local_size(entry: Entry) -> int:
    return 30 + len(entry.name.encode()) + (20 if entry.size >= _FULL_32 else 0)


def _descriptor_size(size: int) -> int:
    return 24 if size >= _FULL_32 else 16


def _central_extra(size: int, offset: int) -> bytes:
    """The ZIP64 field: of sizes and offset those that do not fit, in this order."""
    large: tuple[int, ...] = (size, size) if size >= _FULL_32 else ()
    large += (offset,) if offset >= _FULL_32 else ()
    return struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""


def _central_size(entry: Entry, offset: int) -> int:
    return 46 + len(entry.name.encode()) + len(_central_extra(entry.size, offset))
