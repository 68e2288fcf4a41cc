"""How many series and instances a study that several archives have really has, by counting: of copies that
overlap neither the sum nor the largest number is right, a listing of all of them is."""

from collections.abc import Mapping, Sequence

from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.rows import (
    SERIES_INSTANCES,
    STUDY_INSTANCES,
    STUDY_SERIES,
    Key,
    made,
    tags_of,
    vr,
    written,
)
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.lookups import Lookups
from edgerouter.transactions.sources import Source

Counting = Lookups[Mapping[str, int]]
"""Tag → number, by study or series."""


def counting(federation: Federation) -> Counting:
    """Counts what is in studies and series."""
    return Lookups(federation, _instances_of, _counted)


def recounted(row: bytes, counts: Mapping[str, int], level: Level) -> bytes:
    """The row with these counts, as far as they are its level's."""
    wanted = (STUDY_SERIES, STUDY_INSTANCES) if level is Level.STUDY else (SERIES_INSTANCES,)
    tags = tags_of(row)
    for tag in wanted:
        tags[tag] = made(vr(tags.get(tag), "IS"), [str(counts[tag]).encode()])
    return written(tags)


def _instances_of(key: Key) -> Resource:
    return Resource(Kind.COLLECTION, Level.INSTANCE, key[0], key[1] if len(key) > 1 else None)


def _counted(sources: Sequence[Source]) -> Mapping[str, int] | None:
    """An instance that several archives have is one; so is its series. None when a listing is not whole."""
    if any(source.truncated or source.unusable for source in sources):
        return None
    instances = {row.key for source in sources for row in source.rows}
    return {
        STUDY_SERIES: len({key[:2] for key in instances}),
        STUDY_INSTANCES: len(instances),
        SERIES_INSTANCES: len(instances),
    }
