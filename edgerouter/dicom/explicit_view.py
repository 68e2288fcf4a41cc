"""An instance as Explicit VR Little Endian, though it is held in another form without a pixel codec.

What web clients are owed (PS3.18 §8.7.3) out of Implicit VR (PS3.5 A.1), Deflated (A.5) and Encapsulated
Uncompressed (A.4.11) files. Only heads of elements are written anew; values stay where they stand in the
file. The result is None whenever another reading of the file is possible: the caller takes it for a miss.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edgerouter.dicom import pieces, source
from edgerouter.dicom.dataset import FULL_BYTES
from edgerouter.dicom.elements import is_explicit
from edgerouter.dicom.part10 import MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE, TRANSFER_SYNTAX, meta_elements
from edgerouter.dicom.pieces import Piece, Pieces
from edgerouter.dicom.rewriting import head, rewrite
from edgerouter.dicom.source import Inflated, Part10Error, Source
from edgerouter.dicom.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    transfer_syntax,
)
from edgerouter.dicom.walk import Doubtful

VIEWED = frozenset({IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, ENCAPSULATED_UNCOMPRESSED})
# Who wrote the new encoding (PS3.10 §7.1): a UUID of ours as a UID (PS3.5 B.2).
IMPLEMENTATION_CLASS = "2.25.332938196850327370430822127596269558048"
_GROUP_LENGTH, _IMPLEMENTATION, _VERSION_NAME = 0x00020000, 0x00020012, 0x00020013
_REQUIRED = {MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE}


class ExplicitView(NamedTuple):
    """The pieces that make the new file, `length` bytes in all.

    With `inflate_at` the references count in the inflated form of the deflate stream that begins there.
    """

    pieces: tuple[Piece, ...]
    inflate_at: int
    length: int


def explicit_view(path: str) -> ExplicitView | None:
    """The file at `path` as Explicit VR Little Endian; None when that is not certain, or not of VIEWED.

    For a worker process: plain values in and out. Raises OSError.
    """
    try:
        with source.opened(path) as descriptor:
            return view_source(source.of_file(descriptor))
    except (Part10Error, Doubtful):
        return None


def view_source(file: Source) -> ExplicitView | None:
    """As explicit_view, of a file that a source stands at the beginning of. Raises Part10Error, Doubtful."""
    found = Pieces(FULL_BYTES)
    uid = _meta(file, found)
    if uid not in VIEWED:
        return None
    syntax = transfer_syntax(uid)
    start = file.position if syntax.deflated else 0
    body = Inflated(file) if syntax.deflated else file
    explicit = is_explicit(body, declared=syntax.explicit)
    rewrite(body, syntax, found, explicit=explicit)
    made = found.done()
    return ExplicitView(made, start, sum(map(pieces.size, made)))


def read_view(path: str, view: ExplicitView, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Bytes `start` to `stop` of the new file, in chunks of at most 1 MiB. Raises Part10Error, OSError."""
    with source.opened(path) as descriptor:
        end = view.length if stop is None else stop
        yield from pieces.read(descriptor, view.pieces, start, end, inflate_at=view.inflate_at)


def _meta(file: Source, found: Pieces) -> str:
    """The new preamble and File Meta Information; the transfer syntax of the old one.

    The old preamble may make the file a TIFF besides, whose offsets would be wrong: it is left empty.
    """
    kept: dict[int, bytes] = {}
    uid = b""
    for element, raw in meta_elements(file):
        if element.tag in kept or len(raw) % 2:
            raise Doubtful
        if element.tag == TRANSFER_SYNTAX:
            uid = raw
        kept[element.tag] = head(element.tag, element.vr, len(raw)) + raw
    if not kept.keys() >= _REQUIRED:
        raise Doubtful
    kept.pop(_VERSION_NAME, None)
    for tag, new in ((TRANSFER_SYNTAX, EXPLICIT_LITTLE_ENDIAN), (_IMPLEMENTATION, IMPLEMENTATION_CLASS)):
        value = new.encode() + b"\0" * (len(new) % 2)
        kept[tag] = head(tag, "UI", len(value)) + value
    kept.pop(_GROUP_LENGTH, None)
    group = b"".join(kept[tag] for tag in sorted(kept))
    found.add(bytes(128) + b"DICM" + head(_GROUP_LENGTH, "UL", 4) + struct.pack("<L", len(group)) + group)
    return uid.decode("latin-1").rstrip("\0 ")
