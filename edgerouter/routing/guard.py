"""What a rule wants of the searches it lets through: keys that must be there, keys it adds or rewrites, and
how much may be found.

A search is judged as it was understood, not as it was spelled: keyword or tag, in the path or in the query.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from edgerouter.dicomweb.attribute import Attribute, read_attribute, read_values
from edgerouter.dicomweb.levels import level_of
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import BadRequest, ContentTooLarge

PLACE = "{}"  # in a rewritten key: where the client's own value goes
_STUDY_DATE = "00080020"
_PATH = {"0020000D": "study", "0020000E": "series", "00080018": "instance"}


@dataclass(frozen=True, slots=True)
class Gate:
    """A study or series that a path names, and what it has to match before it is searched in."""

    resource: Resource
    asked: SearchQuery
    demanded: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A search as the rule lets it through: what is asked, what its rows have to have whatever is asked, and
    what has to hold of the path."""

    asked: SearchQuery
    demanded: tuple[Match, ...] = ()
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class Guard:
    """Attributes are named by tags. `require`: of each group one key has to be there, with a value that says
    something. `max_days`: how many days StudyDate may span. `max_results`: how many results there may be,
    more are cut off, or, with `refuse`, refused. `add`: keys that hold beside the client's own.
    `rewrite`: attribute → the value instead of the client's, in which PLACE stands for that."""

    require: tuple[tuple[str, ...], ...] = ()
    max_days: int | None = None
    max_results: int | None = None
    refuse: bool = False
    add: tuple[Match, ...] = ()
    rewrite: tuple[tuple[str, str], ...] = ()

    def let_through(self, asked: SearchQuery, resource: Resource, today: date | None = None) -> Guarded:
        """The search as it goes on; raises BadRequest for one that lacks a key, or whose rewritten key is no
        value of its VR, ContentTooLarge for one that is too broad. `today` ends open ranges."""
        self._check_keys(asked, resource)
        self._check_days(asked, today)
        rewrites = dict(self.rewrite)
        matches = [_rewritten(match, rewrites.get(match.attribute.tag)) for match in asked.matches]
        own = {match.attribute.path: match for match in matches}
        sent = {**own, **{match.attribute.path: match for match in self.add}}
        twice = [own[match.attribute.path] for match in self.add if _says(own.get(match.attribute.path))]
        forced = (*self.add, *twice)
        above = [match for match in forced if _is_above(match.attribute, resource)]
        here = [match for match in forced if match not in above]
        for match in above:
            sent.pop(match.attribute.path, None)
        gates = tuple(_gates(above, resource))
        return Guarded(replace(asked, matches=tuple(sent.values())), tuple(here), gates)

    def most(self, found: int) -> int:
        """How many of so many results may be had; raises ContentTooLarge where more are refused."""
        if self.max_results is None or found <= self.max_results:
            return found
        if self.refuse:
            what = (
                f"There are more than the {self.max_results} results that a rule allows; narrow the search."
            )
            raise ContentTooLarge(what)
        return self.max_results

    def _check_keys(self, asked: SearchQuery, resource: Resource) -> None:
        named = {
            match.attribute.tag for match in asked.matches if len(match.attribute.path) == 1 and _says(match)
        }
        named |= {tag for tag, place in _PATH.items() if getattr(resource, place)}
        missing = [group for group in self.require if named.isdisjoint(group)]
        if missing:
            groups = "; ".join(" or ".join(map(_keyword, group)) for group in missing)
            raise BadRequest(f"A rule wants a value to match for: {groups}.")

    def _check_days(self, asked: SearchQuery, today: date | None) -> None:
        match = asked.match(_STUDY_DATE)
        if self.max_days is None or match is None or not _says(match):
            return
        if any(_days(value, today or date.today()) > self.max_days for value in match.values):
            what = (
                f"StudyDate spans more than the {self.max_days} days that a rule allows; narrow the search."
            )
            raise ContentTooLarge(what)


def _says(match: Match | None) -> bool:
    """Whether a key narrows a search: it has more than wildcards in each of its values."""
    return match is not None and all(value.strip().strip("*?") for value in match.values)


def _rewritten(match: Match, template: str | None) -> Match:
    if template is None or len(match.attribute.path) > 1:
        return match
    values = tuple(template.replace(PLACE, value) for value in match.values)
    for value in values:
        read_values(match.attribute, value, empty=False, multiple=False)
    return Match(match.attribute, values)


def _days(value: str, today: date) -> int:
    """How many days a date or a range of dates covers; the first of all is that of the calendar."""
    first, dash, last = value.partition("-")
    if not dash:
        return 1
    return (_date(last, today) - _date(first, date.min)).days + 1


def _date(text: str, default: date) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date() if text else default
    except ValueError:
        raise BadRequest("The value of StudyDate is not a date.") from None


def _is_above(attribute: Attribute, resource: Resource) -> bool:
    """Whether the attribute is that of the study or series in the path: rows below need not have it."""
    level = level_of(attribute.path[0])
    if level is Level.STUDY:
        return resource.study is not None
    return level is Level.SERIES and resource.series is not None


def _gates(matches: list[Match], resource: Resource) -> Iterator[Gate]:
    for level, uid in ((Level.STUDY, resource.study), (Level.SERIES, resource.series)):
        wanted = tuple(match for match in matches if level_of(match.attribute.path[0]) is level)
        if wanted and uid:
            name = "StudyInstanceUID" if level is Level.STUDY else "SeriesInstanceUID"
            inside = None if level is Level.STUDY else resource.study
            keys = {match.attribute.path: match for match in wanted[::-1]}  # the rule's before the client's
            asked = SearchQuery(matches=(Match(_named(name), (uid,)), *keys.values()))
            yield Gate(Resource(Kind.COLLECTION, level, inside), asked, wanted)


def _named(keyword: str) -> Attribute:
    attribute = read_attribute(keyword)
    assert attribute is not None
    return attribute


def _keyword(tag: str) -> str:
    return _named(tag).keyword
