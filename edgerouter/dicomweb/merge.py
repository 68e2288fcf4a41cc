"""Search answers of several archives made one (PS3.18 defines no merging; DESIGN laws 5 and 6).

Rows are merged by UID, never by position; attribute by attribute, never field by field of a patient.
Values keep the bytes their source sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.rows import (
    ISSUER,
    PATIENT_ID,
    SERIES_INSTANCES,
    STUDY_DATE,
    STUDY_INSTANCES,
    STUDY_TIME,
    Key,
    Row,
    Tags,
    made,
    names,
    number,
    said,
    text,
    values,
    vr,
    written,
)

MODALITIES = "00080061"
_RETRIEVE_URL = "00081190"
_AVAILABILITY = "00080056"
_AVAILABLE = ("ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE")
_UNIONS = {MODALITIES: "CS", "00080062": "UI", "00080054": "AE"}  # tag → VR
_COUNTS = ("00201206", STUDY_INSTANCES, SERIES_INSTANCES)
_PATIENT_COUNTS = ("00201200", "00201202", "00201204")
_SYNTAXES = "00083002"
_CHARACTER_SET = "00080005"
# An offset from UTC belongs to the date and time it came with.
_WHEN = (STUDY_DATE, STUDY_TIME, "00080201")
# Accession number and its issuer, study ID, referring physician, descriptions.
_FILLED = ("00080050", "00080051", "00080090", "00081030", "0008103E", "00200010")
_BIRTH_DATE, _SEX = "00100030", "00100040"

Held = Sequence[tuple[Row, Tags]]
"""Rows of one key with their attributes, the better holder first."""


@dataclass(slots=True)
class Merged:
    """One match of the federation.

    `sources` are the upstreams that have it, the better holder first, with the number of instances each
    says it has (-1: unsaid). `bare` is a study row without modalities. `conflict` says that the sources
    name different patients."""

    key: Key
    body: bytes
    order: str
    sources: Mapping[str, int] = field(default_factory=dict)
    bare: bool = False
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Merger:
    """How the rows of one search become one list: `preference` is the route's order of upstreams."""

    level: Level
    public: str
    preference: tuple[str, ...]

    def __call__(self, group: Sequence[Row]) -> Merged:
        """The match that rows of one key, one for each source, make together.

        The better holder (most instances, then preference) gives the dates and whatever is not united;
        its RetrieveURL is ours."""
        if len(group) == 1:
            return self._alone(group[0])
        held = [(row, row.tags) for row in sorted(group, key=self._rank)]
        dated, tags = held[0][0], dict(held[0][1])
        conflict = any(differ(tags, other) for _, other in held[1:])
        _unite(tags, held)
        if not conflict:
            dated = _fill(tags, held)
        sources = {row.source: row.instances for row, _ in held}
        body = self._written(tags, dated.key)
        return Merged(dated.key, body, dated.order, sources, self._bare(tags), conflict)

    def _alone(self, row: Row) -> Merged:
        tags = row.tags
        body = self._written(tags, row.key)
        return Merged(row.key, body, row.order, {row.source: row.instances}, self._bare(tags))

    def _bare(self, tags: Tags) -> bool:
        return self.level is Level.STUDY and MODALITIES not in tags

    def _rank(self, row: Row) -> tuple[int, int]:
        return -row.instances, self.preference.index(row.source)

    def _written(self, tags: Tags, key: Key) -> bytes:
        for tag, uid in zip(names(self.level), key, strict=True):
            tags.setdefault(tag, said("UI", uid))
        tags[_RETRIEVE_URL] = said("UR", self._url(key))
        if len(self.preference) > 1:
            for tag in _PATIENT_COUNTS:
                tags.pop(tag, None)  # one archive's count is not the patient's (law 14)
        drop_empty_modalities(tags)
        return written(tags)

    def _url(self, key: Key) -> str:
        words = ("studies", "series", "instances")
        return self.public + "".join(f"/{word}/{uid}" for word, uid in zip(words, key, strict=False))


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows by key; of what a source says twice, the first."""
    held: dict[Key, list[Row]] = {}
    for row in rows:
        group = held.setdefault(row.key, [])
        if all(row.source != other.source for other in group):
            group.append(row)
    return list(held.values())


def merge(rows: Iterable[Row], merger: Merger) -> list[Merged]:
    """All matches, each once, in one total order."""
    return sorted(map(merger, grouped(rows)), key=lambda match: match.order)


def drop_empty_modalities(tags: Tags) -> None:
    """A viewer throws on ModalitiesInStudy without a Value, not on its absence."""
    if MODALITIES in tags and not usable(tags, MODALITIES):
        del tags[MODALITIES]


def usable(tags: Tags, tag: str) -> bool:
    """Whether an attribute has a value that says something."""
    return bool(_said(tags, tag))


def differ(one: Tags, other: Tags, by: Iterable[str] = (PATIENT_ID, ISSUER)) -> bool:
    """Whether two rows name different patients, where both say it."""
    pairs = ((text(one.get(tag)), text(other.get(tag))) for tag in by)
    return any(left and right and left != right for left, right in pairs)


def _said(tags: Tags, tag: str) -> list[bytes]:
    return [value for value in map(bytes, values(tags.get(tag))) if value not in (b'""', b"null")]


def _unite(tags: Tags, held: Held) -> None:
    copies = [each for _, each in held]
    tags.pop(_CHARACTER_SET, None)  # of one source, and JSON is UTF-8 anyway
    for tag, usual in _UNIONS.items():
        found = dict.fromkeys(value for each in copies for value in _said(each, tag))
        if found:
            tags[tag] = made(vr(tags.get(tag), usual), found)
    for tag in _COUNTS:
        best = max(copies, key=lambda each: -1 if (count := number(each.get(tag))) is None else count)
        if number(best.get(tag)) is not None:
            tags[tag] = best[tag]
    if lists := [each for copy in copies if (each := _said(copy, _SYNTAXES))]:
        tags[_SYNTAXES] = made("UI", [one for one in lists[0] if all(one in each for each in lists)])
    _availability(tags, held)


def _availability(tags: Tags, held: Held) -> None:
    """A source that has as many instances as the merged row speaks for it, else the slowest."""
    known = [(row, text(each.get(_AVAILABILITY))) for row, each in held]
    most = max(row.instances for row, _ in held)
    words = [word for row, word in known if word in _AVAILABLE and row.instances == most >= 0]
    if words:
        tags[_AVAILABILITY] = said("CS", min(words, key=_AVAILABLE.index))
    elif words := [word for _, word in known if word in _AVAILABLE]:
        tags[_AVAILABILITY] = said("CS", max(words, key=_AVAILABLE.index))


def _fill(tags: Tags, held: Held) -> Row:
    """What is empty may be filled from another copy of the same patient's study; the patient only as a
    whole, and only where the better holder says nothing of one (law 6). The row that gave the date."""
    others = [
        (row, each)
        for row, each in held[1:]
        if not differ(tags, each, (PATIENT_ID, ISSUER, _BIRTH_DATE, _SEX))
    ]
    dated = held[0][0]
    if not usable(tags, STUDY_DATE):
        for row, each in others:
            if usable(each, STUDY_DATE):
                _replace(tags, each, _WHEN)
                dated = row
                break
    known = next((each for _, each in others if text(each.get(PATIENT_ID))), None)
    if known and not any(tag.startswith("0010") and values(one) for tag, one in tags.items()):
        _replace(tags, known, [tag for tag in {**tags, **known} if tag.startswith("0010")])
    for tag in _FILLED:
        full = next((each for _, each in others if usable(each, tag)), None)
        if full and not usable(tags, tag):
            tags[tag] = full[tag]
    return dated


def _replace(tags: Tags, source: Tags, group: Iterable[str]) -> None:
    for tag in group:
        tags.pop(tag, None)
        if tag in source:
            tags[tag] = source[tag]
