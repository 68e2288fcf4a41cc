"""Whether two metadata rows of one instance say the same, though different producers wrote them.

An archive's row and one we derived from the file differ in spelling: numbers as numbers or strings, padding,
bulk values inline, by reference or as an array. What an archive computes is not of the header. Everything
else is, at any depth, and whatever is doubtful counts as another header: a needless fetch costs less than
another patient's name. Bulk values are not compared: a row does not always have them.
"""

import base64
import binascii
import json
import struct
from decimal import Decimal, InvalidOperation
from typing import Any

_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_WORDS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_NUMBERS = _WORDS | {"DS", "IS"}
# The VRs the dictionary leaves to the context: two readers may decide differently (PS3.6, "US or SS or OW").
_ALIKE = (frozenset({"US", "SS"}), frozenset({"OB", "OW", "UN"}), frozenset({"US", "SS", "OW"}))
_LEADING_COUNTS = frozenset({"LT", "PN", "ST", "UC", "UR", "UT"})
# Retrieve AE title, instance availability, RetrieveURL, available transfer syntaxes, counts of related
# instances: computed, and of the row's own level only.
_COMPUTED = frozenset({"00080054", "00080056", "00081190", "00083002", "00201206", "00201208", "00201209"})
# Pixels and their offset tables are no header; an archive may leave them out of a row.
_PIXELS = frozenset({"7FE00001", "7FE00002", "7FE00008", "7FE00009", "7FE00010"})
_TIMEZONE = "00080201"
_ENCODING = frozenset({"00080005", "FFFCFFFC"})  # the text is UTF-8 in any row; padding behind a data set
_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})
_LONGEST_DS = 16  # characters: a longer decimal is how somebody wrote a double
_NOTHING = 1e-20  # numbers nearer than this are the same: some archives write such as 0


def same_header(one: bytes, other: bytes) -> bool:
    """Whether two DICOM JSON objects of one instance have the same attributes; False for what is not one.

    It parses both rows at once: for large ones call it in a worker process.
    """
    try:
        left, right = _row(one), _row(other)
        if _TIMEZONE not in left or _TIMEZONE not in right:
            left.pop(_TIMEZONE, None)
            right.pop(_TIMEZONE, None)
        return _same_objects(_without(left), _without(right))
    except (ValueError, RecursionError):
        return False


def _row(text: bytes) -> dict[str, Any]:
    """The object, every number as the text it was written in."""
    row = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_members)
    return _as_object(row)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("A member occurs twice: readers would disagree.")
    return members


def _as_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Not a DICOM JSON object.")
    return value


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {tag: attribute for tag, attribute in row.items() if tag not in _COMPUTED | _PIXELS}


def _same_objects(one: dict[str, Any], other: dict[str, Any]) -> bool:
    left, right = _header(one), _header(other)
    if left.keys() != right.keys():
        return False
    return all(_same(_as_object(left[tag]), _as_object(right[tag])) for tag in left)


def _header(row: dict[str, Any]) -> dict[str, Any]:
    """Its attributes but file meta information, group lengths and how the text was encoded."""
    kept = {tag.upper(): attribute for tag, attribute in row.items()}
    if len(kept) != len(row):
        raise ValueError("A tag occurs twice.")
    return {
        tag: attribute
        for tag, attribute in kept.items()
        if tag not in _ENCODING and not tag.endswith("0000") and not tag.startswith("0002")
    }


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    vrs = frozenset({one.get("vr"), other.get("vr")})
    if len(vrs) > 1 and not any(vrs <= alike for alike in _ALIKE):
        return False
    if _is_bulk(one, other, vrs):
        return True
    if "InlineBinary" in one or "InlineBinary" in other:
        return _bytes(one) == _bytes(other)
    left, right = _values(one), _values(other)
    if len(left) != len(right):
        return False
    vr = str(one.get("vr"))
    return all(_same_values(vr, a, b) for a, b in zip(left, right, strict=True))


def _is_bulk(one: dict[str, Any], other: dict[str, Any], vrs: frozenset[Any]) -> bool:
    """Whether the value is bulk to one of the rows: given by reference, or one as words and one as bytes."""
    referred = "BulkDataURI" in one or "BulkDataURI" in other
    if referred:
        return vrs <= _BINARY | _NUMBERS
    return ("InlineBinary" in one) != ("InlineBinary" in other) and bool(vrs & _BINARY) and bool(vrs & _WORDS)


def _bytes(attribute: dict[str, Any]) -> bytes:
    """The value of InlineBinary, without padding; none where there is none."""
    if attribute.keys() & {"Value", "BulkDataURI"}:
        raise ValueError("Not comparable as bytes.")
    try:
        return base64.b64decode(attribute.get("InlineBinary", ""), validate=True).rstrip(b"\0")
    except (binascii.Error, TypeError):
        raise ValueError("Not Base64.") from None


def _values(attribute: dict[str, Any]) -> list[Any]:
    """The Value array, absent, empty and [null] being one."""
    if "BulkDataURI" in attribute:
        raise ValueError("A text by reference cannot be compared.")
    values = attribute.get("Value", [])
    if not isinstance(values, list):
        raise ValueError("Value is not an array.")
    alone = len(values) == 1 and attribute.get("vr") != "SQ"
    return [] if alone and _says_nothing(attribute.get("vr"), values[0]) else values


def _says_nothing(vr: object, value: object) -> bool:
    return value in (None, "") or (vr == "PN" and not _name(value))


def _same_values(vr: str, one: object, other: object) -> bool:
    if vr == "SQ":
        return _same_objects(_as_object(one), _as_object(other))
    if vr == "PN":
        return _name(one) == _name(other)
    left, right = _text(vr, one), _text(vr, other)
    return left == right or (vr in _NUMBERS and _same_numbers(vr, left, right))


def _name(value: object) -> dict[str, str]:
    """The component groups of a person name, without the delimiters that may be left off (PS3.5 §6.2)."""
    groups = {} if value is None else _as_object(value)
    if not groups.keys() <= _GROUPS:
        raise ValueError("Not a person name.")
    texts = {group: _text("PN", text).rstrip("^ ") for group, text in groups.items()}
    return {group: text for group, text in texts.items() if text}


def _text(vr: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("A value is not text or a number.")
    return value.rstrip(" \0") if vr in _LEADING_COUNTS else value.strip(" \0")


def _same_numbers(vr: str, one: str, other: str) -> bool:
    """Whether two spellings are one number, in the precision of its VR."""
    try:
        left, right = Decimal(one), Decimal(other)
        if left == right:
            return True
        if vr == "FL":
            return _near(_single(left), _single(right))
        if vr == "FD" or (vr == "DS" and max(len(one), len(other)) > _LONGEST_DS):
            return _near(float(left), float(right))
    except (InvalidOperation, OverflowError):
        return False
    return False


def _single(number: Decimal) -> float:
    (value,) = struct.unpack("<f", struct.pack("<f", float(number)))
    return float(value)


def _near(one: float, other: float) -> bool:
    return one == other or abs(one - other) < _NOTHING
