"""A data set made one in Explicit VR Little Endian with native pixels, element by element (PS3.5 A.2).

One pass forward in bounded memory: small values are copied, large ones stay where they stand.

- Out of implicit VR: the VRs are the public dictionary's. Private values are UN as they stand (§6.2.2), but
  for their creators and for sequences. What the dictionary leaves open is OW; of "US or SS" Pixel
  Representation decides. Sequences come out with undefined lengths, group lengths are left off.
- Out of explicit VR: elements stay as they are; pixels in fragments are joined.
- Whatever a reader of the old form and one of the new could take for something else is Doubtful.
"""

import struct

from edgerouter.dicom import dictionary
from edgerouter.dicom.dataset import PIXEL_REPRESENTATION
from edgerouter.dicom.elements import ITEM, UNDEFINED, Element, is_explicit, skip_value
from edgerouter.dicom.frames import FACTS, PIXEL_DATA, TABLES, pixel_table, shape
from edgerouter.dicom.pieces import Pieces
from edgerouter.dicom.source import Source
from edgerouter.dicom.syntaxes import TransferSyntax
from edgerouter.dicom.walk import Doubtful, Level, Walk, delimiter

_COPIED = 4096  # bytes of a value that is copied rather than referred to
_MAX_FACT = 1 << 20
_LONGEST_SHORT = 65534  # bytes of a value whose VR has a length of two bytes
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_LENGTH_TO_END = 0x00080001


def head(tag: int, vr: str, length: int) -> bytes:
    """The head of an element in explicit VR."""
    name = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode("ascii")
    return name + (struct.pack("<HL", 0, length) if vr in _LONG else struct.pack("<H", length))


def rewrite(source: Source, syntax: TransferSyntax, found: Pieces, *, explicit: bool) -> None:
    """Put the data set that `source` stands at the beginning of into `found`.

    `explicit` is how it is encoded in fact. Raises Part10Error, Doubtful.
    """
    if not explicit and is_explicit(source, declared=True):
        raise Doubtful  # it says implicit, and looks otherwise
    walk = _Keeping(source, syntax, found) if explicit else _Reencoding(source, found)
    walk.data_set(None, Level())


class _Reencoding(Walk):
    """From implicit VR."""

    explicit = False

    def __init__(self, source: Source, found: Pieces) -> None:
        super().__init__(source)
        self.found = found

    def nested(self, delimiter: bytes) -> None:
        self.found.add(delimiter)

    def element(self, begin: int, element: Element, creators: dict[int, str], level: Level) -> None:
        tag, length = element.tag, element.length
        if tag & 0xFFFF == 0 or tag == _LENGTH_TO_END:  # of the old encoding
            self.source.skip(length)
            return
        vr = self._vr(element, creators, level)
        if vr == "SQ":
            self.found.add(head(tag, vr, UNDEFINED))
            self.items(element, level)
            return
        if length == UNDEFINED:
            raise Doubtful
        if length > _LONGEST_SHORT and vr not in _LONG:
            vr = "UN"
        self.found.add(head(tag, vr, length))
        if length <= _COPIED:
            self.found.add(self.source.take(length))
        else:
            self.found.refer(self.source.position, length)
            self.source.skip(length)

    def _vr(self, element: Element, creators: dict[int, str], level: Level) -> str:
        tag = element.tag
        if dictionary.public_vr(tag) == "US or SS":
            return self._us_or_ss(element, level)
        vr = dictionary.vr_of(tag, creators, signed=False)
        if element.length == UNDEFINED:
            return "SQ" if vr == "UN" else vr  # nothing else can be of undefined length in implicit VR
        if not dictionary.is_private(tag) or dictionary.is_creator(tag):
            return vr
        return "SQ" if vr == "SQ" and self._looks_like_items(element.length) else "UN"

    def _us_or_ss(self, element: Element, level: Level) -> str:
        # A data set may tell its Pixel Representation behind the element; small numbers are both.
        certain = level.signed is not None and element.tag > PIXEL_REPRESENTATION
        if not certain and (
            element.length > _COPIED or any(high > 0x7F for high in self.source.peek(element.length)[1::2])
        ):
            raise Doubtful
        return "SS" if level.signed else "US"

    def _looks_like_items(self, length: int) -> bool:
        return length == 0 or (length >= 8 and self.source.peek(4) == delimiter(ITEM, 0)[:4])


class _Keeping(Walk):
    """From explicit VR: top-level elements are referred to whole."""

    explicit = True

    def __init__(self, source: Source, syntax: TransferSyntax, found: Pieces) -> None:
        super().__init__(source)
        self.found = found
        self._syntax = syntax
        self._facts: dict[int, tuple[str, bytes]] = {}

    def element(self, begin: int, element: Element, creators: dict[int, str], level: Level) -> None:
        top = level.depth == 0
        if top and self._syntax.encapsulated and self._replaced(element):
            return
        if element.vr == "":  # implicit VR inside explicit: no two readers agree
            raise Doubtful
        if element.vr == "SQ":
            self.items(element, level)
        elif element.length == UNDEFINED and element.vr != "UN":
            raise Doubtful  # fragments, which Explicit VR Little Endian does not have
        else:
            skip_value(self.source, element, explicit=True, budget=self.budget)
        if top:
            self.found.refer(begin, self.source.position - begin)

    def _replaced(self, element: Element) -> bool:
        """Whether an element of encapsulated pixels was given another form, or left off."""
        if element.tag == _LENGTH_TO_END:
            raise Doubtful
        if element.tag in FACTS:
            if element.length > _MAX_FACT:
                raise Doubtful
            self._facts[element.tag] = element.vr, self.source.peek(element.length)
        if element.tag == PIXEL_DATA:
            self._join(element)
            return True
        if element.tag in TABLES or element.tag == PIXEL_DATA & 0xFFFF0000:
            self.source.skip(element.length)
            return True
        return False

    def _join(self, element: Element) -> None:
        """The frames one behind another, without the padding of each (PS3.5 §8.1.1, A.4.11)."""
        if element.length != UNDEFINED:
            raise Doubtful
        table = pixel_table(self.source, element, self._syntax, self._facts)
        form = shape(self._facts)
        if table is None or form is None:
            raise Doubtful
        frames = [piece for number in range(1, table.frames + 1) for piece in table.pieces(number)]
        length = sum(size for _, size in frames)
        if length >= UNDEFINED - 1:
            raise Doubtful
        vr = "OW" if form.bits_allocated > 8 else "OB"
        self.found.add(head(PIXEL_DATA, vr, length + length % 2))
        for offset, size in frames:
            self.budget.spend()
            self.found.refer(offset, size)
        self.found.add(b"\0" * (length % 2))
