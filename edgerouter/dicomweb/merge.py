"""Search answers of several archives made one (PS3.18 defines no merging; DESIGN laws 5 and 6).

Rows are merged by UID, never by position; attribute by attribute, never field by field of a patient.
Values keep the bytes their source sent: a row is a dict from tag to undecoded JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from edgerouter.dicomweb.resource import Level, Resource, is_uid

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
_MODALITIES = "00080061"
_RETRIEVE_URL = "00081190"
_AVAILABILITY = "00080056"
_UNIONS = (_MODALITIES, "00080062", "00080054")
_COUNTS = ("00201206", "00201208", "00201209")
_PATIENT_COUNTS = ("00201200", "00201202", "00201204")
_SYNTAXES = "00083002"
# An offset from UTC belongs to the date and time it came with.
_WHEN = ("00080020", "00080030", "00080201")
_AVAILABLE = ("ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE")
_ISSUER = "00100021"
_PATIENT_ID = "00100020"


class _Attribute(msgspec.Struct):
    vr: str = "UN"
    value: list[msgspec.Raw] = msgspec.field(name="Value", default_factory=list)


_rows = msgspec.json.Decoder(dict[str, msgspec.Raw])
_attributes = msgspec.json.Decoder(_Attribute)
_encode = msgspec.json.encode

Tags = dict[str, msgspec.Raw]
Key = tuple[str, ...]


class RowError(ValueError):
    """A row that cannot be used; the message names no value."""


@dataclass(slots=True)
class Row:
    """One match of one source: its UIDs, its attributes as sent, and where it came from."""

    key: Key
    tags: Tags
    source: str

    def values(self, tag: str) -> list[msgspec.Raw]:
        return values(self.tags.get(tag))

    def text(self, tag: str) -> str:
        """The first value as text, "" when there is none."""
        found = self.values(tag)
        value = msgspec.json.decode(found[0]) if found else ""
        return str(value).strip(" \0") if isinstance(value, str | int | float) else ""

    def count(self) -> int:
        """How many instances its source says it has; -1 when it does not say."""
        return max((number(self.tags.get(tag)) for tag in _COUNTS[1:]), default=-1)


@dataclass(slots=True)
class Merged:
    """One match of the federation. `sources` are the upstreams that have it, the better holder first."""

    key: Key
    sources: tuple[str, ...]
    body: bytes
    order: tuple[object, ...]
    conflict: bool = False
    counts: dict[str, int] = field(default_factory=dict)


def values(attribute: msgspec.Raw | None) -> list[msgspec.Raw]:
    """The Value array of one attribute, undecoded; empty when it has none or is not an attribute."""
    if attribute is None:
        return []
    try:
        return _attributes.decode(attribute).value
    except msgspec.DecodeError:
        return []


def number(attribute: msgspec.Raw | None) -> int:
    """An integer written as number or string (PS3.18 F.2.2 allows both); -1 when there is none."""
    found = values(attribute)
    try:
        return int(msgspec.json.decode(found[0])) if found else -1
    except (ValueError, TypeError):
        return -1


def read(row: bytes, resource: Resource, source: str) -> Row:
    """One row of a source's answer to a search for `resource`; UIDs of the path are filled in.

    Raises RowError for a row that is not a DICOM JSON object or that has no usable UID of its level."""
    try:
        tags = _rows.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RowError("a row is not a JSON object of attributes") from error
    for tag, uid in ((STUDY, resource.study), (SERIES, resource.series)):
        if uid and not values(tags.get(tag)):
            tags[tag] = msgspec.Raw(_encode({"vr": "UI", "Value": [uid]}))
    found = Row((), tags, source)
    needed = {Level.STUDY: (STUDY,), Level.SERIES: (STUDY, SERIES)}.get(
        resource.level or Level.STUDY, (STUDY, SERIES, INSTANCE)
    )
    found.key = tuple(found.text(tag) for tag in needed)
    if not all(uid and is_uid(uid) for uid in found.key):
        raise RowError("a row lacks a usable UID of its level")
    return found


def merge(rows: Iterable[Row], level: Level, public: str, preference: Sequence[str]) -> list[Merged]:
    """All matches, each once, in one total order; `preference` is the route's order of upstreams.

    The better holder of a match (most instances, then preference) gives the patient, the dates and
    whatever is not united; its RetrieveURL is ours."""
    held: dict[Key, list[Row]] = {}
    for row in rows:
        group = held.setdefault(row.key, [])
        if all(row.source != other.source for other in group):
            group.append(row)
    rank = {name: place for place, name in enumerate(preference)}
    merged = [_merged(group, level, public, rank) for group in held.values()]
    return sorted(merged, key=lambda match: match.order)


def _merged(group: list[Row], level: Level, public: str, rank: dict[str, int]) -> Merged:
    group = sorted(group, key=lambda row: (-row.count(), rank.get(row.source, len(rank))))
    primary, others = group[0], group[1:]
    tags = dict(primary.tags)
    conflict = any(differ(primary, other) for other in others)
    if others:
        _unite(tags, group)
        if not conflict:
            _fill(tags, others)
    tags[_RETRIEVE_URL] = msgspec.Raw(_encode({"vr": "UR", "Value": [_url(level, primary.key, public)]}))
    if _MODALITIES in tags and not values(tags[_MODALITIES]):
        del tags[_MODALITIES]  # a viewer throws on the attribute without a Value, not on its absence
    body = _encode({tag: tags[tag] for tag in sorted(tags)})
    counts = {row.source: row.count() for row in group}
    return Merged(primary.key, tuple(counts), body, order(tags, level, primary.key), conflict, counts)


def differ(one: Row, other: Row) -> bool:
    """Whether two sources name different patients: (issuer, PatientID), only where both say it."""
    for tag in (_PATIENT_ID, _ISSUER):
        left, right = one.text(tag), other.text(tag)
        if left and right and left != right:
            return True
    return False


def _unite(tags: Tags, group: list[Row]) -> None:
    for tag in _UNIONS:
        _set(tags, tag, list(dict.fromkeys(bytes(value) for row in group for value in row.values(tag))))
    for tag in _COUNTS:
        best = max(group, key=lambda row: number(row.tags.get(tag)))
        if number(best.tags.get(tag)) >= 0:
            tags[tag] = best.tags[tag]
    for tag in _PATIENT_COUNTS:
        tags.pop(tag, None)  # overlaps unknown: no honest figure (law 14)
    syntaxes = [{bytes(value) for value in row.values(_SYNTAXES)} for row in group]
    if _SYNTAXES in tags:
        common = set.intersection(*syntaxes)
        _set(tags, _SYNTAXES, [bytes(v) for v in values(tags[_SYNTAXES]) if bytes(v) in common])
    _availability(tags, group)


def _availability(tags: Tags, group: list[Row]) -> None:
    """A source that has as many instances as the merged row speaks for it, else the slowest (3.2)."""
    said = [row for row in group if row.text(_AVAILABILITY) in _AVAILABLE]
    if not said:
        return
    most = max(row.count() for row in group)
    whole = [row for row in said if row.count() == most]
    speed = {name: place for place, name in enumerate(_AVAILABLE)}
    chosen = (
        min(whole, key=lambda row: speed[row.text(_AVAILABILITY)])
        if whole
        else max(said, key=lambda row: speed[row.text(_AVAILABILITY)])
    )
    tags[_AVAILABILITY] = chosen.tags[_AVAILABILITY]


def _set(tags: Tags, tag: str, found: list[bytes]) -> None:
    """Give an attribute these raw values; the VR stays as it was, or is the one the tag has."""
    if not found and tag not in tags:
        return
    vr = _attributes.decode(tags[tag]).vr if tag in tags else ("AE" if tag == "00080054" else "CS")
    if tag in ("00080062", _SYNTAXES):
        vr = "UI"
    tags[tag] = msgspec.Raw(_encode({"vr": vr, "Value": [msgspec.Raw(value) for value in found]}))


def _fill(tags: Tags, others: list[Row]) -> None:
    """Empty study and series attributes may be filled from another copy of the same patient's study;
    patient attributes and private blocks never (law 6)."""
    if not values(tags.get(_WHEN[0])):
        dated = next((row for row in others if row.values(_WHEN[0])), None)
        for tag in _WHEN if dated else ():
            tags.pop(tag, None)
            if tag in dated.tags:  # type: ignore[union-attr]
                tags[tag] = dated.tags[tag]  # type: ignore[union-attr]
    for row in others:
        for tag, attribute in row.tags.items():
            if tag in _WHEN or tag in _PATIENT_COUNTS or tag.startswith("0010") or _private(tag):
                continue
            if not values(tags.get(tag)) and values(attribute):
                tags[tag] = attribute


def _private(tag: str) -> bool:
    return tag[3:4] in "13579BDFbdf"


def _url(level: Level, key: Key, public: str) -> str:
    words = ("studies", "series", "instances")
    return public + "".join(f"/{word}/{uid}" for word, uid in zip(words, key, strict=False))


def order(tags: Tags, level: Level, key: Key) -> tuple[object, ...]:
    """A total order: studies newest first, series and instances by their number; the UID breaks ties."""
    if level is Level.STUDY:
        row = Row(key, tags, "")
        date, moment = row.text("00080020"), row.text("00080030")
        return (not date, _descending(date), _descending(moment.replace(":", "")), key)
    place = number(tags.get("00200011" if level is Level.SERIES else "00200013"))
    return (place < 0, place, key)


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text) or (1,)
