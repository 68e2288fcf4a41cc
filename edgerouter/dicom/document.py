"""The document inside an instance (PS3.3 C.24.2): where it stands, what it is, and how long it really is.

A held instance then answers for it as `application/pdf` and the like without a renderer. A value has even
length in the file and the document may not; the padding is left off only where that is certain. Everything
doubtful is None, which the caller takes for a miss.
"""

import struct
from typing import NamedTuple

from edgerouter.dicom import source, text
from edgerouter.dicom.dataset import DataSet, read_data_set
from edgerouter.dicom.part10 import read_meta, texts
from edgerouter.dicom.source import Inflated

DOCUMENT, MEDIA_TYPE, LENGTH = 0x00420011, 0x00420012, 0x00420015
# The types of the encapsulated storage classes. Others are not given out: a browser would run text/html or
# an SVG image in our own origin.
MEDIA_TYPES = frozenset({"application/pdf", "model/mtl", "model/obj", "model/stl", "text/xml"})
_TEXT = frozenset({"model/mtl", "model/obj", "text/xml"})
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")  # how text in UTF-16 or UTF-32 begins
_EDGE = 16  # bytes of either end that are looked at


class Document(NamedTuple):
    """An encapsulated document: its media type, its (offset, length) pieces in the file.

    With `inflate_at` the offsets count in the inflated form of the deflate stream that begins there.
    """

    media: str
    pieces: tuple[tuple[int, int], ...]
    inflate_at: int

    @property
    def length(self) -> int:
        """Its size in bytes."""
        return sum(length for _, length in self.pieces)


def locate_document(path: str) -> Document | None:
    """The document of the PS3.10 file at `path`; None when it has none, or its type or length is doubtful.

    For a worker process: plain values in and out. Raises Part10Error, OSError.
    """
    with source.opened(path) as descriptor:
        file = source.of_file(descriptor)
        _, syntax = read_meta(file)
        start = file.position if syntax.deflated else 0
        data_set = read_data_set(Inflated(file) if syntax.deflated else file, explicit=syntax.explicit)
        found = data_set.get(DOCUMENT)
        media = (_values(data_set, MEDIA_TYPE) or ("",))[0].lower()
        if (
            found is None
            or found.vr not in ("OB", "UN")
            or len(found.pieces) != 1
            or media not in MEDIA_TYPES
        ):
            return None
        ((offset, size),) = found.pieces
        edge = min(size, _EDGE)
        ends = ((offset, edge), (offset + size - edge, edge))
        head, tail = (b"".join(source.read_pieces(descriptor, [end], inflate_at=start)) for end in ends)
    length = _length(size, _values(data_set, LENGTH), media, head, tail)
    return None if length is None else Document(media, ((offset, length),), start)


def _values(data_set: DataSet, tag: int) -> tuple[str, ...] | None:
    """The values of an attribute as text; None when it is absent."""
    attribute = data_set.get(tag)
    if attribute is None or attribute.raw is None:
        return None
    if attribute.vr == "UL" and len(attribute.raw) % struct.calcsize("<L"):
        return ("",)
    return texts(attribute.raw, attribute.vr, text.DEFAULT)


def _length(size: int, said: tuple[str, ...] | None, media: str, head: bytes, tail: bytes) -> int | None:
    """The length of a document that a value of `size` bytes holds; None when that is doubtful."""
    padded = tail.endswith(b"\0")
    if said:
        if said == (str(size),):
            return size
        return size - 1 if said == (str(size - 1),) and padded and size % 2 == 0 else None
    if not padded or size % 2:
        return size
    return size - 1 if _is_padding(media, head, tail[:-1]) else None


def _is_padding(media: str, head: bytes, tail: bytes) -> bool:
    """Whether a NUL behind `tail` cannot be of the document: nothing follows a PDF's end, text has none."""
    if media == "application/pdf":
        return tail.endswith((b"%%EOF", b"%%EOF\n", b"%%EOF\r", b"%%EOF\r\n"))
    return media in _TEXT and not head.startswith(_WIDE) and b"\0" not in head + tail
