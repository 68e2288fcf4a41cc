"""Match keys checked again on what a source returned: a source may ignore a key it does not support, and
then answers with rows that nobody asked for (PS3.18 §8.3.4, law 6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from edgerouter.dicom.matching import InvalidKey, Matcher
from edgerouter.dicomweb.attribute import EMPTY, Attribute
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.dicomweb.rows import ISSUER, PATIENT_ID, STUDY_DATE, Row, names, values

_ACCESSION, _TIMEZONE = "00080050", "00080201"
_MODALITIES = frozenset({"00080060", "00080061"})
# Whose it is: rows of the top-level collections have these, and one without them is dropped.
_IDENTITY = frozenset({PATIENT_ID, ISSUER, _ACCESSION})
# Compared by their letters; a row that does not return them may still be right.
_LITERAL = frozenset({STUDY_DATE, *_MODALITIES})

Checks = Mapping[str, Matcher]


class Filter:
    """A test of rows against what can be checked of a search for `resource`; False is for rows that were
    not asked for. Rows of other studies and series than the path's never pass."""

    def __init__(self, asked: SearchQuery, resource: Resource) -> None:
        self._path = tuple(uid for uid in (resource.study, resource.series) if uid)
        self._uids = tuple(_uids(asked, resource.level or Level.STUDY))
        identity = _IDENTITY if _top_level(resource) else frozenset[str]()
        self._demanded = _compiled(asked, identity)
        self._if_said = _compiled(asked, (_IDENTITY | _LITERAL) - identity)

    @property
    def checks(self) -> bool:
        """Whether the search has keys that can be checked."""
        return self.identifies or bool(self._if_said)

    @property
    def idle(self) -> bool:
        """Whether every row passes."""
        return not (self._path or self.checks)

    @property
    def identifies(self) -> bool:
        """Whether it has keys that say whose or which it is."""
        return bool(self._uids or self._demanded)

    def __call__(self, row: Row) -> bool:
        if row.key[: len(self._path)] != self._path:
            return False
        if any(row.key[place] not in wanted for place, wanted in self._uids):
            return False
        return not (self._demanded or self._if_said) or self._attributes(row)

    def _attributes(self, row: Row) -> bool:
        tags = row.tags
        said = {tag: check for tag, check in self._if_said.items() if values(tags.get(tag))}
        checks = {**self._demanded, **said}
        model = {tag: {"Value": [_plain(value) for value in values(tags.get(tag))]} for tag in checks}
        return all(check(model) for check in checks.values())


def answerable(asked: SearchQuery, resource: Resource, demanded: Sequence[Match] = ()) -> SearchQuery:
    """The same search with the identity keys it matches, and what is `demanded`, among the fields it asks
    for, so that they can be checked."""
    if asked.include_all:
        return asked
    own = _keys(asked, _IDENTITY) if _top_level(resource) else ()
    wanted = {one.path: one for one in asked.includefield}
    for one in (*own, *(match.attribute for match in demanded)):
        wanted.setdefault(one.path, one)
    return replace(asked, includefield=tuple(wanted.values()))


def _top_level(resource: Resource) -> bool:
    return resource.study is None


def _uids(asked: SearchQuery, level: Level) -> Iterator[tuple[int, frozenset[str]]]:
    for place, tag in enumerate(names(level)):
        match = asked.match(tag)
        if match and _literal(match, asked) and "*" not in match.values:
            yield place, frozenset(match.values)


def _compiled(asked: SearchQuery, tags: frozenset[str]) -> Checks:
    """The checks of these keys; what we cannot read, the source has to judge."""
    found = {}
    zoned = asked.match(_TIMEZONE) is not None  # then a source moves dates to the query's zone
    for match in asked.matches:
        tag = match.attribute.tag
        if match.attribute.path != (tag,) or tag not in tags or (zoned and tag == STUDY_DATE):
            continue
        if _literal(match, asked):
            try:
                found[tag] = Matcher([(match.attribute.path, match.values)], combined=False)
            except InvalidKey:
                continue
    return found


def _literal(match: Match, asked: SearchQuery) -> bool:
    """Whether the key means what it says: an empty value is matched specially, or not at all."""
    return all(match.values) and not (asked.emptyvaluematching and EMPTY in match.values)


def _keys(asked: SearchQuery, tags: Iterable[str]) -> Iterator[Attribute]:
    return (one.attribute for one in asked.matches if one.attribute.path in {(tag,) for tag in tags})


def _plain(value: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
