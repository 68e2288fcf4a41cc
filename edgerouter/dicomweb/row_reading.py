"""One row read: the UIDs that name it, its place in our order, whose it is.

Only what merging has to know is decoded, and nothing in it is believed."""

import re
from functools import lru_cache
from typing import Any

import msgspec

from edgerouter.dicomweb.resource import Level, Resource, is_uid
from edgerouter.dicomweb.rows import (
    INSTANCE,
    ISSUER,
    PATIENT_ID,
    SERIES,
    SERIES_INSTANCES,
    STUDY,
    STUDY_DATE,
    STUDY_INSTANCES,
    STUDY_TIME,
    UNREADABLE,
    Key,
    Row,
    RowError,
    integer,
    tags_of,
    text,
    written_out,
)

_SERIES_NUMBER, _INSTANCE_NUMBER = "00200011", "00200013"
_DATE = re.compile(r"[0-9]{8}\Z")
_TIME = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?\Z")
_TOO_MANY = 10**12  # instances that nobody has
_LONGEST = 32  # characters of a date or a time that could be one
_NEWEST_FIRST = str.maketrans("0123456789", "9876543210")


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


class _Texts(msgspec.Struct, gc=False, frozen=True):
    value: tuple[str, ...] = msgspec.field(name="Value", default=())


class _Numbers(msgspec.Struct, gc=False, frozen=True):
    value: tuple[int, ...] = msgspec.field(name="Value", default=())


_NO_TEXTS, _NO_NUMBERS = _Texts(), _Numbers()


class _Plainly(msgspec.Struct, gc=False, rename={
    "study": STUDY,
    "date": STUDY_DATE,
    "time": STUDY_TIME,
    "instances": STUDY_INSTANCES,
    "patient_id": PATIENT_ID,
    "issuer": ISSUER,
}):  # fmt: skip
    """What is known of a study, where a row says it as nearly all do: this is half of what a row costs."""

    study: _Texts
    date: _Texts = _NO_TEXTS
    time: _Texts = _NO_TEXTS
    instances: _Numbers = _NO_NUMBERS
    patient_id: _Texts = _NO_TEXTS
    issuer: _Texts = _NO_TEXTS


_plainly = msgspec.json.Decoder(_Plainly)
_owned = msgspec.json.Decoder(_Owned)
_known = msgspec.json.Decoder(_Known)


def read(raw: bytes, resource: Resource, source: str, issuer: str = "") -> Row:
    """One row of a source's answer to a search for `resource`; a UID it leaves out is the path's.

    `issuer` is the assigning authority of the source's patient IDs. Raises RowError for a row that is no
    DICOM JSON object or has no usable UID of its level."""
    level = resource.level or Level.STUDY
    if level is Level.STUDY and (row := _read_plainly(raw, source, issuer)):
        return row
    known, patient, named = _decoded(raw)
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


def _read_plainly(raw: bytes, source: str, issuer: str) -> Row | None:
    """The row of a study, when nothing in it is odd."""
    try:
        known = _plainly.decode(raw)
        study = known.study.value[0]
    except (*UNREADABLE, IndexError):
        return None
    if not is_uid(study):
        return None
    date, time, instances = known.date.value, known.time.value, known.instances.value
    patient = known.patient_id.value[0].strip(" \0") if known.patient_id.value else ""
    named = known.issuer.value[0].strip(" \0") if known.issuer.value else ""
    place = _newest_first(
        date[0].strip(" \0")[:_LONGEST] if date else "", time[0].strip(" \0")[:_LONGEST] if time else ""
    )
    return Row(
        (study,),
        raw,
        source,
        f"{place}\0{study}",
        instances[0] if instances and abs(instances[0]) < _TOO_MANY else -1,
        patient,
        named or (issuer if patient else ""),
    )


def _key_below(level: Level, study: str, known: _Known, resource: Resource) -> Key:
    series = _text(known.series) or resource.series or ""
    return (study, series) if level is Level.SERIES else (study, series, _text(known.instance))


def _decoded(raw: bytes) -> tuple[_Known, str, str]:
    """What is known of a row, its PatientID and its issuer; raises RowError."""
    try:
        owned = _owned.decode(raw)
        return owned, _text(owned.patient_id), _text(owned.issuer)
    except UNREADABLE:
        pass  # an odd patient is nobody, and no reason to lose the row
    try:
        known = _known.decode(raw)
    except UNREADABLE as error:
        raise RowError("a row is not a JSON object of attributes") from error
    tags = tags_of(raw)
    return known, text(tags.get(PATIENT_ID)), text(tags.get(ISSUER))


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
    return written_out(found[0]) if isinstance(found, list) and found else ""


def _number(attribute: _Plain | None) -> int | None:
    return integer(_text(attribute))
