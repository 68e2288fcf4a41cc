"""Rows of search answers as their sources sent them: the UIDs that name them, their place in our order.

A row stays the bytes it was; only what merging has to know is decoded, and nothing in it is believed."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from edgerouter.dicomweb.resource import Level, Resource, is_uid

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
STUDY_DATE, STUDY_TIME = "00080020", "00080030"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
PATIENT_ID, ISSUER = "00100020", "00100021"
_SERIES_NUMBER, _INSTANCE_NUMBER = "00200011", "00200013"

Raw = msgspec.Raw
Tags = dict[str, Raw]
"""Tag → attribute, undecoded."""
Key = tuple[str, ...]
"""The UIDs that name a row: of the study, and of the series and the instance where it is about one."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,12}\Z")
_DATE = re.compile(r"[0-9]{8}\Z")
_TIME = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?\Z")
_LONGEST = 32  # characters of a date or a time that could be one
_NEWEST_FIRST = str.maketrans("0123456789", "9876543210")
_NAMES = {
    Level.STUDY: (STUDY,),
    Level.SERIES: (STUDY, SERIES),
    Level.INSTANCE: (STUDY, SERIES, INSTANCE),
}


class _Attribute(msgspec.Struct, gc=False):
    vr: str = "UN"
    value: list[Raw] | None = msgspec.field(name="Value", default=None)


class _Plain(msgspec.Struct, gc=False):
    value: Any = msgspec.field(name="Value", default=None)


class _Known(msgspec.Struct, gc=False, rename={
    "study": STUDY,
    "series": SERIES,
    "instance": INSTANCE,
    "date": STUDY_DATE,
    "time": STUDY_TIME,
    "study_instances": STUDY_INSTANCES,
    "series_instances": SERIES_INSTANCES,
    "series_number": _SERIES_NUMBER,
    "instance_number": _INSTANCE_NUMBER,
}):  # fmt: skip
    """What is decoded of every row."""

    study: _Plain | None = None
    series: _Plain | None = None
    instance: _Plain | None = None
    date: _Plain | None = None
    time: _Plain | None = None
    study_instances: _Plain | None = None
    series_instances: _Plain | None = None
    series_number: _Plain | None = None
    instance_number: _Plain | None = None


class _Owned(_Known, gc=False, rename={"patient_id": PATIENT_ID, "issuer": ISSUER}):
    """And whose it is, for as long as that can be read."""

    patient_id: _Plain | None = None
    issuer: _Plain | None = None


_owned = msgspec.json.Decoder(_Owned)
_known = msgspec.json.Decoder(_Known)
_tags = msgspec.json.Decoder(dict[str, Raw])
_attribute = msgspec.json.Decoder(_Attribute)
_value = msgspec.json.Decoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class RowError(ValueError):
    """A row that cannot be used; the message names no value."""


class Row(msgspec.Struct, gc=False):
    """One match of one source.

    `order` sorts the matches of a level, whoever sent them: studies newest first, series and instances by
    their number, what is missing last; it differs for different keys. `instances` is how many its source says
    it has, -1 when it does not say. `issuer` is the assigning authority of `patient_id`: the one that the row
    names, else its source's; "" is for what nobody says."""

    key: Key
    raw: bytes
    source: str
    order: str
    instances: int = -1
    patient_id: str = ""
    issuer: str = ""

    @property
    def tags(self) -> Tags:
        """Its attributes, decoded anew, with the issuer where the row leaves it out."""
        tags = tags_of(self.raw)
        if self.patient_id and self.issuer and not text(tags.get(ISSUER)):
            tags[ISSUER] = said("LO", self.issuer)
        return tags


def read(raw: bytes, resource: Resource, source: str, issuer: str = "") -> Row:
    """One row of a source's answer to a search for `resource`; a UID it leaves out is the path's.

    `issuer` is the assigning authority of the source's patient IDs. Raises RowError for a row that is no
    DICOM JSON object or has no usable UID of its level."""
    known, patient, named = _decoded(raw)
    level = resource.level or Level.STUDY
    study = _text(known.study) or resource.study or ""
    if level is Level.STUDY:
        key: Key = (study,)
        usable = is_uid(study)
        order = f"{_newest_first(_text(known.date)[:_LONGEST], _text(known.time)[:_LONGEST])}\0{study}"
        instances = _number(known.study_instances)
    else:
        key = _key_below(level, study, known, resource)
        usable = all(map(is_uid, key))
        numbered = known.series_number if level is Level.SERIES else known.instance_number
        order = "\0".join((_ascending(_number(numbered)), *key))
        instances = _number(known.series_instances)
    if not usable:
        raise RowError("a row lacks a usable UID of its level")
    whose = named or (issuer if patient else "")
    return Row(key, raw, source, order, -1 if instances is None else instances, patient, whose)


def _key_below(level: Level, study: str, known: _Known, resource: Resource) -> Key:
    series = _text(known.series) or resource.series or ""
    return (study, series) if level is Level.SERIES else (study, series, _text(known.instance))


def _decoded(raw: bytes) -> tuple[_Known, str, str]:
    """What is known of a row, its PatientID and its issuer; raises RowError."""
    try:
        owned = _owned.decode(raw)
        return owned, _text(owned.patient_id), _text(owned.issuer)
    except _UNREADABLE:
        pass  # an odd patient is nobody, and no reason to lose the row
    try:
        known = _known.decode(raw)
    except _UNREADABLE as error:
        raise RowError("a row is not a JSON object of attributes") from error
    tags = tags_of(raw)
    return known, text(tags.get(PATIENT_ID)), text(tags.get(ISSUER))


def tags_of(raw: bytes) -> Tags:
    """The attributes of a row; raises RowError when it is not a JSON object."""
    try:
        return _tags.decode(raw)
    except _UNREADABLE as error:
        raise RowError("a row is not a JSON object of attributes") from error


def names(level: Level) -> Key:
    """The tags of the UIDs that name a row of this level."""
    return _NAMES[level]


def values(attribute: Raw | None) -> list[Raw]:
    """The Value array of one attribute, undecoded; empty when it has none or is not an attribute."""
    if attribute is None:
        return []
    try:
        return _attribute.decode(attribute).value or []
    except _UNREADABLE:
        return []


def vr(attribute: Raw | None, default: str) -> str:
    """The attribute's VR, `default` when it has none that can be read."""
    try:
        return _attribute.decode(attribute).vr if attribute is not None else default
    except _UNREADABLE:
        return default


def text(attribute: Raw | None) -> str:
    """The first value as text, "" when there is none."""
    found = values(attribute)
    try:
        return _written_out(_value.decode(found[0])) if found else ""
    except _UNREADABLE:
        return ""


def number(attribute: Raw | None) -> int | None:
    """The first value as an integer, written as number or string (PS3.18 §F.2.2); None when it is none."""
    return _integer(text(attribute))


def made(vr: str, found: Iterable[bytes]) -> Raw:
    """An attribute of these undecoded values."""
    return Raw(msgspec.json.encode({"vr": vr, "Value": [Raw(value) for value in found]}))


def said(vr: str, *found: str) -> Raw:
    """An attribute of these texts."""
    return Raw(msgspec.json.encode({"vr": vr, "Value": found}))


def written(tags: Tags) -> bytes:
    """The row, its attributes in ascending order (PS3.18 §F.2.2)."""
    return msgspec.json.encode({tag: tags[tag] for tag in sorted(tags)})


def with_issuer(raw: bytes, issuer: str) -> bytes:
    """The row with this IssuerOfPatientID beside a PatientID that has none; raises RowError."""
    tags = tags_of(raw)
    if not text(tags.get(PATIENT_ID)) or text(tags.get(ISSUER)):
        return raw
    tags[ISSUER] = said("LO", issuer)
    return written(tags)


def _newest_first(date: str, time: str) -> str:
    """UIDs decide between equals, so the order is total."""
    day = _day_down(date)
    return f"0{day}{_clock_down(time)}" if day else "1"


@lru_cache(maxsize=4096)
def _day_down(date: str) -> str:
    """The date so that later ones come first, "" when it is none."""
    date = date.replace(".", "")  # as ACR-NEMA wrote them
    return date.translate(_NEWEST_FIRST) if _DATE.match(date) else ""


@lru_cache(maxsize=4096)
def _clock_down(time: str) -> str:
    time = time.replace(":", "")
    if not _TIME.match(time):
        return "1"
    whole, _, fraction = time.partition(".")
    return "0" + f"{whole:0<6}{fraction:0<6}".translate(_NEWEST_FIRST)


def _ascending(number: int | None) -> str:
    return "1" if number is None else f"0{number + 10**12:013d}"


def _text(attribute: _Plain | None) -> str:
    found = attribute.value if attribute is not None else None
    return _written_out(found[0]) if isinstance(found, list) and found else ""


def _number(attribute: _Plain | None) -> int | None:
    return _integer(_text(attribute))


def _written_out(value: object) -> str:
    if isinstance(value, str):
        return value.strip(" \0")
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        value = int(value)
    return str(value) if isinstance(value, int | float) else ""


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.match(text) else None
