"""DICOM JSON (PS3.18 Annex F) from a data set: what metadata and search answers are made of.

No group 0002, no group lengths, names ascending, UTF-8. Private attributes stay. Large values become bulk
data references by place: the path of a value, as in `00880200/1/7FE00010` (tags and item numbers from 1).

Decisions the standard leaves open:
- DS and IS stand as numbers in the very spelling of the file wherever that is a JSON number, else as strings.
- Binary values of at most 64 bytes are InlineBinary, longer ones and all pixels a BulkDataURI.
- Numbers beyond 1 KiB, and texts beyond 64 KiB (whose character set a reference would lose), are references.
- FL and FD that are not finite are "NaN", "Infinity", "-Infinity"; SV and UV beyond 2**53 are strings.
- A value that does not fit its VR is given as UN, byte for byte.
- Specific Character Set, where present, says ISO_IR 192, which the text now is in.
"""

import base64
import math
import re
import struct
from collections.abc import Callable, Iterable

import msgspec

from edgerouter.dicom import text
from edgerouter.dicom.dataset import BINARY, Attribute, DataSet
from edgerouter.dicom.dictionary import hex_tag
from edgerouter.dicom.part10 import CHARACTER_SET

Row = dict[str, dict[str, object]]  # tag -> {"vr": …, "Value" | "InlineBinary" | "BulkDataURI": …}
BulkURI = Callable[[str], str]  # the path of a value -> its URI

_FORMATS = {"FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q"}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_SAFE_INTEGER = 2**53
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def to_json(data_set: DataSet, bulk: BulkURI, tags: Iterable[int] | None = None) -> bytes:
    """A data set as one DICOM JSON object, in UTF-8; of the top-level attributes only `tags`, if given."""
    return encode(to_row(data_set, bulk, tags))


def encode(row: Row) -> bytes:
    """The JSON text of a row of to_row."""
    return msgspec.json.encode(row)


def to_row(data_set: DataSet, bulk: BulkURI, tags: Iterable[int] | None = None) -> Row:
    """As to_json, before it is written; numbers spelled in the file's own way are msgspec.Raw in it."""
    chosen = data_set if tags is None else {tag: data_set[tag] for tag in tags if tag in data_set}
    terms = data_set.get(CHARACTER_SET)
    codecs = _codecs(terms) if terms else text.DEFAULT
    return _object(chosen, codecs, bulk, "")


def _codecs(terms: Attribute) -> tuple[str, ...]:
    return text.encodings(tuple(text.values(terms.raw or b"", text.DEFAULT, "CS")))


def _object(data_set: DataSet, codecs: tuple[str, ...], bulk: BulkURI, parent: str) -> Row:
    terms = data_set.get(CHARACTER_SET)
    if terms:
        codecs = _codecs(terms)
    row: Row = {}
    for tag in sorted(data_set):
        if tag & 0xFFFF and tag >> 16 != 2:
            name = hex_tag(tag)
            row[name] = _attribute(data_set[tag], codecs, bulk, parent + name)
    if terms:
        row[hex_tag(CHARACTER_SET)] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return row


def _attribute(attribute: Attribute, codecs: tuple[str, ...], bulk: BulkURI, path: str) -> dict[str, object]:
    vr, raw = attribute.vr, attribute.raw
    if attribute.items is not None:
        items = [
            _object(item, codecs, bulk, f"{path}/{number}/")
            for number, item in enumerate(attribute.items, start=1)
        ]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if raw is None or attribute.pieces:
        return {"vr": vr, "BulkDataURI": bulk(path)}
    if not raw:
        return {"vr": vr}
    values = None if vr in BINARY else _values(vr, raw, codecs)
    if values is None:
        return {"vr": vr if vr in BINARY else "UN", "InlineBinary": base64.b64encode(raw).decode("ascii")}
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _values(vr: str, raw: bytes, codecs: tuple[str, ...]) -> list[object] | None:
    """The Value array; None when the bytes do not fit the VR."""
    if vr in _FORMATS:
        return _numbers(vr, raw)
    if vr == "AT":
        if len(raw) % 4:
            return None
        return [f"{group:04X}{number:04X}" for group, number in struct.iter_unpack("<HH", raw)]
    values = text.values(raw, codecs, vr)
    if vr == "PN":
        return [_person_name(value) for value in values]
    if vr in ("DS", "IS"):
        return [spelled(value) if value else None for value in values]
    return [value or None for value in values]


def _numbers(vr: str, raw: bytes) -> list[object] | None:
    size = struct.calcsize("<" + _FORMATS[vr])
    if len(raw) % size:
        return None
    numbers = struct.unpack(f"<{len(raw) // size}{_FORMATS[vr]}", raw)
    if vr in ("FL", "FD"):
        return [number if math.isfinite(number) else _unbounded(number) for number in numbers]
    return [str(number) if abs(number) > _SAFE_INTEGER else number for number in numbers]


def _unbounded(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def spelled(spelling: str) -> object:
    """A decimal as a JSON number in its own spelling where that is one, else as a string."""
    # A reader may turn a number it cannot hold into infinity, or refuse the whole answer.
    if len(spelling) <= 32 and _JSON_NUMBER.match(spelling) and math.isfinite(float(spelling)):
        return msgspec.Raw(spelling.encode("ascii"))
    return spelling


def _person_name(value: str) -> dict[str, str] | None:
    groups = zip(_GROUPS, (group.rstrip() for group in value.split("=")), strict=False)
    return {name: group for name, group in groups if group} or None
