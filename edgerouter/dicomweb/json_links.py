"""Links in DICOM JSON (PS3.18 §F), spliced out and in: every other byte of the text stays as it came.

In metadata only BulkDataURI is a link of the server's own, at any depth; RetrieveURL (0008,1190) is one at
the top of a search row and in a Store answer, while inside stored datasets it is content.
"""

import json
import re
from collections.abc import Iterator

from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import JsonError, Member, elements, members, past_space, string
from edgerouter.dicomweb.splice import Edit, MapUrl, spliced

_RETRIEVE_URL = "00081190"
_REFERENCED = "00081199"
_MAX_LITERAL = 64 << 10  # bytes of one URL as it is written


def _spellings(letter: str) -> str:
    """The letter itself, or its escape with hexadecimal digits of either case."""
    digits = "".join(f"[{d}{d.lower()}]" if d.isalpha() else d for d in f"{ord(letter):04X}")
    return rf"(?:{letter}|\\u{digits})"


# A quote after a backslash opens no string: it stands inside one.
_KEY = re.compile(rb'(?<!\\)"BulkDataURI"')
_ESCAPED_KEY = re.compile(r'(?<!\\)"{}"'.format("".join(map(_spellings, "BulkDataURI"))).encode())
_LONGEST_KEY = 2 + 6 * len("BulkDataURI")
_LITERAL = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*"', re.DOTALL)


class BulkDataLinks:
    """Maps every BulkDataURI of a JSON text that arrives in pieces, at any depth.

    Raises JsonError for a URL that is longer than 64 KiB or no legal string.
    """

    def __init__(self, map_url: MapUrl) -> None:
        self._map_url = map_url
        self._held = b""
        self._awaited = b":"
        self._step = self._seek

    def feed(self, data: bytes) -> bytes:
        """What may leave now; at most a key or one URL is held back."""
        self._held += data
        out = bytearray()
        while self._step(out):
            pass
        return bytes(out)

    def finish(self) -> bytes:
        """The rest; raises JsonError when the text breaks off within a URL."""
        if self._step == self._literal:
            raise JsonError("The JSON breaks off.")
        rest, self._held = self._held, b""
        return rest

    def _release(self, end: int, out: bytearray) -> None:
        out += self._held[:end]
        self._held = self._held[end:]

    def _seek(self, out: bytearray) -> bool:
        """Pass everything up to and including the next key."""
        key = (_ESCAPED_KEY if b"\\u" in self._held else _KEY).search(self._held)
        if key:
            self._release(key.end(), out)
            self._awaited, self._step = b":", self._punctuation
            return True
        # What may be the beginning of a key stays, and one byte before it: it may be a backslash.
        size = len(self._held)
        quote = self._held.rfind(b'"', max(0, size - _LONGEST_KEY))
        self._release(max(0, (size if quote < 0 else quote) - 1), out)
        return False

    def _punctuation(self, out: bytearray) -> bool:
        """Pass the colon and the opening quote; anything else means that this was no link."""
        at = past_space(self._held)
        if at == len(self._held):
            self._release(at, out)
            return False
        if self._held[at : at + 1] != self._awaited:
            self._step = self._seek
        elif self._awaited == b":":
            self._release(at + 1, out)
            self._awaited = b'"'
        else:
            self._release(at, out)
            self._step = self._literal
        return True

    def _literal(self, out: bytearray) -> bool:
        """Replace one URL once its closing quote is here."""
        literal = _LITERAL.match(self._held)
        if (literal.end() if literal else len(self._held)) > _MAX_LITERAL:
            raise JsonError("A BulkDataURI is longer than 64 KiB.")
        if literal is None:
            return False
        out += _mapped(literal[0], self._map_url)
        self._held = self._held[literal.end() :]
        self._step = self._seek
        return True


def retrieve_urls(row: bytes, url: str | MapUrl | None) -> bytes:
    """The search row with `url` as its RetrieveURL, in its place by tag; with a callable, its own
    RetrieveURLs mapped by it; with None, without the attribute. Nested ones are content and stay.

    Raises JsonError when the row is not a JSON object or names the attribute twice."""
    found = list(members(row, past_space(row)))
    at = [index for index, member in enumerate(found) if member.key == _RETRIEVE_URL]
    if len(at) > 1:
        raise JsonError("A search row has two RetrieveURLs.")
    if callable(url):
        return spliced(row, (edit for index in at for edit in _edits(row, found[index].value, url)))
    if url is None:
        return spliced(row, (_removal(found, index) for index in at))
    attribute = json.dumps({"vr": "UR", "Value": [url]}, separators=(",", ":")).encode()
    if at:
        return spliced(row, [(found[at[0]].value, found[at[0]].end, attribute)])
    return spliced(row, [_insertion(row, found, f'"{_RETRIEVE_URL}":'.encode() + attribute)])


def store_links(body: bytes, map_url: MapUrl) -> bytes:
    """The Store Instances Response Module with its RetrieveURLs mapped: the study's, and each stored
    instance's. A one-element array is taken as its element. Raises JsonError for anything else."""
    splitter = ArraySplitter(lone=True)
    rows = len(splitter.feed(body))
    splitter.finish()
    if rows != 1:
        raise JsonError("A Store answer is one object.")
    return spliced(body, _module_edits(body, body.index(b"{"), map_url))


def _module_edits(body: bytes, start: int, map_url: MapUrl) -> Iterator[Edit]:
    for member in members(body, start):
        if member.key == _RETRIEVE_URL:
            yield from _edits(body, member.value, map_url)
        elif member.key == _REFERENCED:
            for item, _ in _values(body, member.value):
                yield from _item_edits(body, item, map_url)


def _item_edits(body: bytes, start: int, map_url: MapUrl) -> Iterator[Edit]:
    for member in members(body, start):
        if member.key == _RETRIEVE_URL:
            yield from _edits(body, member.value, map_url)


def _edits(text: bytes, attribute: int, map_url: MapUrl) -> Iterator[Edit]:
    """One edit for each URL of the attribute object that opens there."""
    for start, end in _values(text, attribute):
        if text[start : start + 1] == b'"':
            yield start, end, _mapped(text[start:end], map_url)


def _values(text: bytes, attribute: int) -> Iterator[tuple[int, int]]:
    for member in members(text, attribute):
        if member.key == "Value" and text[member.value : member.value + 1] == b"[":
            yield from elements(text, member.value)


def _mapped(literal: bytes, map_url: MapUrl) -> bytes:
    """The string literal with its URL mapped; unchanged to the byte when the URL is."""
    url = string(literal)
    mapped = map_url(url)
    return literal if mapped == url else json.dumps(mapped).encode()


def _removal(found: list[Member], index: int) -> Edit:
    """The member and one of its commas."""
    if index + 1 < len(found):
        return found[index].start, found[index + 1].start, b""
    return found[index - 1].end if index else found[index].start, found[index].end, b""


def _insertion(row: bytes, found: list[Member], member: bytes) -> Edit:
    """Before the first greater tag: PS3.18 §F.2.2 wants the tags ascending."""
    for later in found:
        if later.key > _RETRIEVE_URL:
            return later.start, later.start, member + b","
    if found:
        return found[-1].end, found[-1].end, b"," + member
    inside = row.index(b"{") + 1
    return inside, inside, member
