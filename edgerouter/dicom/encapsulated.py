"""Encapsulated pixel data (PS3.5 A.4): which fragments make up which frame, and when that is not certain.

"Exactly" decides (law 2): a frame is cut out only where an offset table or the fragments themselves leave no
other reading. Everything doubtful is None, which the caller takes for a miss.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass, field

from edgerouter.dicom.elements import MAX_FRAGMENTS, SEQUENCE_DELIMITER, UNDEFINED, read_item
from edgerouter.dicom.source import Part10Error, Source
from edgerouter.dicom.syntaxes import TransferSyntax

MAX_TABLE = 32 * 1024 * 1024  # bytes of an offset table: four million frames


@dataclass(slots=True)
class Fragments:
    """The items of encapsulated pixel data behind the Basic Offset Table.

    `offsets` and `lengths` are those of the fragments' values; `opens` tells whether a value begins as a
    codestream of the transfer syntax does.
    """

    basic: bytes = b""  # the Basic Offset Table as it stands
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    opens: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def tags(self) -> list[int]:
        """Where each fragment's item tag stands, from the first one: what offset tables count in."""
        return [offset - self.offsets[0] for offset in self.offsets]


def read_fragments(source: Source, start: bytes = b"") -> Fragments:
    """The fragments of the value the source stands at; it then stands behind the sequence delimiter.

    Raises Part10Error when items run past the end, the delimiter is missing or items are too many.
    """
    tag, length = read_item(source)
    if tag == SEQUENCE_DELIMITER:
        return Fragments()
    if length > MAX_TABLE:
        raise Part10Error("The Basic Offset Table is too long.")
    fragments = Fragments(basic=source.take(length))
    readahead, source.readahead = source.readahead, 8 + len(start)
    while True:
        tag, length = read_item(source)
        if tag == SEQUENCE_DELIMITER:
            source.readahead = readahead
            return fragments
        _add(fragments, source, length, start)


def _add(fragments: Fragments, source: Source, length: int, start: bytes) -> None:
    if length == UNDEFINED or len(fragments) >= MAX_FRAGMENTS:
        raise Part10Error("The pixel data has an item of undefined length, or too many items.")
    fragments.offsets.append(source.position)
    fragments.lengths.append(length)
    opens = bool(start) and length >= len(start) and source.peek(len(start)) == start
    fragments.opens.append(opens)
    source.skip(length)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Frames as runs of fragments: frame k is fragments first[k] to first[k + 1].

    `lengths` are the frames' exact lengths where a table tells them (one fragment per frame then).
    """

    first: array[int]
    lengths: array[int] | None = None


def group(
    fragments: Fragments, frames: int, syntax: TransferSyntax, extended: tuple[bytes, bytes] | None = None
) -> Grouping | None:
    """Which fragments make up each of `frames` frames; None when that is doubtful.

    `extended` is the Extended Offset Table and its lengths, if the data set has them.
    """
    if not len(fragments) or frames < 1 or len(fragments) < frames or 0 in fragments.lengths:
        return None
    if extended is not None:
        return _by_extended_table(fragments, frames, extended)
    if syntax.rle:
        return _one_each(frames) if len(fragments) == frames else None
    first = _by_basic_table(fragments, frames)
    if first is not None:
        return Grouping(first) if _plausible(fragments, first) else None
    if frames == 1:
        return _single(fragments)
    if len(fragments) == frames:
        every = _one_each(frames)
        return every if _plausible(fragments, every.first) else None
    return _by_start(fragments, frames)


def _one_each(frames: int) -> Grouping:
    return Grouping(array("I", range(frames + 1)))


def _plausible(fragments: Fragments, first: array[int]) -> bool:
    """Whether each frame begins as a codestream does, if any fragment does: else count or table lie."""
    return not any(fragments.opens) or all(fragments.opens[index] for index in first[:-1])


def _single(fragments: Fragments) -> Grouping | None:
    # Several offsets or several codestreams: NumberOfFrames is wrong, and joining would mix frames.
    if len(fragments.basic) > 4 or sum(fragments.opens) > 1:
        return None
    whole = array("I", (0, len(fragments)))
    return Grouping(whole) if _plausible(fragments, whole) else None


def _by_start(fragments: Fragments, frames: int) -> Grouping | None:
    if not fragments.opens[0] or sum(fragments.opens) != frames:
        return None
    first = array("I", (index for index, opens in enumerate(fragments.opens) if opens))
    first.append(len(fragments))
    return Grouping(first)


def _by_basic_table(fragments: Fragments, frames: int) -> array[int] | None:
    """Boundaries by the Basic Offset Table, None when it is absent or not to be believed."""
    if len(fragments.basic) != 4 * frames:
        return None
    index_of = {tag: index for index, tag in enumerate(fragments.tags)}
    first = array("I")
    for offset in unpacked("I", fragments.basic):
        index = index_of.get(offset)
        if index is None or (index <= first[-1] if first else index != 0):
            return None
        first.append(index)
    first.append(len(fragments))
    return first


def _by_extended_table(fragments: Fragments, frames: int, table: tuple[bytes, bytes]) -> Grouping | None:
    """PS3.3 C.7.6.3.1.8: one fragment per frame, exact lengths, no Basic Offset Table beside it."""
    if fragments.basic or len(fragments) != frames or {len(part) for part in table} != {8 * frames}:
        return None
    lengths = unpacked("Q", table[1])
    padding = {there - said for there, said in zip(fragments.lengths, lengths, strict=True)}
    if unpacked("Q", table[0]).tolist() != fragments.tags or not padding <= {0, 1}:
        return None
    return Grouping(array("I", range(frames + 1)), array("I", lengths))


def unpacked(code: str, form: bytes) -> array[int]:
    """The little-endian numbers in `form`; its length has to be a multiple of theirs."""
    numbers: array[int] = array(code)
    numbers.frombytes(form)
    return swapped(numbers)


def swapped(numbers: array[int]) -> array[int]:
    """Numbers of this machine in little-endian order, or such numbers in this machine's."""
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers
