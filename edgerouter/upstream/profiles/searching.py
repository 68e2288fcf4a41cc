"""What an archive can do with a search (PS3.18 §8.3.4, §10.6), and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from edgerouter.dicomweb.resource import Level

PARAMETERS = frozenset({"fuzzymatching", "emptyvaluematching", "multiplevaluematching"})


def nothing() -> Mapping[Level, frozenset[str]]:
    """No attributes at any level."""
    return MappingProxyType({})


def everywhere(limit: int) -> Mapping[Level, int]:
    """The same page limit at every level."""
    return MappingProxyType(dict.fromkeys(Level, limit))


@dataclass(frozen=True, slots=True)
class Searching:
    """One product's ways with a search, by default the standard's; attributes are named by their tags."""

    keys: frozenset[str] | None = None
    """The match keys that it knows, each at the levels that have it; None for whatever may come. Others are
    not sent: they are matched here."""
    lost_keys: Mapping[Level, frozenset[str]] = field(default_factory=nothing)
    """Keys that it takes at a level, and then finds nothing."""
    ranges: frozenset[str] | None = None
    """The keys that it matches by range; None for every date and time."""
    wildcards: bool = True
    """`*` and `?` mean what they mean; `*` alone, too."""
    empty_keys: bool = True
    """A key without a value matches everything, and has the attribute returned."""
    separator: Literal[",", "%2C", "%5C"] | None = ","
    """Between the values of a list in a query; `%2C` and `,` are not the same to everybody. None where one
    value is all it takes."""
    parameters: frozenset[str] = PARAMETERS
    """The parameters it knows beside keys, fields and pages."""
    includefield: Literal["comma", "repeat", "none"] = "comma"
    """One list, once for each attribute, or not at all."""
    named_by: Literal["written", "keyword", "tag"] = "written"
    """How attributes are spelled: as the client did, or alike."""
    slow_fields: Mapping[Level, frozenset[str]] = field(default_factory=nothing)
    """Attributes not worth asking for at a level."""
    left_out: Mapping[Level, frozenset[str]] = field(default_factory=nothing)
    """Attributes that the standard has returned always, and it only when asked."""
    limit_min: int = 0
    page_limits: Mapping[Level, int] = field(default_factory=lambda: MappingProxyType({}))
    """The greatest `limit` it takes, by level."""
    most_results: int | None = None
    """What lies beyond so many results cannot be had, whatever the offset."""
    tells_of_more: bool = True
    """It says when there is more than it gave, or gives all it has unless a limit is asked."""
    offset_needs_limit: bool = False
    """An offset without a limit may be ignored."""
    relational: bool = True
    """It searches series and instances without being told the study and the series they are in."""
    combined_times: bool = True
    """A date range and a time range together are one interval (PS3.4 §C.2.2.2.5.1)."""
    time_zones: bool = True
    """TimezoneOffsetFromUTC says in which zone the query's dates and times are meant."""

    def page_limit(self, level: Level | None) -> int | None:
        """The greatest `limit` for results of this level; None where it sets none."""
        return self.page_limits.get(level) if level else None
