"""ModalitiesInStudy (0008,0061) where an archive leaves it out: found in the study's series, because a
viewer's list without it is of little use, and with it but without a Value none at all."""

import time
from collections.abc import Callable, Sequence

from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.rows import Key, said, tags_of, text, written
from edgerouter.dicomweb.united import MODALITIES
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.lookups import Lookups
from edgerouter.transactions.sources import Source

_MODALITY = "00080060"

Modalities = Lookups[tuple[str, ...]]
"""By study; empty where the archives do not say one."""


def modalities(federation: Federation, clock: Callable[[], float] = time.monotonic) -> Modalities:
    """Finds the modalities of studies."""
    return Lookups(federation, _series_of, _modalities, clock)


def filled(row: bytes, found: Sequence[str]) -> bytes:
    """The row with these as its ModalitiesInStudy."""
    return written(tags_of(row) | {MODALITIES: said("CS", *found)}) if found else row


def _series_of(key: Key) -> Resource:
    return Resource(Kind.COLLECTION, Level.SERIES, key[0])


def _modalities(sources: Sequence[Source]) -> tuple[str, ...]:
    rows = (row for source in sources for row in source.rows)
    return tuple(dict.fromkeys(found for row in rows if (found := text(row.tags.get(_MODALITY)))))
