"""Purging: whole studies, chosen by what they are, taken out once nobody reads them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.counts import Counts
from edgerouter.cache.descriptions import ISSUER, PATIENT_ID, values
from edgerouter.cache.desk import Desk
from edgerouter.cache.moments import Moments
from edgerouter.cache.readers import Readers, StudyName
from edgerouter.cache.removal import Removal
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.studies import Study
from edgerouter.dicom.matching import Row

_ALL_SERIES = 10_000
# Told how many studies are done, and of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which studies are to go: those that all of these hold for; none given means everything.

    A patient is meant by PatientID, and if `issuer` is given by both (law 6). Ages are in seconds: not used
    for so long; holding something that was fetched so long ago. The two spare pinned studies.
    """

    study: str | None = None
    upstream: str | None = None
    patient: str | None = None
    issuer: str | None = None
    unused_for: float | None = None
    stored_before: float | None = None

    @property
    def is_by_age(self) -> bool:
        return self.unused_for is not None or self.stored_before is not None


@dataclass(slots=True)
class Purged:
    """What came of a purge.

    `unknown` studies could not be judged, since no metadata of them is here to say whose they are; `spared`
    are pinned, `busy` were still being read at the end of the wait. All three are here still.
    """

    studies: int = 0
    units: int = 0
    unknown: list[StudyName] = field(default_factory=list)
    spared: int = 0
    busy: int = 0


class Purger:
    """Purges one cache. `issuers` are the assigning authorities of upstreams that have one."""

    def __init__(
        self,
        desk: Desk,
        shelf: Shelf,
        catalog: Catalog,
        removal: Removal,
        readers: Readers,
        purges: Moments,
        issuers: Mapping[str, str],
        counts: Counts,
    ) -> None:
        self._desk = desk
        self._shelf = shelf
        self._catalog = catalog
        self._removal = removal
        self._readers = readers
        self._purges = purges
        self._issuers = issuers
        self._counts = counts

    async def now(self, study: str | None, upstream: str | None) -> int:
        """Forget a study, all of an upstream, or everything, at once: how many units went.

        Open units are read to their end. Raises one of FAILURES.
        """
        self._mark(study, upstream)
        studies = await self._studies(upstream, study)
        with self._readers.clearing(*((one.upstream, one.study) for one in studies)):
            removed = await self._removal.remove(studies)
        await self._catalog.forget_locations(study, upstream)
        return removed

    async def purge(self, choice: Choice, *, wait: float, tell: Tell) -> Purged:
        """Take the chosen studies out; those that are read, once their readers have gone, for up to `wait`
        seconds. What of them is on its way does not come back. Raises one of FAILURES.
        """
        purged = Purged()
        if choice.patient is None and not choice.is_by_age:
            self._mark(choice.study, choice.upstream)  # also what nothing is held of yet
        chosen = [study async for study in self._chosen(choice, purged)]
        for study in chosen:
            self._mark(study.study, study.upstream)
        busy = self._readers.needed
        chosen.sort(key=lambda study: (study.upstream, study.study) in busy)
        deadline = time.monotonic() + wait
        for done, study in enumerate(chosen):
            tell(done, len(chosen))
            if not await self._is_free((study.upstream, study.study), deadline):
                purged.busy += 1
                continue
            with self._readers.clearing((study.upstream, study.study)):
                purged.units += await self._removal.remove([study])
            purged.studies += 1
            if not choice.is_by_age:  # where it is does not age with what was fetched
                await self._catalog.forget_locations(study.study, study.upstream)
        if choice.patient is None and not choice.is_by_age:
            await self._catalog.forget_locations(choice.study, choice.upstream)
        self._counts.purged += purged.units
        tell(len(chosen), len(chosen))
        return purged

    def _mark(self, study: str | None, upstream: str | None) -> None:
        self._purges.mark(study, upstream)
        self._catalog.voids.mark(study, upstream)

    async def _studies(self, upstream: str | None, study: str | None) -> list[Study]:
        await self._catalog.flush()
        return await self._desk.run(self._shelf.studies.of, upstream, study)

    async def _chosen(self, choice: Choice, purged: Purged) -> AsyncIterator[Study]:
        now = time.time()
        if choice.is_by_age:
            while await self._desk.write(self._shelf.pins.settle):
                pass
        for study in await self._studies(choice.upstream, choice.study):
            if choice.unused_for is not None and study.last_used > now - choice.unused_for:
                continue
            if choice.stored_before is not None:
                oldest = await self._desk.run(self._shelf.oldest, study.upstream, study.study)
                if oldest is None or oldest > now - choice.stored_before:
                    continue
            if choice.is_by_age and study.pinned:
                purged.spared += 1
                continue
            if choice.patient is not None:
                is_theirs = await self._desk.run(self._is_of, study, choice.patient, choice.issuer)
                if is_theirs is None:
                    purged.unknown.append((study.upstream, study.study))
                if not is_theirs:
                    continue
            yield study

    def _is_of(self, study: Study, patient: str, issuer: str | None) -> bool | None:
        """Whether any series of the study is the patient's; None when nothing says whose it is."""
        study_id = self._shelf.studies.id(study.upstream, study.study)
        if study_id is None:
            return None
        rows = self._shelf.descriptions.rows(study_id, {PATIENT_ID, ISSUER}, _ALL_SERIES)
        told = [(ids[0].strip(), _stripped(row, ISSUER)) for row in rows if (ids := values(row, PATIENT_ID))]
        if not told:
            return None
        own = self._issuers.get(study.upstream)
        issuers = [found or ([own] if own else []) for number, found in told if number == patient]
        if issuer is None:
            return bool(issuers)
        if any(issuer in each for each in issuers):
            return True
        return None if [] in issuers else False

    async def _is_free(self, study: StudyName, deadline: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._readers.gone(study)
        except TimeoutError:
            return study not in self._readers.needed
        return True


def _stripped(row: Row, tag: str) -> list[str]:
    return [found.strip() for found in values(row, tag)]
