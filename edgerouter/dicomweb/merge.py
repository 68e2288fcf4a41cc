"""Search answers of several archives made one (PS3.18 defines no merging; DESIGN laws 5 and 6).

Rows are merged by UID, never by position; attribute by attribute, never field by field of a patient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from edgerouter.dicomweb.patients import NOBODY, CrossReference, Patient
from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.rows import Key, Row, Tags, names, said, written
from edgerouter.dicomweb.united import (
    MODALITIES,
    Counts,
    dated,
    drop_empty_modalities,
    fill,
    same_patient,
    unite,
)

_RETRIEVE_URL = "00081190"
_PATIENT_COUNTS = ("00201200", "00201202", "00201204")


class Group(msgspec.Struct, gc=False):
    """The rows of one match, the better holder first; they are merged when a page needs them.

    `conflict` says that the sources name different patients."""

    rows: tuple[Row, ...]
    order: str
    conflict: bool = False


Match = Row | Group
"""One match of the federation, not merged yet; a row is one that a single source has."""


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
    """How the rows of one search become one list: `preference` is the route's order of upstreams, `persons`
    says which patients are one, and with `apart` a study of several patients is a row for each."""

    level: Level
    public: str
    preference: tuple[str, ...]
    counts: Counts = "max"
    apart: bool = False
    persons: CrossReference = NOBODY

    def match(self, rows: Sequence[Row]) -> list[Match]:
        """The match that rows of one key, one for each source, are together: usually one.

        The better holder has most instances; between equals the route's order decides."""
        if len(rows) == 1:
            return [rows[0]]
        held = sorted(rows, key=self._rank)
        if not any(self._differ(held[0], row) for row in held[1:]):
            return [Group(tuple(held), self._order(held))]
        if not self.apart:
            return [Group(tuple(held), self._order(held), conflict=True)]
        parts = self._by_patient(held)
        return [
            Group(tuple(part), f"{self._order(part)}\0{number:04d}", conflict=True)
            for number, part in enumerate(parts)
        ]

    def merged(self, match: Match) -> Merged:
        """The match as it leaves: the better holder gives the dates and whatever is not united; its
        RetrieveURL is ours."""
        if isinstance(match, Row):
            return self._alone(match, match.order, conflict=False)
        if len(match.rows) == 1:
            return self._alone(match.rows[0], match.order, conflict=match.conflict)
        held = [(row, row.tags) for row in match.rows]
        tags = dict(held[0][1])
        unite(tags, held, self.counts)
        if not any(self._differ(match.rows[0], row) for row in match.rows[1:]):
            fill(tags, held, self._differ)
        key = match.rows[0].key
        sources = {row.source: row.instances for row in match.rows}
        body = self._written(tags, key)
        return Merged(key, body, match.order, sources, self._bare(tags), match.conflict)

    def _alone(self, row: Row, order: str, *, conflict: bool) -> Merged:
        tags = row.tags
        body = self._written(tags, row.key)
        return Merged(row.key, body, order, {row.source: row.instances}, self._bare(tags), conflict)

    def _by_patient(self, held: Sequence[Row]) -> list[list[Row]]:
        """The rows of each patient, in the order of the better holders; who names none is with the first."""
        parts: list[list[Row]] = []
        for row in held:
            part = next((part for part in parts if not any(self._differ(each, row) for each in part)), None)
            if part is None:
                parts.append(part := [])
            part.append(row)
        return parts

    def _differ(self, one: Row, other: Row) -> bool:
        if one.patient_id == other.patient_id and one.issuer == other.issuer:
            return False
        return self.persons.differ(
            Patient(one.issuer, one.patient_id), Patient(other.issuer, other.patient_id)
        )

    def _order(self, held: Sequence[Row]) -> str:
        """The place of the row that gives the date: a better holder that has none takes another's."""
        if self.level is not Level.STUDY or all(row.order == held[0].order for row in held):
            return held[0].order
        tags = [(row, row.tags) for row in held]
        if any(self._differ(held[0], row) for row in held[1:]):
            return held[0].order
        return (dated(tags, same_patient(tags, self._differ)) or tags[0])[0].order

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


def _patient(row: Row) -> Patient:
    return Patient(row.issuer, row.patient_id)


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows by key; of what a source says twice, the first."""
    held: dict[Key, list[Row]] = {}
    for row in rows:
        group = held.get(row.key)
        if group is None:
            held[row.key] = [row]
        elif all(row.source != other.source for other in group):
            group.append(row)
    return list(held.values())


def merge(rows: Iterable[Row], merger: Merger) -> list[Merged]:
    """All matches, each once, in one total order."""
    found = [match for group in grouped(rows) for match in merger.match(group)]
    return [merger.merged(match) for match in sorted(found, key=lambda match: match.order)]
