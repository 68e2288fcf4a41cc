"""What is here, study by study, for people: without patients, unless they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.descriptions import ISSUER, PATIENT_ID, PATIENT_NAME
from edgerouter.cache.desk import Desk
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.studies import Study
from edgerouter.dicom.matching import Row

Order = Literal["used", "bytes", "units", "date", "study", "upstream"]
_HANDFUL = 200  # studies counted at a time
_PATIENT = {PATIENT_ID, PATIENT_NAME, ISSUER}


@dataclass(frozen=True, slots=True)
class Held:
    """One study: its row, how many units there are of it, and the patient's row if it is known."""

    study: Study
    units: int
    patient: Row | None = None


class Survey:
    """Looks at one cache. Raises one of FAILURES when the catalog cannot be used."""

    def __init__(self, desk: Desk, shelf: Shelf, catalog: Catalog) -> None:
        self._desk = desk
        self._shelf = shelf
        self._catalog = catalog

    async def studies(
        self, upstream: str | None, *, order: Order, limit: int | None, patients: bool
    ) -> tuple[list[Held], int]:
        """The first studies in that order, and how many there are in all.

        Most recently used, largest and youngest come first, names in their own order.
        """
        await self._catalog.flush()
        while await self._desk.write(self._shelf.pins.settle):
            pass
        studies = await self._desk.run(self._shelf.studies.of, upstream, None)
        if order == "units":
            held = await self._counted(studies, patients=False)
            held.sort(key=lambda one: -one.units)
            studies = [one.study for one in held]
        else:
            studies = ordered(studies, order)
        return await self._counted(studies[:limit], patients=patients), len(studies)

    async def _counted(self, studies: Sequence[Study], *, patients: bool) -> list[Held]:
        held: list[Held] = []
        for start in range(0, len(studies), _HANDFUL):
            held += await self._desk.run(self._look, studies[start : start + _HANDFUL], patients)
        return held

    def _look(self, studies: Sequence[Study], patients: bool) -> list[Held]:
        return [
            Held(
                study,
                self._shelf.holdings.count(study.upstream, study.study),
                self._patient(study) if patients else None,
            )
            for study in studies
        ]

    def _patient(self, study: Study) -> Row | None:
        study_id = self._shelf.studies.id(study.upstream, study.study)
        rows = self._shelf.descriptions.rows(study_id, _PATIENT, 1) if study_id is not None else []
        return rows[0] if rows else None


def ordered(studies: Sequence[Study], order: Order) -> list[Study]:
    """In that order; what is equal in it, by upstream and UID."""
    by_name = sorted(studies, key=lambda study: (study.upstream, study.study))
    if order == "study":
        return sorted(by_name, key=lambda study: [int(part) for part in study.study.split(".")])
    if order == "used":
        return sorted(by_name, key=lambda study: -study.last_used)
    if order == "bytes":
        return sorted(by_name, key=lambda study: -study.bytes)
    if order == "date":
        return sorted(by_name, key=lambda study: study.study_date, reverse=True)
    return by_name
