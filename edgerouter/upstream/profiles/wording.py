"""One search as one archive can be asked it: what it knows is sent, what it does not is matched here, and
what nobody can match is told (PS3.18 §8.3.4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from edgerouter.dicomweb.attribute import EMPTY, Attribute, read_attribute
from edgerouter.dicomweb.kept_keys import TIMEZONE, is_range, paired
from edgerouter.dicomweb.levels import has, level_of
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.dicomweb.rows import names
from edgerouter.upstream.profiles.searching import Searching

MAX_PARTS = 32  # requests that one list of values may become
# PS3.18 §8.3.4.5 and its neighbours, word for word: clients look for them.
UNSUPPORTED = {
    "fuzzymatching": "The fuzzymatching parameter is not supported. "
    "Only literal matching has been performed.",
    "emptyvaluematching": "The emptyvaluematching parameter is not supported. "
    "Empty Value Matching has not been performed.",
    "multiplevaluematching": "The multiplevaluematching parameter is not supported. "
    "Multiple Value Matching has not been performed.",
}
_WILD = ("*", "?")


@dataclass(frozen=True, slots=True)
class Wording:
    """`parts` are the queries whose results, together, are the answer; `kept` the keys to match on them here.

    `told` is what the client has to know, word for word; `unmatched` are the names of keys that nobody can
    match. `faithful` says that the archive's answer to the only part is the answer, page by page."""

    parts: tuple[SearchQuery, ...]
    kept: tuple[Match, ...] = ()
    told: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    faithful: bool = True


@dataclass(slots=True)
class _Keys:
    """The keys of a search, each where it goes."""

    sent: list[Match] = field(default_factory=list)
    kept: list[Match] = field(default_factory=list)
    returned: list[Attribute] = field(default_factory=list)
    """Of keys that match everything: sent as fields, where they cannot be sent as keys."""
    left: list[Match] = field(default_factory=list)
    """Neither sent nor matched by their attribute: by the row's UIDs, or not at all."""
    unmatched: list[str] = field(default_factory=list)


def worded(ways: Searching, asked: SearchQuery, resource: Resource) -> Wording:
    """What an archive with these ways is asked when `asked` is wanted of `resource`."""
    level = resource.level or Level.STUDY
    keys = _Keys()
    for match in asked.matches:
        _place(ways, asked, resource, match, keys)
    _keep_intervals(ways, keys)
    parts = _parts(ways, keys)
    told = tuple(text for name, text in UNSUPPORTED.items() if _missed(ways, asked, name, keys))
    listed = not asked.include_all and ways.includefield != "none"
    base = replace(
        asked,
        includefield=_fields(ways, asked, level, keys) if listed else (),
        include_all=asked.include_all and ways.includefield != "none",
        fuzzymatching=_known(ways, "fuzzymatching", asked.fuzzymatching),
        emptyvaluematching=_known(ways, "emptyvaluematching", asked.emptyvaluematching),
        multiplevaluematching=_known(ways, "multiplevaluematching", asked.multiplevaluematching),
    )
    exact = len(parts) == 1 and not (keys.kept or keys.left or keys.unmatched or told)
    return Wording(
        tuple(replace(base, matches=part) for part in parts),
        tuple(keys.kept),
        told,
        tuple(keys.unmatched),
        exact and _pages_alike(ways, asked, resource),
    )


def is_hierarchical(resource: Resource) -> bool:
    """Whether the path names all that is above the level searched (PS3.18 Table 10.6.1-1)."""
    above = {
        Level.STUDY: (),
        Level.SERIES: (resource.study,),
        Level.INSTANCE: (resource.study, resource.series),
    }
    return all(above[resource.level or Level.STUDY])


def _pages_alike(ways: Searching, asked: SearchQuery, resource: Resource) -> bool:
    """Whether the archive pages through the collection as the client does."""
    if not ways.relational and not is_hierarchical(resource):
        return False
    limit, most = asked.limit, ways.page_limit(resource.level)
    if limit is not None and limit < ways.limit_min:
        return False
    return ways.tells_of_more or (limit is not None and (most is None or limit <= most))


def _known(ways: Searching, parameter: str, value: bool | None) -> bool | None:
    return value if parameter in ways.parameters else None


def _missed(ways: Searching, asked: SearchQuery, parameter: str, keys: _Keys) -> bool:
    """Whether the client wants a way of matching that the archive does not know. Names kept here are matched
    fuzzily here."""
    if not getattr(asked, parameter) or parameter in ways.parameters:
        return False
    return parameter != "fuzzymatching" or any(match.attribute.vr == "PN" for match in keys.sent)


def _place(ways: Searching, asked: SearchQuery, resource: Resource, match: Match, keys: _Keys) -> None:
    attribute, level = match.attribute, resource.level or Level.STUDY
    if attribute.path == (TIMEZONE,):
        (keys.sent if ways.time_zones else keys.kept).append(match)
    elif any(_needs(ways, asked, match)):
        keys.left.append(match)  # the client is told of the parameter
    elif ways.keys is not None and not has(level, attribute.path[0]):
        if not _universal(match):
            keys.unmatched.append(attribute.keyword)  # of a level below: no row has it
    elif _universal(match):
        if _takes_universal(ways, match):
            keys.sent.append(match)
        else:
            keys.returned.append(attribute)
    elif _takes(ways, resource, match):
        keys.sent.append(match)
    elif attribute.path == (attribute.tag,) and attribute.tag in names(level):
        keys.left.append(match)  # rows are named by these UIDs, and matched by their names
    else:
        keys.kept.append(match)


def _needs(ways: Searching, asked: SearchQuery, match: Match) -> Iterator[bool]:
    """Whether the key means anything only by a parameter that the archive does not know."""
    yield (
        bool(asked.emptyvaluematching)
        and "emptyvaluematching" not in ways.parameters
        and EMPTY in match.values
    )
    several = len(match.values) > 1 and match.attribute.vr not in ("UI", "CS")
    yield several and "multiplevaluematching" not in ways.parameters


def _universal(match: Match) -> bool:
    return all(not value.strip().strip("*") for value in match.values)


def _takes_universal(ways: Searching, match: Match) -> bool:
    known = ways.keys is None or match.attribute.path[0] in ways.keys
    return known and (ways.wildcards if any(match.values) else ways.empty_keys)


def _takes(ways: Searching, resource: Resource, match: Match) -> bool:
    attribute = match.attribute
    if attribute.tag in ways.lost_keys.get(resource.level or Level.STUDY, ()):
        return False
    if ways.keys is not None:
        if len(attribute.path) > 1 or attribute.tag not in ways.keys:
            return False
        if resource.study and level_of(attribute.tag) is Level.STUDY:
            return False  # the path says which study: its attributes are no keys there
        if resource.series and level_of(attribute.tag) is Level.SERIES:
            return False
    if (
        not ways.wildcards
        and attribute.vr != "UI"
        and any(sign in one for one in match.values for sign in _WILD)
    ):
        return False
    return not is_range(match) or ways.ranges is None or attribute.tag in ways.ranges


def _keep_intervals(ways: Searching, keys: _Keys) -> None:
    """Where date and time ranges are not taken as one interval, the dates are asked for, and the interval is
    matched here. Zones that the archive does not know may move it by a day either way."""
    everything = [*keys.sent, *keys.kept]
    pair = paired(everything)
    zoned = any(match.attribute.path == (TIMEZONE,) for match in keys.kept)
    if zoned and pair is None and any(match.attribute.vr in ("DA", "TM", "DT") for match in everything):
        keys.unmatched.append("TimezoneOffsetFromUTC")
    if pair is None or (ways.combined_times and not zoned):
        return
    date, time = pair
    keys.kept = [match for match in keys.kept if match not in pair] + [date, time]
    keys.sent = [match for match in keys.sent if match is not time]
    if zoned and date in keys.sent:
        keys.sent[keys.sent.index(date)] = Match(date.attribute, (_widened(date.values[0]),))


def _widened(dates: str) -> str:
    """A range of dates with a day more at each end: no two zones are further apart."""
    first, _, last = dates.partition("-")
    return f"{_moved(first, -1)}-{_moved(last, 1)}"


def _moved(date: str, days: int) -> str:
    try:
        return f"{datetime.strptime(date, '%Y%m%d') + timedelta(days=days):%Y%m%d}".zfill(8) if date else ""
    except (ValueError, OverflowError):
        return date


def _parts(ways: Searching, keys: _Keys) -> list[tuple[Match, ...]]:
    """The queries that a list of values becomes where an archive takes single values only."""
    lists = [match for match in keys.sent if len(match.values) > 1]
    if ways.separator is not None or not lists:
        return [tuple(keys.sent)]
    lists.sort(key=lambda match: match.attribute.vr != "UI")
    divided = next((match for match in lists if len(match.values) <= MAX_PARTS), None)
    keys.kept += [match for match in lists if match is not divided]
    keys.sent = [match for match in keys.sent if match not in lists]
    if divided is None:
        return [tuple(keys.sent)]
    values = dict.fromkeys(divided.values)
    return [(*keys.sent, Match(divided.attribute, (value,))) for value in values]


def _fields(ways: Searching, asked: SearchQuery, level: Level, keys: _Keys) -> tuple[Attribute, ...]:
    """The fields asked for: the client's, those to match by, and what is otherwise left out. Where names are
    refused, those of a level below, which mean nothing here, are not sent."""
    own = [one for one in asked.includefield if ways.keys is None or has(level, one.path[0])]
    more = [*(match.attribute for match in keys.kept), *keys.returned]
    wanted = {attribute.path: attribute for attribute in (*own, *more)}
    for tag in sorted(ways.left_out.get(level, ())):
        if attribute := read_attribute(tag):
            wanted.setdefault((tag,), attribute)
    return tuple(wanted.values())
