"""Which attributes a search result has (PS3.18 §10.6.3.3): what its level asks for, what the levels above it
add, what only an archive can tell, and what was asked for besides."""

from dataclasses import dataclass

import msgspec

from edgerouter.dicom.describe import (
    INSTANCE_KNOWN,
    INSTANCE_REQUIRED,
    SERIES_KNOWN,
    SERIES_REQUIRED,
    STUDY_KNOWN,
    STUDY_REQUIRED,
)
from edgerouter.dicom.dictionary import hex_tag
from edgerouter.dicomweb.levels import has
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.dicomweb.rows import (
    INSTANCE,
    SERIES,
    SERIES_INSTANCES,
    STUDY,
    STUDY_INSTANCES,
    STUDY_SERIES,
    Tags,
)

RETRIEVE_URL, AVAILABILITY, MODALITIES = "00081190", "00080056", "00080061"


def _set(*tags: int) -> frozenset[str]:
    return frozenset(map(hex_tag, tags))


# What an instance tells of its level, and of those above.
TOLD = {
    Level.STUDY: _set(*STUDY_REQUIRED, *STUDY_KNOWN),
    Level.SERIES: _set(*SERIES_REQUIRED, *SERIES_KNOWN),
    Level.INSTANCE: _set(*INSTANCE_REQUIRED, *INSTANCE_KNOWN) | {"00083002"},  # AvailableTransferSyntaxUID
}
# What the archive tells; that of the study is known below it, too.
_OF_STUDY = frozenset({MODALITIES, STUDY_SERIES, STUDY_INSTANCES})
_COUNTED = {
    Level.STUDY: _OF_STUDY,
    Level.SERIES: frozenset({SERIES_INSTANCES}),
    Level.INSTANCE: frozenset[str](),
}
_OWN = frozenset({RETRIEVE_URL, AVAILABILITY})
TOLD_BY_ARCHIVE = _OWN | _OF_STUDY | {SERIES_INSTANCES}
PATH = (("studies", STUDY), ("series", SERIES), ("instances", INSTANCE))
_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rows of one search have: `tags`, or with `everything` (includefield=all) all of their level.

    `needs_attributes`: what is TOLD is not all of it. `needs_study`: rows below study level tell what the
    archive knows of their study."""

    level: Level
    tags: frozenset[str]
    everything: bool
    needs_attributes: bool
    needs_study: bool

    @property
    def reach(self) -> tuple[Level, ...]:
        """Its own level and those above."""
        return _reach(self.level)


def _reach(level: Level) -> tuple[Level, ...]:
    return _LEVELS[: _LEVELS.index(level) + 1]


def plan(resource: Resource, query: SearchQuery) -> Plan:
    """The plan for a search of a collection.

    A row has what its own level asks for, and that of the levels above which the path does not name; what
    was asked for besides but does not exist at its level is left out (§8.3).
    """
    level = resource.level or Level.STUDY
    reach = _reach(level)
    named = 2 if resource.series else 1 if resource.study else 0
    asked = [match.attribute.path[0] for match in query.matches]
    asked += [attribute.path[0] for attribute in query.includefield]
    extra = frozenset(tag for tag in asked if has(level, tag))
    tags = extra | _OWN | {uid for _, uid in PATH[: len(reach)]}
    for each in reach[named:]:
        tags |= TOLD[each] | _COUNTED[each]
    told = frozenset[str]().union(_OWN, *(TOLD[each] | _COUNTED[each] for each in reach))
    return Plan(
        level=level,
        tags=tags,
        everything=query.include_all,
        needs_attributes=query.include_all or not extra <= told,
        needs_study=level is not Level.STUDY and (query.include_all or not tags.isdisjoint(_OF_STUDY)),
    )


def shown(plan: Plan, row: Tags) -> bytes:
    """The JSON text of one result, tags ascending."""
    tags = [tag for tag in sorted(row) if tag in plan.tags or (plan.everything and has(plan.level, tag))]
    return msgspec.json.encode({tag: row[tag] for tag in tags})
