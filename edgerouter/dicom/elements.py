"""Data elements one by one (PS3.5 §7): their heads are read, their values taken, skipped or descended into.

Little endian only. Nothing here trusts a length, a depth or a number of elements.
"""

import struct
from typing import NamedTuple

from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, STANDARD_VR

from edgerouter.dicom.source import Part10Error, Source

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD
MAX_DEPTH = 32
MAX_ELEMENTS = 50_000
MAX_FRAGMENTS = 4_000_000

_SHORT = {str(vr).encode() for vr in EXPLICIT_VR_LENGTH_16}  # two bytes of length (PS3.5 Table 7.1-2)
_KNOWN = {str(vr).encode() for vr in STANDARD_VR}
_head = struct.Struct("<HH2sH").unpack
_length = struct.Struct("<L").unpack


class Element(NamedTuple):
    """The head of a data element. `vr` is "" where the encoding does not say it; `offset` is its value's."""

    tag: int
    vr: str
    length: int
    offset: int


class Budget:
    """How many more elements may be looked at in one data set, nested ones included."""

    def __init__(self, elements: int = MAX_ELEMENTS) -> None:
        self.elements = elements

    def spend(self) -> None:
        self.elements -= 1
        if self.elements < 0:
            raise Part10Error("The data set has too many elements.")


def read_element(source: Source, *, explicit: bool, nested: bool = False) -> Element:
    """The next element's head; the source then stands at its value. One of group 0 is padding.

    `nested` lets an element of a sequence item be in implicit VR though the file says explicit: some
    writers do that. At the top it is a sign that we are reading garbage. Raises Part10Error, NeedMore.
    """
    group, number, vr, length = _head(source.take(8))
    tag = group << 16 | number
    if group == 0xFFFE and not (nested and tag == ITEM_DELIMITER):
        raise Part10Error("There is an item, or its end, where there is no sequence.")
    if group in (0, 0xFFFE) or not explicit:
        return Element(tag, "", _long(vr, length), source.position)
    if vr in _SHORT:
        return Element(tag, vr.decode(), length, source.position)
    if vr in _KNOWN or (vr.isalpha() and vr.isupper()):
        # PS3.5 §6.2: a VR not known yet has a four-byte length, and is handled as UN.
        name = vr.decode() if vr in _KNOWN else "UN"
        (length,) = _length(source.take(4))
        return Element(tag, name, length, source.position)
    if nested:
        return Element(tag, "", _long(vr, length), source.position)
    raise Part10Error("An element has no legal value representation.")


def is_explicit(source: Source, *, declared: bool) -> bool:
    """Whether the data set at the source's position is in explicit VR.

    Some writers declare a compressed transfer syntax and then write implicit VR; the first element shows it.
    """
    if not declared or source.at_end or source.left < 8:
        return declared
    vr = source.peek(8)[4:6]
    return vr.isalpha() and vr.isupper()


def _long(low: bytes, high: int) -> int:
    return low[0] | low[1] << 8 | high << 16


def ended(source: Source) -> bool:
    """True at the end of a data set: of the source, or of all but zero bytes too few to be an element."""
    return source.at_end or (source.complete and source.left < 8 and not any(source.peek(source.left)))


def read_item(source: Source) -> tuple[int, int]:
    """Tag and length of an item or of a sequence delimiter. Raises Part10Error for anything else."""
    group, number, length = struct.unpack("<HHL", source.take(8))
    tag = group << 16 | number
    if tag not in (ITEM, SEQUENCE_DELIMITER):
        raise Part10Error("A sequence holds something that is not an item.")
    return tag, length


def skip_value(source: Source, element: Element, *, explicit: bool, budget: Budget, depth: int = 0) -> None:
    """Pass over an element's value, of defined or undefined length."""
    if element.length != UNDEFINED:
        source.skip(element.length)
        return
    if depth > MAX_DEPTH:
        raise Part10Error("The data set is nested too deeply.")
    inner = explicit and element.vr != "UN"  # PS3.5 §6.2.2: UN of undefined length is in implicit VR
    while True:
        tag, length = read_item(source)
        if tag == SEQUENCE_DELIMITER:
            return
        budget.spend()
        if length != UNDEFINED:
            source.skip(length)
        else:
            _skip_item(source, explicit=inner, budget=budget, depth=depth)


def _skip_item(source: Source, *, explicit: bool, budget: Budget, depth: int) -> None:
    while True:
        element = read_element(source, explicit=explicit, nested=True)
        if element.tag == ITEM_DELIMITER:
            return
        budget.spend()
        skip_value(source, element, explicit=explicit, budget=budget, depth=depth + 1)
