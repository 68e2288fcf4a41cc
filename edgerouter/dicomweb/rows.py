"""Rows of search answers as their sources sent them, and their attributes.

A row stays the bytes it was; only what merging has to know is decoded, and nothing in it is believed."""

import re
from collections.abc import Iterable

import msgspec

from edgerouter.dicomweb.resource import Level

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
STUDY_DATE, STUDY_TIME = "00080020", "00080030"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
PATIENT_ID, ISSUER = "00100020", "00100021"

Raw = msgspec.Raw
Tags = dict[str, Raw]
"""Tag → attribute, undecoded."""
Key = tuple[str, ...]
"""The UIDs that name a row: of the study, and of the series and the instance where it is about one."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,12}\Z")
_NAMES = {
    Level.STUDY: (STUDY,),
    Level.SERIES: (STUDY, SERIES),
    Level.INSTANCE: (STUDY, SERIES, INSTANCE),
}


class _Attribute(msgspec.Struct, gc=False):
    vr: str = "UN"
    value: list[Raw] | None = msgspec.field(name="Value", default=None)


_tags = msgspec.json.Decoder(dict[str, Raw])
_attribute = msgspec.json.Decoder(_Attribute)
_value = msgspec.json.Decoder()
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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
        if self.patient_id:
            add_issuer(tags, self.issuer)
        return tags


def tags_of(raw: bytes) -> Tags:
    """The attributes of a row; raises RowError when it is not a JSON object."""
    try:
        return _tags.decode(raw)
    except UNREADABLE as error:
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
    except UNREADABLE:
        return []


def vr(attribute: Raw | None, default: str) -> str:
    """The attribute's VR, `default` when it has none that can be read."""
    try:
        return _attribute.decode(attribute).vr if attribute is not None else default
    except UNREADABLE:
        return default


def text(attribute: Raw | None) -> str:
    """The first value as text, "" when there is none."""
    found = values(attribute)
    try:
        return written_out(_value.decode(found[0])) if found else ""
    except UNREADABLE:
        return ""


def number(attribute: Raw | None) -> int | None:
    """The first value as an integer, written as number or string (PS3.18 §F.2.2); None when it is none."""
    return integer(text(attribute))


def made(vr: str, found: Iterable[bytes]) -> Raw:
    """An attribute of these undecoded values."""
    return Raw(msgspec.json.encode({"vr": vr, "Value": [Raw(value) for value in found]}))


def said(vr: str, *found: str | int) -> Raw:
    """An attribute of these texts or numbers; without any it is empty."""
    return Raw(msgspec.json.encode({"vr": vr, "Value": found} if found else {"vr": vr}))


def written(tags: Tags) -> bytes:
    """The row, its attributes in ascending order (PS3.18 §F.2.2)."""
    return msgspec.json.encode({tag: tags[tag] for tag in sorted(tags)})


def add_issuer(tags: Tags, issuer: str) -> bool:
    """Put this IssuerOfPatientID beside a PatientID that has none; whether that was so."""
    lacks = bool(issuer and text(tags.get(PATIENT_ID)) and not text(tags.get(ISSUER)))
    if lacks:
        tags[ISSUER] = said("LO", issuer)
    return lacks


def with_issuer(raw: bytes, issuer: str) -> bytes:
    """The row with this IssuerOfPatientID beside a PatientID that has none; raises RowError."""
    tags = tags_of(raw)
    return written(tags) if add_issuer(tags, issuer) else raw


def written_out(value: object) -> str:
    """One value of an attribute, a number or a text, as text; "" for anything else."""
    if isinstance(value, str):
        return value.strip(" \0")
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        value = int(value)
    return str(value) if isinstance(value, int | float) else ""


def integer(text: str) -> int | None:
    """The number that a text is, None when it is none that could count or number anything."""
    return int(text) if _INTEGER.match(text) else None
