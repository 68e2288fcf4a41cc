"""The reading process (law 13): parses files and documents outside the event loop and its interpreter lock.

It is asked over its standard input and answers over its standard output, one msgpack message each way, with
its length before it; it holds no state and ends when its input ends. Errors come back as sentences of ours:
what a file says never gets into a log.
"""

import contextlib
import os
import struct
import sys
from typing import BinaryIO

import msgspec

from edgerouter.dicom.describe import describe, locate_bulk
from edgerouter.dicom.dictionary import hex_tag
from edgerouter.dicom.document import locate_document
from edgerouter.dicom.explicit_view import explicit_view
from edgerouter.dicom.frames import frame_note
from edgerouter.dicom.part10 import PIXELS
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.xml_model import json_to_xml
from edgerouter.dicomweb.same_header import same_header
from edgerouter.dicomweb.xml_to_json import xml_to_json

LENGTH = struct.Struct("<L")
MAX_ATTRIBUTE = 4 << 10  # bytes of JSON of an attribute that can be searched for
MAX_ATTRIBUTES = 64 << 10
_NICENESS = 10
_NUMBER = range(-(2**31), 2**31)
_PIXELS = frozenset(map(hex_tag, PIXELS))
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What an index keeps of one file: describe.Description, and what follows from it.

    `attributes` is the metadata without what is too large to be searched for. `moment` is StudyDate and
    StudyTime, `series_number` and `number` are SeriesNumber and InstanceNumber: what results are sorted by.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    transfer_syntax: str
    size: int
    study_row: bytes
    series_row: bytes
    instance_row: bytes
    metadata: bytes
    frames: bytes
    attributes: bytes
    has_pixels: bool
    moment: str
    series_number: int | None
    number: int | None


class Describe(msgspec.Struct, tag=True):
    path: bytes
    bulk_base: str
    word: str = "bulkdata"


class Locate(msgspec.Struct, tag=True):
    path: bytes
    where: str


class Frames(msgspec.Struct, tag=True):
    path: bytes


class Compare(msgspec.Struct, tag=True):
    path: bytes
    row: bytes


class ToXml(msgspec.Struct, tag=True):
    row: bytes


class ToJson(msgspec.Struct, tag=True):
    documents: list[bytes]


class MakeView(msgspec.Struct, tag=True):
    path: bytes


class FindDocument(msgspec.Struct, tag=True):
    path: bytes


class Place(msgspec.Struct, array_like=True, frozen=True):
    """describe.BulkValue."""

    vr: str
    pieces: tuple[tuple[int, int], ...]
    inflate_at: int


class Document(msgspec.Struct, array_like=True, frozen=True):
    """dicom.document.Document."""

    media: str
    pieces: tuple[tuple[int, int], ...]
    inflate_at: int


class View(msgspec.Struct, array_like=True, frozen=True):
    """dicom.explicit_view.ExplicitView."""

    pieces: tuple[bytes | tuple[int, int], ...]
    inflate_at: int
    length: int


class Reply(msgspec.Struct, array_like=True):
    """`value` is the msgpack of the result; without one, `refusal` says why not, or `errno` does."""

    value: bytes = b""
    refusal: str = ""
    errno: int = 0


Request = Describe | Locate | Frames | Compare | ToXml | ToJson | FindDocument | MakeView


def answer(request: Request) -> Reply:
    """The reply to one request; never raises."""
    try:
        return Reply(msgspec.msgpack.encode(_result(request)))
    except Part10Error as error:
        return Reply(refusal=error.reason)
    except OSError as error:
        return Reply(refusal="The file cannot be read.", errno=error.errno or 0)
    except Exception:  # a fault of ours in the face of hostile bytes must not end the others' reading
        return Reply(refusal="The file cannot be understood.")


def _result(request: Request) -> object:
    match request:
        case Describe():
            return _entry(os.fsdecode(request.path), request.bulk_base, request.word)
        case Locate():
            value = locate_bulk(os.fsdecode(request.path), request.where)
            return value and Place(value.vr, value.pieces, value.inflate_at)
        case Frames():
            return frame_note(os.fsdecode(request.path))
        case Compare():
            return same_header(describe(os.fsdecode(request.path)).metadata, request.row)
        case ToXml():
            return json_to_xml(request.row)
        case ToJson():
            return [xml_to_json(document) for document in request.documents]
        case MakeView():
            view = explicit_view(os.fsdecode(request.path))
            return view and View(*view)
        case FindDocument():
            found = locate_document(os.fsdecode(request.path))
            return found and Document(*found)


def _entry(path: str, bulk_base: str, word: str) -> Entry:
    description = describe(path, bulk_base, word)
    everything = _attributes.decode(description.metadata)
    return Entry(
        *description,
        attributes=_searchable(everything),
        has_pixels=not _PIXELS.isdisjoint(everything),
        moment=f"{_first(everything, 'StudyDate')}{_first(everything, 'StudyTime')}",
        series_number=_number(_first(everything, "SeriesNumber")),
        number=_number(_first(everything, "InstanceNumber")),
    )


def _searchable(everything: dict[str, msgspec.Raw]) -> bytes:
    kept: dict[str, msgspec.Raw] = {}
    size = 0
    for tag, attribute in everything.items():
        length = len(bytes(attribute))
        if length <= MAX_ATTRIBUTE and size + length <= MAX_ATTRIBUTES:
            kept[tag] = attribute
            size += length
    return msgspec.json.encode(kept)


_TAGS = {
    "StudyDate": "00080020",
    "StudyTime": "00080030",
    "SeriesNumber": "00200011",
    "InstanceNumber": "00200013",
}


def _first(everything: dict[str, msgspec.Raw], keyword: str) -> object:
    attribute = everything.get(_TAGS[keyword])
    values = msgspec.json.decode(attribute).get("Value") if attribute else None
    return values[0] if values else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and value in _NUMBER else None


def run(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    decoder = msgspec.msgpack.Decoder(Request)
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        request = decoder.decode(requests.read(*LENGTH.unpack(head)))
        reply = msgspec.msgpack.encode(answer(request))
        answers.write(LENGTH.pack(len(reply)) + reply)
        answers.flush()


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # reading a large folder must not slow down those who read images
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may speak on this line
    answers.write(LENGTH.pack(0))
    answers.flush()
    run(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
