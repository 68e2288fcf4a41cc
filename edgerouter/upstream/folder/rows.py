"""Search results as DICOM JSON out of the index: where their attributes come from.

Everything of a row comes from one file (law 6), but for what only the archive knows: counts, the modalities
of a study, availability, and the URL to retrieve by. Values stay the bytes that the index has.
"""

import msgspec

from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.result_plan import (
    AVAILABILITY,
    MODALITIES,
    PATH,
    RETRIEVE_URL,
    TOLD,
    TOLD_BY_ARCHIVE,
    Plan,
)
from edgerouter.dicomweb.rows import SERIES_INSTANCES, STUDY_INSTANCES, STUDY_SERIES, Tags, said
from edgerouter.upstream.folder.index import Candidate, Texts

_decoder = msgspec.json.Decoder(Tags)


def row(
    base: str,
    plan: Plan,
    texts: Texts,
    candidate: Candidate,
    study: Candidate | None,
    wanted: frozenset[str] | None = None,
) -> Tags:
    """What is known of a candidate of the archive at `base`; `study` is its study, where the plan needs that.

    With `wanted`, these tags are known if there is anything to know, and others need not be."""
    parts = {Level.STUDY: texts.study_row, Level.SERIES: texts.series_row, Level.INSTANCE: texts.instance_row}
    found = _decoder.decode(texts.attributes) if plan.needs_attributes else {}
    for level in plan.reach:
        if wanted is None or not wanted.isdisjoint(TOLD[level]):
            found |= _decoder.decode(parts[level])
    if wanted is None or not wanted.isdisjoint(TOLD_BY_ARCHIVE):
        found |= _archived(base, plan, texts, candidate, study)
    return found


def _archived(base: str, plan: Plan, texts: Texts, candidate: Candidate, study: Candidate | None) -> Tags:
    """What only the archive knows."""
    found: Tags = {AVAILABILITY: said("CS", "ONLINE")}
    whole = candidate if plan.level is Level.STUDY else study
    if whole:
        found[MODALITIES] = said("CS", *whole.modalities)
        found[STUDY_SERIES] = said("IS", whole.series)
        found[STUDY_INSTANCES] = said("IS", whole.instances)
    if plan.level is Level.SERIES:
        found[SERIES_INSTANCES] = said("IS", candidate.instances)
    parts = (texts.study_row, texts.series_row, texts.instance_row)[: len(plan.reach)]
    named = ((word, _decoder.decode(part)[tag]) for (word, tag), part in zip(PATH, parts, strict=False))
    path = "".join(f"/{word}/{_uid(attribute)}" for word, attribute in named)
    return found | {RETRIEVE_URL: said("UR", base + path)}


def _uid(attribute: msgspec.Raw) -> str:
    return str(msgspec.json.decode(attribute)["Value"][0])
