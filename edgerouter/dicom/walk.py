"""The order of elements and items of a data set, which is the same in every encoding: a strict walk.

Its user consumes the values. What readers could take for different things is Doubtful: an attribute twice or
out of order, odd lengths, lengths that do not meet, anything behind the data set but zeros.
"""

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from edgerouter.dicom import dictionary
from edgerouter.dicom.dataset import FULL_ELEMENTS, PIXEL_REPRESENTATION
from edgerouter.dicom.elements import (
    ITEM,
    ITEM_DELIMITER,
    MAX_DEPTH,
    SEQUENCE_DELIMITER,
    UNDEFINED,
    Budget,
    Element,
    ended,
    read_element,
    read_item,
)
from edgerouter.dicom.source import Source

_FIRST_GROUP = 8  # below it are commands, file meta information and the offsets of a DICOMDIR
_CREATOR = 64  # bytes at most
_MAX_PADDING = 64 * 1024


class Doubtful(Exception):
    """The file can be read in more than one way, or in a way we do not know."""


def delimiter(tag: int, length: int) -> bytes:
    """The head of an item, or of the end of one or of a sequence."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


@dataclass(frozen=True, slots=True)
class Level:
    """`signed` is Pixel Representation of the nearest data set that has it, None while nobody said."""

    depth: int = 0
    signed: bool | None = None


class Walk(ABC):
    """The order of elements and items, which is the same in every encoding."""

    explicit: bool

    def __init__(self, source: Source) -> None:
        self.source = source
        self.budget = Budget(FULL_ELEMENTS)

    @abstractmethod
    def element(self, begin: int, element: Element, creators: dict[int, str], level: Level) -> None:
        """Consume the value of an element whose head begins at `begin`."""

    def nested(self, delimiter: bytes) -> None:  # noqa: B027 (a walk may not care)
        """An item begins or ends here, or a sequence ends."""

    def data_set(self, end: int | None, level: Level) -> None:
        """The elements up to `end`; without one to the item delimiter, or at the top to the source's end."""
        creators: dict[int, str] = {}
        last = 0
        while not self._ended(end, level):
            begin = self.source.position
            if not level.depth and self.source.peek(2) == b"\0\0":
                self._padding()
                return
            element = read_element(self.source, explicit=self.explicit, nested=level.depth > 0)
            if level.depth and element.tag == ITEM_DELIMITER and end is None:
                return
            self.budget.spend()
            last = _checked(element, last)
            if element.tag == PIXEL_REPRESENTATION:
                signed = {b"\0\0": False, b"\1\0": True}.get(self.source.peek(min(element.length, 4)))
                level = replace(level, signed=signed)
            elif dictionary.is_creator(element.tag) and element.length <= _CREATOR:
                creators[element.tag] = self.source.peek(element.length).decode("latin-1").strip("\0 ")
            self.element(begin, element, creators, level)
        if end is not None and self.source.position != end:
            raise Doubtful

    def _padding(self) -> None:
        """Zeros behind the data set, which are left off; anything else there may be a sign of misreading."""
        for _ in range(_MAX_PADDING):
            if self.source.at_end:
                return
            if self.source.take(1) != b"\0":
                break
        raise Doubtful

    def items(self, element: Element, level: Level) -> None:
        """The items of a sequence whose value is next."""
        if level.depth >= MAX_DEPTH:
            raise Doubtful
        inner = replace(level, depth=level.depth + 1)
        end = None if element.length == UNDEFINED else self.source.position + element.length
        while end is None or self.source.position < end:
            tag, length = read_item(self.source)
            if tag == SEQUENCE_DELIMITER:
                if end is not None:
                    raise Doubtful
                break
            self.budget.spend()
            self.nested(delimiter(ITEM, UNDEFINED))
            self.data_set(None if length == UNDEFINED else self.source.position + length, inner)
            self.nested(delimiter(ITEM_DELIMITER, 0))
        if end is not None and self.source.position != end:
            raise Doubtful
        self.nested(delimiter(SEQUENCE_DELIMITER, 0))

    def _ended(self, end: int | None, level: Level) -> bool:
        if end is not None:
            return self.source.position >= end
        return level.depth == 0 and ended(self.source)


def _checked(element: Element, last: int) -> int:
    """The tag. Of an attribute that occurs twice, or out of order, readers take different values."""
    if element.tag <= last or element.tag >> 16 < _FIRST_GROUP:
        raise Doubtful
    if element.length != UNDEFINED and element.length % 2:
        raise Doubtful
    return element.tag
