"""ModalitiesInStudy (0008,0061) where an archive leaves it out: found in the study's series, because a
viewer's list without it is of little use, and with it but without a Value none at all."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edgerouter.dicomweb.merge import MODALITIES
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.rows import Row, said, tags_of, text, written
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.snapshots import LIFETIME

PATIENCE = 2.0  # seconds that filling may add to a page
MOST = 100  # studies filled for one page
AT_ONCE = 8
CAPACITY = 10_000  # studies remembered, for as long as a snapshot may be paged through
_MODALITY = "00080060"


@dataclass(frozen=True, slots=True)
class Bare:
    """A study whose archives do not say its modalities."""

    study: str
    sources: tuple[str, ...]


class Modalities:
    """Finds and remembers the modalities of studies; what cannot be found in time stays out."""

    def __init__(self, federation: Federation, clock: Callable[[], float] = time.monotonic) -> None:
        self._federation = federation
        self._clock = clock
        self._known: OrderedDict[Bare, tuple[float, tuple[str, ...]]] = OrderedDict()

    async def of(
        self, inbound: Inbound, studies: Iterable[Bare], seconds: float = PATIENCE
    ) -> dict[Bare, tuple[str, ...]]:
        """The modalities of these studies, as far as their archives say them in so many seconds."""
        wanted = list(studies)
        unknown = [study for study in wanted if self._remembered(study) is None][:MOST]
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for study in unknown:
                    group.create_task(self._learn(inbound, study, slots), name="modalities")
        except TimeoutError:
            pass  # the others are told when they are asked for again
        return {study: found for study in wanted if (found := self._remembered(study))}

    def _remembered(self, study: Bare) -> tuple[str, ...] | None:
        since, found = self._known.get(study, (float("-inf"), ()))
        return found if self._clock() - since < LIFETIME else None

    async def _learn(self, inbound: Inbound, study: Bare, slots: asyncio.Semaphore) -> None:
        series = Resource(Kind.COLLECTION, Level.SERIES, study.study)
        async with slots:
            sources = await self._federation.ask(
                replace(inbound, resource=series, query=""), SearchQuery(), study.sources, PATIENCE
            )
        if all(source.error is None for source in sources):
            self._known[study] = self._clock(), _modalities(row for source in sources for row in source.rows)
            while len(self._known) > CAPACITY:
                self._known.popitem(last=False)


def filled(row: bytes, modalities: Sequence[str]) -> bytes:
    """The row with these as its ModalitiesInStudy."""
    return written(tags_of(row) | {MODALITIES: said("CS", *modalities)})


def _modalities(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found for row in rows if (found := text(row.tags.get(_MODALITY)))))
