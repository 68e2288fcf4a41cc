"""A whole data set as a tree of attributes: small values in memory, large ones as the place where they stand.

One pass forward over the source, with a budget of elements, depth and bytes. pydicom supplies the dictionary;
its own parser recurses without bound, believes lengths and inflates without limit, so hostile files end here
as Part10Error instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edgerouter.dicom import dictionary
from edgerouter.dicom.elements import (
    ITEM_DELIMITER,
    MAX_DEPTH,
    SEQUENCE_DELIMITER,
    UNDEFINED,
    Budget,
    Element,
    ended,
    is_explicit,
    read_element,
    read_item,
)
from edgerouter.dicom.encapsulated import read_fragments
from edgerouter.dicom.part10 import PIXELS
from edgerouter.dicom.source import Part10Error, Source

BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMERIC = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
BULK_TEXT = frozenset({"LT", "ST", "UC", "UT"})
MAX_INLINE_BINARY = 64
MAX_INLINE_NUMBERS = 1024
MAX_TEXT = 64 * 1024
PIXEL_REPRESENTATION = 0x00280103
FULL_ELEMENTS = 200_000  # an enhanced multi-frame object has some hundred elements for each frame
FULL_BYTES = 32 * 1024 * 1024

DataSet = dict[int, "Attribute"]


@dataclass(slots=True)
class Attribute:
    """One attribute: `items` of a sequence, or `raw` when its value was kept, or `pieces` where it stands.

    An attribute with pieces is bulk data, though its value may have been kept besides.
    """

    vr: str
    raw: bytes | None = None
    items: list[DataSet] | None = None
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Limits:
    """What one data set may cost; spent while it is read."""

    elements: Budget = field(default_factory=lambda: Budget(FULL_ELEMENTS))
    kept: int = FULL_BYTES

    def keep(self, length: int) -> None:
        self.kept -= length
        if self.kept < 0:
            raise Part10Error("The data set holds too much beside bulk data.")


Pixels = Callable[[Element, DataSet], None]


def read_data_set(
    source: Source,
    *,
    explicit: bool,
    pixels: Pixels | None = None,
    kept: frozenset[int] = frozenset(),
    limits: Limits | None = None,
) -> DataSet:
    """The data set from the source's position to its end.

    `pixels` is called at each top-level pixel data element with what was read before it, the source
    standing at the value, and has to consume the value; without it the value's pieces are noted. Values
    of `kept` tags are kept whatever their size. Padding behind the data set (a group 0) is left. Raises
    Part10Error, NeedMore.
    """
    walk = _Walk(source, limits or Limits(), pixels, kept)
    return walk.data_set(None, _Level(is_explicit(source, declared=explicit)))


@dataclass(frozen=True, slots=True)
class _Level:
    """What the elements of one data set inherit from the sequence it is an item of."""

    explicit: bool
    depth: int = 0
    signed: bool = False


class _Walk:
    def __init__(self, source: Source, limits: Limits, pixels: Pixels | None, kept: frozenset[int]) -> None:
        self.source = source
        self.limits = limits
        self.pixels = pixels
        self.kept = kept

    def data_set(self, end: int | None, level: _Level) -> DataSet:
        """The elements up to `end`; without one to the item delimiter, or at the top to the source's end."""
        found: DataSet = {}
        creators: dict[int, str] = {}
        while not self._ended(end, level):
            element = read_element(self.source, explicit=level.explicit, nested=level.depth > 0)
            if element.tag == ITEM_DELIMITER if level.depth else element.tag >> 16 == 0:
                break
            self.limits.elements.spend()
            vr = _vr(element, creators, signed=level.signed)
            attribute = self.attribute(element, vr, found, level)
            _add(found, element.tag, attribute)
            if dictionary.is_creator(element.tag) and attribute.raw:
                creators[element.tag] = attribute.raw.decode("latin-1").strip("\0 ")
            elif element.tag == PIXEL_REPRESENTATION:
                level = replace(level, signed=attribute.raw == b"\1\0")
        if end is not None and self.source.position != end:
            raise Part10Error("A value is longer than the item it stands in.")
        return found

    def _ended(self, end: int | None, level: _Level) -> bool:
        if end is not None:
            return self.source.position >= end
        return level.depth == 0 and ended(self.source)

    def attribute(self, element: Element, vr: str, before: DataSet, level: _Level) -> Attribute:
        if vr == "SQ":
            # PS3.5 §6.2.2: what was once UN is in implicit VR, all the way down.
            inner = replace(level, explicit=level.explicit and element.vr != "UN", depth=level.depth + 1)
            return Attribute(vr, items=self.items(element, inner))
        top_pixels = level.depth == 0 and element.tag in PIXELS
        if top_pixels and self.pixels:
            self.pixels(element, before)
            return Attribute(vr)
        if element.length == UNDEFINED:
            fragments = read_fragments(self.source)
            return Attribute(vr, pieces=tuple(zip(fragments.offsets, fragments.lengths, strict=True)))
        return self.value(vr, element, bulk=top_pixels)

    def items(self, element: Element, level: _Level) -> list[DataSet]:
        if level.depth > MAX_DEPTH:
            raise Part10Error("The data set is nested too deeply.")
        found: list[DataSet] = []
        end = None if element.length == UNDEFINED else element.offset + element.length
        while end is None or self.source.position < end:
            tag, length = read_item(self.source)
            if tag == SEQUENCE_DELIMITER:
                break
            self.limits.elements.spend()
            stop = None if length == UNDEFINED else self.source.position + length
            found.append(self.data_set(stop, level))
        if end is not None and self.source.position != end:
            raise Part10Error("An item is longer than the sequence it stands in.")
        return found

    def value(self, vr: str, element: Element, *, bulk: bool) -> Attribute:
        length = element.length
        large = bulk or length > _kept_up_to(vr)
        if large and vr not in BINARY and vr not in NUMERIC and vr not in BULK_TEXT:
            raise Part10Error("A value is longer than its value representation allows.")
        pieces = ((element.offset, length),) if large else ()
        if large and element.tag not in self.kept:
            self.source.skip(length)
            return Attribute(vr, pieces=pieces)
        self.limits.keep(length)
        return Attribute(vr, raw=self.source.take(length), pieces=pieces)


def _vr(element: Element, creators: dictionary.Creators, *, signed: bool) -> str:
    """The VR to read a value as, where the encoding says nothing or UN."""
    if element.vr not in ("", "UN"):
        return element.vr
    vr = dictionary.vr_of(element.tag, creators, signed=signed)
    if element.length == UNDEFINED:
        return "OB" if vr in ("OB", "OW") else "SQ"
    # A sequence somebody wrote as UN may be in any encoding: its bytes are kept as they are.
    return "UN" if vr == "SQ" and element.vr == "UN" else vr


def _kept_up_to(vr: str) -> int:
    if vr in BINARY:
        return MAX_INLINE_BINARY
    return MAX_INLINE_NUMBERS if vr in NUMERIC else MAX_TEXT


def _add(found: DataSet, tag: int, attribute: Attribute) -> None:
    before = found.setdefault(tag, attribute)
    if before is not attribute and (before.raw is None or before != attribute):
        raise Part10Error("An attribute occurs twice, with different values.")
