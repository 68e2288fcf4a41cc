"""XML from an upstream, read without trust: no DTD, hence no entities of its own; bounded depth.

Expat tells where in the bytes each tag stands, so that links can be spliced and all else stays as it came.
"""

import re
from collections.abc import Callable, Iterator
from xml.parsers import expat

MAX_DEPTH = 64
MAX_ATTRIBUTES = 256  # of one element; the Native DICOM Model (PS3.19 §A.1) uses four

_NAME = re.compile(rb"</?[^\s/>]+")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_CLOSE = re.compile(rb"\s*(/?)>")


class XmlError(ValueError):
    """The document is not the XML that was expected, or asks for what is not done here."""


class XmlReader:
    """Reports a document to `start(name, attributes, offset)`, `end(name, offset)` and `text(characters)`.

    Names come without their prefix; offsets are those of the tags' first bytes. A document is taken for
    UTF-8 whatever it declares: others would not keep the bytes of a link recognisable, except those that
    agree with it on what they use. Every fault raises XmlError.
    """

    def __init__(
        self,
        start: Callable[[str, dict[str, str], int], None],
        end: Callable[[str, int], None],
        text: Callable[[str], None],
    ) -> None:
        self._start, self._end = start, end
        self._depth = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartDoctypeDeclHandler = _doctype
        self._parser.StartElementHandler = self._opened
        self._parser.EndElementHandler = self._closed
        self._parser.CharacterDataHandler = text

    @property
    def offset(self) -> int:
        """Where the token being reported begins, in bytes from the start of the document."""
        return self._parser.CurrentByteIndex

    def feed(self, data: bytes, *, last: bool = False) -> None:
        if b"\0" in data:  # XML has none; expat would read on in UTF-16 whatever it was told
            raise XmlError("The XML is not UTF-8.")
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise XmlError("The XML is malformed.") from error

    def _opened(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise XmlError("The XML is nested too deep, or an element has too many attributes.")
        self._start(local(name), attributes, self.offset)

    def _closed(self, name: str) -> None:
        self._depth -= 1
        self._end(local(name), self.offset)


def read(
    document: bytes,
    start: Callable[[str, dict[str, str], int], None],
    end: Callable[[str, int], None],
    text: Callable[[str], None],
) -> None:
    """Report a whole document; raises XmlError."""
    XmlReader(start, end, text).feed(document, last=True)


def local(name: str) -> str:
    """The name without its namespace prefix."""
    return name.rpartition(":")[2]


def prefix(document: bytes, tag: int) -> str:
    """The namespace prefix, colon included, that the tag at that offset uses; "" when it has none."""
    before, colon, _ = _matched(_NAME, document, tag)[0].lstrip(b"</").rpartition(b":")
    return (before + colon).decode()


def attributes(document: bytes, tag: int) -> Iterator[tuple[str, int, int]]:
    """Name and extent (quotes included) of each attribute of the tag at that offset."""
    at = _matched(_NAME, document, tag).end()
    while match := _ATTRIBUTE.match(document, at):
        yield match[1].decode(), match.start(2), match.end(2)
        at = match.end()


def past_tag(document: bytes, tag: int) -> tuple[int, bool]:
    """Where the tag at that offset ends, and whether it is an empty element's."""
    ends = [end for _, _, end in attributes(document, tag)]
    at = ends[-1] if ends else _matched(_NAME, document, tag).end()
    close = _matched(_CLOSE, document, at)
    return close.end(), bool(close[1])


def escaped(text: str) -> bytes:
    """The text for element content or a double-quoted attribute, in ASCII."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text.encode("ascii", "xmlcharrefreplace")


def _matched(pattern: re.Pattern[bytes], document: bytes, at: int) -> re.Match[bytes]:
    match = pattern.match(document, at)
    if match is None:
        raise XmlError("The XML is malformed.")
    return match


def _doctype(*_: object) -> None:
    raise XmlError("The XML has a document type declaration.")
