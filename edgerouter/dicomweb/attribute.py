"""Attributes as a search names them and the values it matches (PS3.18 §8.3.4, PS3.4 §C.2.2.2)."""

import re
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from edgerouter.dicomweb.resource import is_uid
from edgerouter.errors import BadRequest

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_SEPARATORS = re.compile(r"[,\\]")
EMPTY = '""'  # PS3.4 §C.2.2.2.7: matches an attribute that is there without a value

_YEAR, _MONTH, _DAY = r"[0-9]{4}", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12][0-9]|3[01])"
_DATE = _YEAR + _MONTH + _DAY
_TIME = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?"
_DATE_TIME = rf"{_YEAR}(?:{_MONTH}(?:{_DAY}(?:{_TIME})?)?)?(?:[+-][0-9]{{4}})?"


def _single_or_range(value: str) -> re.Pattern[str]:
    return re.compile(rf"{value}|{value}-|-{value}|{value}-{value}")


_RANGES = {
    "DA": _single_or_range(_DATE),
    "TM": _single_or_range(_TIME),
    "DT": _single_or_range(_DATE_TIME),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, or one inside sequences: `path` is the tags from the outside in, 8 upper-case
    hexadecimal digits each; `spelling` is how the client wrote it."""

    path: tuple[str, ...]
    spelling: str

    @property
    def tag(self) -> str:
        return self.path[-1]

    @property
    def vr(self) -> str:
        """The value representation of PS3.6, "" for an attribute it does not know."""
        return _vr(self.tag)

    @property
    def keyword(self) -> str:
        """Keywords joined by dots; the tag where PS3.6 has no keyword."""
        return ".".join(keyword_for_tag(int(tag, 16)) or tag for tag in self.path)


def read_attribute(text: str) -> Attribute | None:
    """The attribute that `text` names by keywords or tags, None when it names none.

    Raises BadRequest for a path through an attribute that is no sequence."""
    steps = [_tag(step) for step in text.split(".")]
    path = tuple(step for step in steps if step)
    if len(path) < len(steps):
        return None
    if any(_vr(tag) not in ("SQ", "") for tag in path[:-1]):
        raise BadRequest(f"{text} leads through an attribute that is not a sequence.")
    return Attribute(path, text)


def read_values(attribute: Attribute, text: str, *, empty: bool, multiple: bool) -> tuple[str, ...]:
    """The values to match, never none: UIDs and codes are split at commas and backslashes, which clients
    use alike and which neither can hold; others only at backslashes, and when `multiple` says so.

    `empty` allows the two quotes of Empty Value Matching. Raises BadRequest for what the VR cannot be."""
    vr = attribute.vr
    values = [text]
    if vr in ("UI", "CS") and text:
        values = [value for part in _SEPARATORS.split(text) if (value := part.strip(" "))]
    elif multiple:
        values = text.split("\\")
    if not values or not all(_fits(vr, value, empty=empty) for value in values):
        raise BadRequest(f"The value of {attribute.spelling} is not valid for its VR {vr}.")
    return tuple(values)


def _fits(vr: str, value: str, *, empty: bool) -> bool:
    if value in ("", "*") or (empty and value == EMPTY):
        return True
    if vr == "UI":
        return is_uid(value)
    pattern = _RANGES.get(vr)
    return pattern is None or pattern.fullmatch(value) is not None


def _tag(text: str) -> str | None:
    if _TAG.fullmatch(text):
        return text.upper()
    tag = tag_for_keyword(text) if text else None  # PS3.6 has attributes whose keyword is empty
    return f"{tag:08X}" if tag is not None else None


def _vr(tag: str) -> str:
    try:
        return str(dictionary_VR(int(tag, 16)))
    except KeyError:
        return ""
