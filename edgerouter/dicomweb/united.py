"""The attributes of one study, series or instance that several archives have, made one set: what is united,
what is filled in, and what stays the better holder's alone.

Values keep the bytes their source sent."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from edgerouter.dicomweb.rows import (
    PATIENT_ID,
    SERIES_INSTANCES,
    STUDY_DATE,
    STUDY_INSTANCES,
    STUDY_SERIES,
    STUDY_TIME,
    Row,
    Tags,
    made,
    number,
    said,
    text,
    values,
    vr,
)

MODALITIES = "00080061"
_AVAILABILITY = "00080056"
_AVAILABLE = ("ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE")
_UNIONS = {MODALITIES: "CS", "00080062": "UI", "00080054": "AE"}  # tag → VR
_COUNTS = (STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES)
_SYNTAXES = "00083002"
_CHARACTER_SET = "00080005"
# An offset from UTC belongs to the date and time it came with.
_WHEN = (STUDY_DATE, STUDY_TIME, "00080201")
# Accession number and its issuer, study ID, referring physician, descriptions.
_FILLED = ("00080050", "00080051", "00080090", "00081030", "0008103E", "00200010")
_BIRTH_DATE, _SEX = "00100030", "00100040"

Counts = Literal["max", "exact", "sum"]
"""What NumberOf… of a study or series at several sources is: the largest that one says; what a listing of
all of them finds; or the sum, for sources that never have the same instance."""

Held = Sequence[tuple[Row, Tags]]
"""Rows of one key with their attributes, the better holder first."""


Differ = Callable[[Row, Row], bool]
"""Whether two rows are of different patients."""


def drop_empty_modalities(tags: Tags) -> None:
    """A viewer throws on ModalitiesInStudy without a Value, not on its absence."""
    if MODALITIES in tags and not usable(tags, MODALITIES):
        del tags[MODALITIES]


def usable(tags: Tags, tag: str) -> bool:
    """Whether an attribute has a value that says something."""
    return bool(_said(tags, tag))


def _said(tags: Tags, tag: str) -> list[bytes]:
    return [value for value in map(bytes, values(tags.get(tag))) if value not in (b'""', b"null")]


def unite(tags: Tags, held: Held, counts: Counts) -> None:
    """Make the better holder's attributes those of all copies where copies can be united: sets, counts,
    availability, transfer syntaxes."""
    copies = [each for _, each in held]
    tags.pop(_CHARACTER_SET, None)  # of one source, and JSON is UTF-8 anyway
    for tag, usual in _UNIONS.items():
        found = dict.fromkeys(value for each in copies for value in _said(each, tag))
        if found:
            tags[tag] = made(vr(tags.get(tag), usual), found)
    for tag in _COUNTS:
        if counts == "sum" or not _alike(copies, tag):
            _count(tags, copies, tag, counts)
    if lists := [each for copy in copies if (each := _said(copy, _SYNTAXES))]:
        tags[_SYNTAXES] = made("UI", [one for one in lists[0] if all(one in each for each in lists)])
    _availability(tags, held)


def _alike(copies: Sequence[Tags], tag: str) -> bool:
    """Whether all of them say the same in the same bytes, or nothing: copies mostly do."""
    first = copies[0].get(tag)
    return all(each.get(tag) == first for each in copies)


def _availability(tags: Tags, held: Held) -> None:
    """A source that has as many instances as the merged row speaks for it, else the slowest."""
    known = [(row, text(each.get(_AVAILABILITY))) for row, each in held]
    most = max(row.instances for row, _ in held)
    words = [word for row, word in known if word in _AVAILABLE and row.instances == most >= 0]
    if words:
        tags[_AVAILABILITY] = said("CS", min(words, key=_AVAILABLE.index))
    elif words := [word for _, word in known if word in _AVAILABLE]:
        tags[_AVAILABILITY] = said("CS", max(words, key=_AVAILABLE.index))


def _count(tags: Tags, copies: Sequence[Tags], tag: str, counts: Counts) -> None:
    """Copies overlap as nobody knows, so the largest number is what surely is there; its spelling stays."""
    known = [(count, each[tag]) for each in copies if (count := number(each.get(tag))) is not None]
    if known and counts == "sum":
        total = sum(count for count, _ in known)
        tags[tag] = made(vr(known[0][1], "IS"), [str(total).encode()])
    elif known:
        tags[tag] = max(known, key=lambda pair: pair[0])[1]


def same_patient(held: Held, differ: Differ) -> list[tuple[Row, Tags]]:
    """The other copies that are surely of the better holder's patient: birth date and sex say so, too."""
    first, own = held[0]
    return [(row, each) for row, each in held[1:] if not differ(first, row) and not _contradict(own, each)]


def _contradict(one: Tags, other: Tags) -> bool:
    said = ((one.get(tag), other.get(tag)) for tag in (_BIRTH_DATE, _SEX))
    pairs = ((text(mine), text(its)) for mine, its in said if mine != its)
    return any(left and right and left != right for left, right in pairs)


def dated(held: Held, others: Held) -> tuple[Row, Tags] | None:
    """Whose date it is; None when nobody says one."""
    return next(((row, each) for row, each in (held[0], *others) if usable(each, STUDY_DATE)), None)


def fill(tags: Tags, held: Held, differ: Differ) -> None:
    """What is empty may be filled from another copy of the same patient's study; the patient only as a
    whole, and only where the better holder says nothing of one (law 6)."""
    others = same_patient(held, differ)
    whose = dated(held, others)
    if whose and whose[0] is not held[0][0]:
        _replace(tags, whose[1], _WHEN)
    known = next((each for _, each in others if text(each.get(PATIENT_ID))), None)
    if known and not any(tag.startswith("0010") and values(one) for tag, one in tags.items()):
        _replace(tags, known, [tag for tag in {**tags, **known} if tag.startswith("0010")])
    for tag in _FILLED:
        if usable(tags, tag):
            continue
        full = next((each for _, each in others if usable(each, tag)), None)
        if full:
            tags[tag] = full[tag]


def _replace(tags: Tags, source: Tags, group: Iterable[str]) -> None:
    for tag in group:
        tags.pop(tag, None)
        if tag in source:
            tags[tag] = source[tag]
