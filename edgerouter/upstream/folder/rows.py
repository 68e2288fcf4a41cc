"""Search results as DICOM JSON: which attributes a row has, and where they come from (PS3.18 §10.6.3.3).

Everything of a row comes from one file (law 6), but for what only the archive knows: counts, the modalities
of a study, availability, and the URL to retrieve by. Values stay the bytes that the index has.
"""

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
from edgerouter.upstream.folder.index import Candidate, Texts

STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"
RETRIEVE_URL, AVAILABILITY, MODALITIES = "00081190", "00080056", "00080061"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"

Row = dict[str, msgspec.Raw]


def _set(*tags: int) -> frozenset[str]:
    return frozenset(map(hex_tag, tags))


# What an indexed file's rows tell, by the level they are about.
_TOLD = {
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
_ARCHIVE = _OWN | _OF_STUDY | {SERIES_INSTANCES}
_PATH = (("studies", STUDY_UID), ("series", SERIES_UID), ("instances", INSTANCE_UID))
_LEVELS = tuple(Level)
_decoder = msgspec.json.Decoder(Row)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rows of one search have: `tags`, or with `everything` (includefield=all) all of their level.

    `base` is the archive's base URL. `needs_attributes`: the rows that a file is indexed with do not tell it
    all. `needs_study`: rows below study level tell what the archive knows of their study.
    """

    base: str
    level: Level
    tags: frozenset[str]
    everything: bool
    needs_attributes: bool
    needs_study: bool

    @property
    def reach(self) -> tuple[Level, ...]:
        """Its own level and those above."""
        return _LEVELS[: _LEVELS.index(self.level) + 1]


def plan(base: str, resource: Resource, query: SearchQuery) -> Plan:
    """The plan for a search of a collection.

    A row has what its own level asks for, and that of the levels above which the path does not name; what
    was asked for besides but does not exist at its level is left out (§8.3).
    """
    level = resource.level or Level.STUDY
    reach = _LEVELS[: _LEVELS.index(level) + 1]
    named = 2 if resource.series else 1 if resource.study else 0
    asked = [match.attribute.path[0] for match in query.matches]
    asked += [attribute.path[0] for attribute in query.includefield]
    extra = frozenset(tag for tag in asked if has(level, tag))
    tags = extra | _OWN | {uid for _, uid in _PATH[: len(reach)]}
    for each in reach[named:]:
        tags |= _TOLD[each] | _COUNTED[each]
    told = frozenset[str]().union(_OWN, *(_TOLD[each] | _COUNTED[each] for each in reach))
    return Plan(
        base=base,
        level=level,
        tags=tags,
        everything=query.include_all,
        needs_attributes=query.include_all or not extra <= told,
        needs_study=level is not Level.STUDY and (query.include_all or not tags.isdisjoint(_OF_STUDY)),
    )


def row(
    plan: Plan,
    texts: Texts,
    candidate: Candidate,
    study: Candidate | None,
    wanted: frozenset[str] | None = None,
) -> Row:
    """What is known of a candidate; `study` is its study, where the plan needs that.

    With `wanted`, these tags are known if there is anything to know, and others need not be."""
    parts = {Level.STUDY: texts.study_row, Level.SERIES: texts.series_row, Level.INSTANCE: texts.instance_row}
    found = _decoder.decode(texts.attributes) if plan.needs_attributes else {}
    for level in plan.reach:
        if wanted is None or not wanted.isdisjoint(_TOLD[level]):
            found |= _decoder.decode(parts[level])
    if wanted is None or not wanted.isdisjoint(_ARCHIVE):
        found |= _archived(plan, texts, candidate, study)
    return found


def _archived(plan: Plan, texts: Texts, candidate: Candidate, study: Candidate | None) -> Row:
    """What only the archive knows."""
    found: Row = {AVAILABILITY: _attribute("CS", "ONLINE")}
    whole = candidate if plan.level is Level.STUDY else study
    if whole:
        found[MODALITIES] = _attribute("CS", *whole.modalities)
        found[STUDY_SERIES] = _attribute("IS", whole.series)
        found[STUDY_INSTANCES] = _attribute("IS", whole.instances)
    if plan.level is Level.SERIES:
        found[SERIES_INSTANCES] = _attribute("IS", candidate.instances)
    parts = (texts.study_row, texts.series_row, texts.instance_row)[: len(plan.reach)]
    named = ((word, _decoder.decode(part)[tag]) for (word, tag), part in zip(_PATH, parts, strict=False))
    path = "".join(f"/{word}/{_uid(attribute)}" for word, attribute in named)
    return found | {RETRIEVE_URL: _attribute("UR", plan.base + path)}


def shown(plan: Plan, row: Row) -> bytes:
    """The JSON text of one result, tags ascending."""
    tags = [tag for tag in sorted(row) if tag in plan.tags or (plan.everything and has(plan.level, tag))]
    return msgspec.json.encode({tag: row[tag] for tag in tags})


def _uid(attribute: msgspec.Raw) -> str:
    return str(msgspec.json.decode(attribute)["Value"][0])


def _attribute(vr: str, *values: str | int) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"vr": vr, "Value": values} if values else {"vr": vr}))
