"""What is pinned by a query: match keys as in a search (PS3.18 §8.3.4.1), and days that move: pure.

In the value of a date `today` is the day at the site and `today-N` the one N days before; both stand
alone or at either end of a range: `StudyDate=today-7-` is the last seven days and today.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from edgerouter.cache.descriptions import TOLD_ANYWAY
from edgerouter.dicom.matching import InvalidKey, Matcher, Row
from edgerouter.dicomweb.attribute import read_attribute
from edgerouter.dicomweb.query import SearchQuery, parse
from edgerouter.errors import BadRequest

_DAY = re.compile(r"today(?:-([0-9]{1,4})(?![0-9]))?")
_LONGEST = 1000


class UnusableQuery(ValueError):
    """The query cannot be a pin; the text is for the operator, and repeats none of its values."""


@dataclass(frozen=True, slots=True)
class Question:
    """A pin's query on one day."""

    matches: Callable[[Row], bool]
    tags: frozenset[str]

    @property
    def needs_metadata(self) -> bool:
        """Whether a study without metadata cannot be judged by it."""
        return not self.tags <= TOLD_ANYWAY


def question(text: str, today: date) -> Question:
    """The query as it is meant on that day. Raises UnusableQuery."""
    if len(text) > _LONGEST:
        raise UnusableQuery(f"The query is longer than {_LONGEST} characters.")
    try:
        query = parse("&".join(_on(piece, today) for piece in text.split("&")))
        _check(query)
        keys = [(match.attribute.path, match.values) for match in query.matches]
        matcher = Matcher(keys, fuzzy=bool(query.fuzzymatching))
    except (BadRequest, InvalidKey) as error:
        raise UnusableQuery(str(error)) from None
    return Question(matcher, frozenset(match.attribute.path[0] for match in query.matches))


def _check(query: SearchQuery) -> None:
    if query.ignored:
        raise UnusableQuery(f"{query.ignored[0]} is no attribute of DICOM.")
    if query.includefield or query.include_all or query.limit is not None or query.offset is not None:
        raise UnusableQuery("Only match keys make a pin: no includefield, limit or offset.")
    if not any(value.strip("*") for match in query.matches for value in match.values):
        raise UnusableQuery("The query has no match key: it would pin everything.")


def _on(piece: str, today: date) -> str:
    """A key and its value, moving days replaced by dates where the value is one."""
    name, equals, value = piece.partition("=")
    attribute = read_attribute(name)
    if attribute is None or attribute.vr != "DA":
        return piece

    def day(found: re.Match[str]) -> str:
        return f"{today - timedelta(days=int(found[1] or 0)):%Y%m%d}"

    return name + equals + _DAY.sub(day, value)
