"""What the rows of a search have to pass, where they are matched here (PS3.4 §C.2.2.2, PS3.18 §8.3.4)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from edgerouter.dicom.matching import InvalidKey, Matcher
from edgerouter.dicom.predicates import TIMEZONE_OFFSET, values_of
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.rows import Tags
from edgerouter.errors import BadRequest

_EMPTY = ('""',)  # PS3.4 C.2.2.2.7


class RowTest(NamedTuple):
    """What rows have to pass; it looks at `tags` only."""

    tags: frozenset[str]
    passes: Callable[[Tags], bool]


def is_exact(value: str) -> bool:
    return value not in ("", "*", *_EMPTY)


def row_test(matches: Sequence[Match], asked: SearchQuery) -> RowTest | None:
    """What rows have to pass, None when all do."""
    blank = [match for match in matches if asked.emptyvaluematching and match.values == _EMPTY]
    keys = [(match.attribute.path, match.values) for match in matches if match not in blank]
    if not blank and all(not any(map(is_exact, values)) for _, values in keys):
        return None
    try:
        matcher = Matcher(keys, fuzzy=bool(asked.fuzzymatching))
    except InvalidKey as error:
        raise BadRequest(str(error)) from None
    tags = frozenset({TIMEZONE_OFFSET, *(match.attribute.path[0] for match in matches)})

    def passes(row: Tags) -> bool:
        values = {tag: msgspec.json.decode(row[tag]) for tag in tags if tag in row}
        return matcher(values) and all(_is_empty(values, match.attribute.path) for match in blank)

    return RowTest(tags, passes)


def _is_empty(values: dict[str, dict[str, object]], path: Sequence[str]) -> bool:
    """Empty Value Matching: there is no value, or for an attribute in a sequence, an item without one."""
    held = values_of(values, path[0])
    if len(path) == 1 or not held:
        return not held
    return any(isinstance(item, dict) and _is_empty(item, path[1:]) for item in held)
