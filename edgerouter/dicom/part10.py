"""The head of a PS3.10 file: File Meta Information and the top-level attributes before the pixels.

A shallow reader of our own, because what it reads comes from the network: it looks at nothing but the heads
of elements and the values asked for, follows no length it has not checked, and works on the first bytes of a
file that is still arriving (Store routing, PS3.18 §10.5; frames of an instance being filled).
"""

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from edgerouter.dicom import dictionary, source, text
from edgerouter.dicom.elements import UNDEFINED, Budget, Element, ended, is_explicit, read_element, skip_value
from edgerouter.dicom.source import Inflated, NeedMore, Part10Error, Source
from edgerouter.dicom.syntaxes import TransferSyntax, transfer_syntax

ROUTING_LIMIT = 64 * 1024  # bytes of a file that Store routing looks at
MAX_INFLATED_HEAD = 1024 * 1024
MAX_META = 64 * 1024
MAX_VALUE = 64 * 1024  # bytes of one value that is kept

CHARACTER_SET = 0x00080005
SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
MODALITY, PATIENT_ID = 0x00080060, 0x00100020
STUDY_INSTANCE, SERIES_INSTANCE = 0x0020000D, 0x0020000E
IDENTITY = (SOP_CLASS, SOP_INSTANCE, MODALITY, PATIENT_ID, STUDY_INSTANCE, SERIES_INSTANCE)
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # Float, Double Float and Pixel Data
TRANSFER_SYNTAX = 0x00020010
MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE = 0x00020002, 0x00020003

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*\Z")
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}


@dataclass(frozen=True, slots=True)
class Header:
    """What the head of a file says.

    `values` holds the attributes that were asked for and are present, each as its decoded text values
    (numbers as decimal text; () when empty or binary); `raw` their VRs and encoded values. `pixels` is the
    pixel data element, when the reading went as far; of a deflated file its offset counts in the inflated
    data set, which begins at `data_set`.
    """

    syntax: TransferSyntax
    media_sop_class: str
    media_sop_instance: str
    data_set: int
    values: Mapping[int, tuple[str, ...]]
    raw: Mapping[int, tuple[str, bytes]]
    pixels: Element | None

    def first(self, tag: int) -> str:
        """The first value of an attribute, "" when it is absent or empty."""
        return next(iter(self.values.get(tag, ())), "")

    @property
    def identity(self) -> tuple[str, str, str]:
        """Study, Series and SOP Instance UID. Raises Part10Error when one is missing or not a UID."""
        uids = tuple(self.first(tag) for tag in (STUDY_INSTANCE, SERIES_INSTANCE, SOP_INSTANCE))
        if not all(is_uid(uid) for uid in uids):
            raise Part10Error("The data set lacks a valid Study, Series or SOP Instance UID.")
        return uids[0], uids[1], uids[2]


def is_uid(uid: str) -> bool:
    """PS3.5 §9.1, leading zeros let pass."""
    return len(uid) <= 64 and _UID.match(uid) is not None


def read_header(
    data: bytes, wanted: Iterable[int] = (), *, complete: bool = False, limit: int = ROUTING_LIMIT
) -> Header:
    """The head of the file that `data` begins: identity and `wanted` top-level tags.

    Reading stops behind the last of them, or at the pixels. Raises Part10Error when this is no file we
    can read or its head is longer than `limit` bytes; NeedMore when `data` ends first and is not
    `complete`. Call again with more bytes then: nothing is kept between calls.
    """
    seen = data[:limit]
    whole = complete and len(data) <= limit
    try:
        return scan_header(source.of_bytes(seen, complete=whole), {*IDENTITY, *wanted})
    except NeedMore as more:
        if more.wanted > limit or len(seen) == limit:
            raise Part10Error(f"The attributes asked for are not in the first {limit} bytes.") from None
        raise


def scan_header(file: Source, wanted: Collection[int]) -> Header:
    """As read_header, over any source that stands at the beginning of a file, without a limit of its own."""
    meta, syntax = read_meta(file)
    start = file.position
    body = Inflated(file, limit=MAX_INFLATED_HEAD) if syntax.deflated else file
    found, pixels = scan(body, syntax, frozenset(wanted))
    terms = found.get(CHARACTER_SET, ("CS", b""))[1]
    codecs = text.encodings(tuple(text.values(terms, text.DEFAULT, "CS")))
    return Header(
        syntax=syntax,
        media_sop_class=meta.get(MEDIA_SOP_CLASS, ""),
        media_sop_instance=meta.get(MEDIA_SOP_INSTANCE, ""),
        data_set=start,
        values={tag: texts(raw, vr, codecs) for tag, (vr, raw) in found.items()},
        raw=found,
        pixels=pixels,
    )


def read_meta(file: Source) -> tuple[dict[int, str], TransferSyntax]:
    """File Meta Information as text, and the transfer syntax; the file then stands at its data set."""
    meta = meta_information(file)
    uid = meta.get(TRANSFER_SYNTAX, "")
    if not is_uid(uid):
        raise Part10Error("The file does not say its transfer syntax.")
    syntax = transfer_syntax(uid)
    if not syntax.little_endian:
        raise Part10Error("Big endian files are not read.")
    return meta, syntax


def meta_information(file: Source) -> dict[int, str]:
    """File Meta Information as text, whatever it says; the file then stands at its data set.

    Group length (0002,0000) is not believed: the group ends where another begins (PS3.10 §7.1).
    """
    meta: dict[int, str] = {}
    for element, raw in meta_elements(file):
        value = raw.decode("latin-1").rstrip("\0 ")
        if element.vr == "UI" and meta.setdefault(element.tag, value) != value:
            raise Part10Error("An attribute occurs twice, with different values.")
    return meta


def meta_elements(file: Source) -> Iterator[tuple[Element, bytes]]:
    """The elements of File Meta Information with their values; the file then stands at its data set."""
    if file.take(132)[128:] != b"DICM":
        raise Part10Error("The file has no DICM prefix.")
    start = file.position
    while not file.at_end and file.peek(2) == b"\x02\x00":
        element = read_element(file, explicit=True)
        if element.length > MAX_META or file.position - start > MAX_META:
            raise Part10Error("The File Meta Information is too long.")
        yield element, file.take(element.length)


def scan(
    body: Source, syntax: TransferSyntax, wanted: frozenset[int], *, max_value: int = MAX_VALUE
) -> tuple[dict[int, tuple[str, bytes]], Element | None]:
    """VR and raw value of the wanted top-level attributes (and the character set); the pixels, if reached.

    Values of sequences are passed over and come out empty. `body` stands at the beginning of a data set,
    and afterwards at the value of the pixels or wherever the last wanted attribute left it.
    """
    last = max(wanted, default=0)
    found: dict[int, tuple[str, bytes]] = {}
    budget = Budget()
    explicit = is_explicit(body, declared=syntax.explicit)
    while not ended(body):
        element = read_element(body, explicit=explicit)
        if element.tag in PIXELS:
            return found, element
        if element.tag > last or element.tag >> 16 == 0:  # group 0: padding behind the data set
            break
        budget.spend()
        if element.tag not in wanted and element.tag != CHARACTER_SET:
            skip_value(body, element, explicit=explicit, budget=budget)
            continue
        value = _value(body, element, explicit, budget, max_value)
        # The same attribute with another value could name another patient to the next reader (law 6).
        if found.setdefault(element.tag, value) != value:
            raise Part10Error("An attribute occurs twice, with different values.")
    return found, None


def _value(
    body: Source, element: Element, explicit: bool, budget: Budget, max_value: int
) -> tuple[str, bytes]:
    vr = element.vr
    if vr in ("", "UN"):
        vr = dictionary.vr_of(element.tag, {}, signed=False)
    if element.length == UNDEFINED or vr == "SQ":
        skip_value(body, element, explicit=explicit, budget=budget)
        return vr, b""
    if element.length > max_value:
        raise Part10Error("The value of an attribute asked for is too long.")
    return vr, body.take(element.length)


def texts(raw: bytes, vr: str, codecs: tuple[str, ...]) -> tuple[str, ...]:
    """The values of an element as text, numbers in decimal; () for binary ones."""
    if vr in text.MULTIPLE or vr in text.SINGLE:
        return tuple(text.values(raw, codecs, vr))
    if vr in _NUMBERS:
        size = struct.calcsize("<" + _NUMBERS[vr])
        count = len(raw) // size
        return tuple(str(number) for number in struct.unpack_from(f"<{count}{_NUMBERS[vr]}", raw))
    return ()
