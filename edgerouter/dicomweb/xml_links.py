"""Links in the Native DICOM Model (PS3.19 §A.1), spliced out and in: every other byte stays as it came.

The same links as in JSON: BulkData at any depth of metadata, RetrieveURL (0008,1190) at the top of a search
row and in a Store answer. Comments, CDATA and text that look like one are none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgerouter.dicomweb.splice import MapUrl, spliced
from edgerouter.dicomweb.xml_scan import XmlError, XmlReader, attributes, escaped, past_tag, prefix, read

_RETRIEVE_URL = "00081190"
_REFERENCED = "00081199"
_MAX_TOKEN = 1 << 20  # bytes of one token: a tag, a comment


class BulkDataLinks:
    """Maps the URI of every BulkData element of a document that arrives in pieces.

    Raises XmlError for a document that is malformed or breaks off.
    """

    def __init__(self, map_url: MapUrl) -> None:
        self._map_url = map_url
        self._reader = XmlReader(self._start, self._progress, self._progress)
        self._held = b""
        self._base = 0  # offsets in the document: of the first held byte,
        self._done = 0  # of the first byte not yet put out,
        self._seen = 0  # of the token last reported
        self._out = bytearray()

    def feed(self, data: bytes) -> bytes:
        """What may leave now; at most one token is held back."""
        self._held += data
        self._reader.feed(data)
        if len(self._held) - (self._seen - self._base) > _MAX_TOKEN + len(data):
            raise XmlError("The XML has a token larger than allowed.")
        return self._released(self._seen)

    def finish(self) -> bytes:
        """The rest; raises XmlError when the document is not whole."""
        self._reader.feed(b"", last=True)
        return self._released(self._base + len(self._held))

    def _released(self, end: int) -> bytes:
        end = max(end, self._done)
        self._put(end)
        self._held, self._base = self._held[end - self._base :], end
        out, self._out = self._out, bytearray()
        return bytes(out)

    def _put(self, end: int) -> None:
        self._out += self._held[self._done - self._base : end - self._base]
        self._done = end

    def _progress(self, *_: object) -> None:
        self._seen = self._reader.offset

    def _start(self, name: str, values: dict[str, str], offset: int) -> None:
        self._seen = offset
        if name != "BulkData":
            return
        # PS3.19 writes `uri`, PS3.18 Annex F prints `URI`.
        for attribute, start, end in attributes(self._held, offset - self._base):
            if attribute in ("uri", "URI") and (url := self._map_url(values[attribute])) != values[attribute]:
                self._put(self._base + start)
                self._out += b'"' + escaped(url) + b'"'
                self._done = self._base + end


def metadata_links(document: bytes, map_url: MapUrl) -> bytes:
    """The document with every BulkData URI mapped; raises XmlError."""
    links = BulkDataLinks(map_url)
    return links.feed(document) + links.finish()


def retrieve_urls(document: bytes, url: str | MapUrl | None) -> bytes:
    """The search row with `url` as its RetrieveURL, in its place by tag; with a callable, its own
    RetrieveURLs mapped by it; with None, without the attribute. Nested ones are content and stay.

    Raises XmlError when the row is not a dataset or names the attribute twice."""
    dataset = _Dataset(document, [(_RETRIEVE_URL,)])
    own = [attribute for attribute in dataset.attributes if attribute.tag == _RETRIEVE_URL]
    if len(own) > 1:
        raise XmlError("A search row has two RetrieveURLs.")
    if callable(url):
        return dataset.mapped(url)
    if url is None:
        return spliced(document, [(each.start, each.end, b"") for each in own])
    if not dataset.end:
        raise XmlError("The dataset is empty.")
    element = _element(dataset.prefix, url)
    if own:
        return spliced(document, [(own[0].start, own[0].end, element)])
    later = [attribute.start for attribute in dataset.attributes if attribute.tag > _RETRIEVE_URL]
    at = later[0] if later else dataset.end
    return spliced(document, [(at, at, element)])


def _element(prefix: str, url: str) -> bytes:
    attribute = f'tag="{_RETRIEVE_URL}" vr="UR" keyword="RetrieveURL"'
    value = f'<{prefix}Value number="1">{escaped(url).decode()}</{prefix}Value>'
    return f"<{prefix}DicomAttribute {attribute}>{value}</{prefix}DicomAttribute>".encode()


def store_links(document: bytes, map_url: MapUrl) -> bytes:
    """The Store Instances Response Module with its RetrieveURLs mapped: the study's, and each stored
    instance's. Raises XmlError."""
    return _Dataset(document, [(_RETRIEVE_URL,), (_REFERENCED, _RETRIEVE_URL)]).mapped(map_url)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A top-level DicomAttribute and its extent in the document."""

    tag: str
    start: int
    end: int


class _Dataset:
    """Where the top-level attributes of a dataset stand, and the values at some paths of tags."""

    def __init__(self, document: bytes, paths: Sequence[tuple[str, ...]]) -> None:
        self.attributes: list[_Attribute] = []
        self.prefix = ""
        self.end = 0  # of the content; 0 when it has no room
        self._document, self._paths = document, paths
        self._open: list[tuple[str, str, int]] = []  # name, tag, offset
        self._values: list[tuple[int, int, str]] = []  # extent and text of each value
        self._text: list[str] = []
        read(document, self._start, self._stop, self._text.append)

    def mapped(self, map_url: MapUrl) -> bytes:
        """The document with the URLs at the paths mapped."""
        found = ((start, end, url, map_url(url)) for start, end, url in self._values)
        return spliced(self._document, [(s, e, escaped(new)) for s, e, url, new in found if new != url])

    def _start(self, name: str, values: dict[str, str], offset: int) -> None:
        if not self._open:
            self.prefix = prefix(self._document, offset)
        self._open.append((name, values.get("tag", "").upper(), offset))
        self._text.clear()

    def _stop(self, name: str, offset: int) -> None:
        _, tag, start = self._open.pop()
        begun, empty = past_tag(self._document, start)
        if name == "Value" and self._path() in self._paths and not empty:
            self._values.append((begun, offset, "".join(self._text).strip()))
        elif name == "DicomAttribute" and len(self._open) == 1:
            end = begun if empty else past_tag(self._document, offset)[0]
            self.attributes.append(_Attribute(tag, start, end))
        elif not self._open and not empty:
            self.end = offset

    def _path(self) -> tuple[str, ...]:
        return tuple(tag for name, tag, _ in self._open if name == "DicomAttribute")
