"""The `quirks` of an upstream: single facts in which an archive differs from its profile."""

from typing import Annotated, Literal

from edgerouter.config.attributes import Attribute
from edgerouter.config.section import OneOrMany, Section
from edgerouter.config.values import Count, YesNo


class Quirks(Section):
    """What an operator knows of this one archive; what is left out is as the profile has it."""

    page_limit: Count | None = None
    """Search: the greatest limit it takes, at every level."""
    most_results: Count | None = None
    """Search: what lies beyond so many results cannot be had."""
    tells_of_more: YesNo | None = None
    """Search: it says when there is more than it gave, or gives all it has unless a limit is asked."""
    keys: Annotated[tuple[Attribute, ...], OneOrMany()] | None = None
    """Search: the match keys it knows; others are matched by the router."""
    ranges: Annotated[tuple[Attribute, ...], OneOrMany()] | None = None
    """Search: the keys it matches by range."""
    wildcards: YesNo | None = None
    """Search: it knows * and ?."""
    empty_keys: YesNo | None = None
    """Search: it takes keys without a value."""
    lists: Literal[",", "%2C", "%5C", "no"] | None = None
    """Search: what separates the values of a list, or `no` where it takes single values only."""
    fuzzymatching: YesNo | None = None
    """Search: it knows the parameter."""
    includefield: Literal["comma", "repeat", "none"] | None = None
    """Search: one list, once for each attribute, or not at all."""
    relational: YesNo | None = None
    """Search: it finds series and instances without being told their study and series."""
    combined_times: YesNo | None = None
    """Search: a date range and a time range are one interval."""
    time_zones: YesNo | None = None
    """Search: it knows TimezoneOffsetFromUTC."""
    documents: Literal["both", "json", "xml"] | None = None
    """The forms in which it gives search results and metadata."""
    accept_lists: YesNo | None = None
    """It takes several media ranges in Accept."""
    single_part: YesNo | None = None
    """It answers with an instance or a frame alone, not only as multipart."""
    frames_batch: Count | None = None
    """How many frames it is asked for at once."""
