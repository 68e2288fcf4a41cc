"""Match keys checked again on what a source returned: a source may ignore a key it does not support, and
then answers with rows that nobody asked for (PS3.18 §8.3.4, law 6)."""

from collections.abc import Mapping

import msgspec

from edgerouter.dicom.matching import InvalidKey, Matcher
from edgerouter.dicomweb.attribute import Attribute
from edgerouter.dicomweb.query import Match, SearchQuery

# Without these in a row nobody knows whose it is: the row is dropped.
IDENTITY = frozenset({"0020000D", "0020000E", "00080018", "00100020", "00100021", "00080050"})
# These are compared by their letters; a row that does not return them may still be right.
LITERAL = frozenset({"00080020", "00080060", "00080061"})


class Filter:
    """A test of rows (tag → undecoded attribute) against the keys of a search that can be checked."""

    def __init__(self, asked: SearchQuery) -> None:
        self._identity = _compiled(asked, IDENTITY)
        self._literal = _compiled(asked, LITERAL)

    def __call__(self, tags: Mapping[str, msgspec.Raw]) -> bool:
        wanted = self._identity.keys() | (self._literal.keys() & tags.keys())
        if not wanted:
            return True
        row = {tag: msgspec.json.decode(tags[tag]) for tag in wanted if tag in tags}
        return all((self._identity.get(tag) or self._literal[tag])(row) for tag in wanted)


def _compiled(asked: SearchQuery, tags: frozenset[str]) -> dict[str, Matcher]:
    found = {}
    for match in asked.matches:
        tag = match.attribute.tag
        if len(match.attribute.path) == 1 and tag in tags and _literal(match, asked):
            try:
                found[tag] = Matcher([(match.attribute.path, match.values)], combined=False)
            except InvalidKey:
                continue  # what we cannot read, the source has to judge
    return found


def _literal(match: Match, asked: SearchQuery) -> bool:
    """Whether the key means what it says: not an empty value, which some sources match specially."""
    return not asked.emptyvaluematching and all(value and value != '""' for value in match.values)


def checkable(asked: SearchQuery) -> tuple[Attribute, ...]:
    """The match keys that sources have to return so that they can be checked again."""
    attributes = (match.attribute for match in asked.matches)
    return tuple(one for one in attributes if len(one.path) == 1 and one.tag in IDENTITY)
