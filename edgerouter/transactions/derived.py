"""Frames out of held instances: a frame is a range of its file's bytes, or a few of them (PS3.5 A.4)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import NO_PIXELS, OPAQUE
from edgerouter.dicom.source import Part10Error

_IN_HAND = 16 << 20  # bytes of compact tables whose parsed form is kept
_LEAST = 512  # bytes that one counts at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Held):
    """A representation that is cut out of a unit: its `ranges`, offset and length, one behind another.

    With `inflate_at` they count in the inflated form of the deflate stream that begins there in the unit."""

    unit: Held
    ranges: tuple[tuple[int, int], ...]
    inflate_at: int = 0


def unit_of(held: Held) -> Held:
    """Where its bytes are."""
    return held.unit if isinstance(held, Derived) else held


def cut_out(held: Held, table: FrameTable, number: int) -> Derived | None:
    """Frame `number` (from 1) of a held instance; None when it has no such frame."""
    if not 1 <= number <= table.frames:
        return None
    key = replace(
        held.key,
        kind=UnitKind.FRAME,
        which=str(number),
        media=table.media,
        syntax=table.transfer_syntax,
    )
    ranges = tuple(table.pieces(number))
    size = sum(length for _, length in ranges)
    return Derived(
        key, size, held.stored_at, made=held.made, unit=held, ranges=ranges, inflate_at=table.inflate_at
    )


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of the frames of a held instance: a table, or that it has no pixels, or nothing."""

    table: FrameTable | None = None
    no_pixels: bool = False


class Tables:
    """The frame tables of held instances; the last few parsed ones stay in memory."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._known: OrderedDict[tuple[object, float], tuple[Note, int]] = OrderedDict()
        self._weight = 0

    async def of(self, held: Held) -> Note:
        """What is known of the frames of a held instance."""
        name = (held.key, held.stored_at)
        known = self._known.get(name)
        if known is not None:
            self._known.move_to_end(name)
            return known[0]
        meta = await self._cache.units.meta(held.key)
        if meta is None or meta.stored_at != held.stored_at:
            return Note()
        note = _parsed(meta.frame_table)
        self._remember(name, note, max(_LEAST, len(meta.frame_table)))
        return note

    async def frames(self, held: Sequence[Held], numbers: Sequence[int]) -> dict[int, tuple[Held, ...]]:
        """Each of these frames as it can be cut out of these representations of one instance."""
        found: dict[int, tuple[Held, ...]] = dict.fromkeys(numbers, ())
        for one in held:
            table = (await self.of(one)).table
            for number in numbers if table else ():
                frame = cut_out(one, table, number) if table else None
                if frame:
                    found[number] = (*found[number], frame)
        return found

    def _remember(self, name: tuple[object, float], note: Note, weight: int) -> None:
        self._known[name] = (note, weight)
        self._weight += weight
        while self._weight > _IN_HAND:
            _, (_, gone) = self._known.popitem(last=False)
            self._weight -= gone


def _parsed(note: bytes) -> Note:
    if note == NO_PIXELS:
        return Note(no_pixels=True)
    if note in (b"", OPAQUE):
        return Note()
    try:
        return Note(FrameTable.from_bytes(note))
    except Part10Error:
        return Note()
