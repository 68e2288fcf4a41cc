"""The elements of a JSON array of datasets (PS3.18 §F.2), one by one, as the bytes they are.

Search and metadata answers may be far larger than memory should be; a row is handed on as soon as its last
bracket is here, checked for grammar and nothing else: numbers, escapes and white space stay as they came.
"""

import codecs

import msgspec

from edgerouter.dicomweb.json_scan import Brackets, JsonError, past_space

MAX_ELEMENT = 32 << 20  # bytes; metadata of a large whole-slide instance has some 10 MB
MAX_TOTAL = 4 << 30
_PIECE = 64 << 10

# The bytes that may come next outside any element, after white space: the grammar of an array of objects.
_START, _LONE_START, _FIRST, _NEXT, _MORE, _DONE = b"[", b"[{", b"{]", b",]", b"{", b""


class ArraySplitter:
    """Splits a JSON array of objects that arrives in pieces.

    `element_limit` and `total_limit` are in bytes; `lone` also takes a single object as one row, as some
    archives answer. Every fault raises JsonError, after which the splitter is of no further use.
    """

    def __init__(
        self, *, element_limit: int = MAX_ELEMENT, total_limit: int = MAX_TOTAL, lone: bool = False
    ) -> None:
        self._element_limit = element_limit
        self._left = total_limit
        self._held = bytearray()
        self._begun = 0  # in _held: where the element begins, and how far it was read
        self._read = 0
        self._brackets = Brackets()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._expected = _LONE_START if lone else _START
        self._after = _NEXT  # what is expected once the element is complete

    def feed(self, data: bytes) -> list[bytes]:
        """The elements that are complete with `data`, in order, byte for byte."""
        self._left -= len(data)
        if self._left < 0:
            raise JsonError("The JSON is larger than allowed.")
        rows: list[bytes] = []
        for start in range(0, len(data), _PIECE):
            self._take(data[start : start + _PIECE], rows)
        return rows

    def finish(self) -> None:
        """Promise that the array was whole; raises JsonError when it broke off or never began."""
        if self._expected != _DONE:
            raise JsonError("The JSON breaks off.")

    def _take(self, piece: bytes, rows: list[bytes]) -> None:
        try:
            self._utf8.decode(piece)
        except UnicodeDecodeError as error:
            raise JsonError("The JSON is not UTF-8.") from error
        self._held += piece
        while self._brackets.open or self._between():
            row = self._inside()
            if row is None:
                break
            rows.append(row)
        del self._held[: self._begun]
        self._read -= self._begun
        self._begun = 0

    def _inside(self) -> bytes | None:
        """The element, when its end is here."""
        self._read = self._brackets.advance(self._held, self._read)
        if self._read - self._begun > self._element_limit:
            raise JsonError("An element of the JSON array is larger than allowed.")
        if self._brackets.open:
            return None
        row = bytes(self._held[self._begun : self._read])
        self._begun, self._expected = self._read, self._after
        return _checked(row)

    def _between(self) -> bool:
        """Read what stands between elements; True once an element has begun."""
        while (at := past_space(self._held, self._read)) < len(self._held):
            byte = self._held[at]
            if byte not in self._expected:
                raise JsonError("The JSON is not an array of objects.")
            self._begun, self._read = at, at + 1
            if byte == ord("{"):
                self._after = _DONE if self._expected == _LONE_START else _NEXT
                self._brackets.enter()
                return True
            self._expected = {"[": _FIRST, ",": _MORE, "]": _DONE}[chr(byte)]
        self._begun = self._read = at
        return False


def _checked(row: bytes) -> bytes:
    """The row, its grammar proved; nothing is decoded."""
    try:
        msgspec.json.decode(row, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise JsonError("An element of the JSON array is malformed.") from error
    return row
