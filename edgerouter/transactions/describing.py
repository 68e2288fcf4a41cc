"""Metadata made of held instances: for upstreams whose metadata says what their instances do, and for every
upstream while it does not answer."""

import logging
import os
from collections.abc import Mapping, Sequence

from edgerouter.cache.cache import Cache
from edgerouter.cache.freshness import Kept
from edgerouter.cache.listings import DERIVED, Member, Row
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.described import MAX_KEPT
from edgerouter.transactions.held import Described, Judge, LookUp
from edgerouter.transactions.shared import Shared
from edgerouter.transactions.upstreams import Upstream

WORD = "dataset"  # in the BulkDataURIs of rows that we made: …/instances/{instance}/dataset/{place}
_BATCH = 100  # rows written to the catalog at once
_MOST = 5000  # rows made for one answer, at some milliseconds each, while the upstream could be asked

logger = logging.getLogger(__name__)


class Describing:
    """Makes rows and puts them into the catalog, each as old as what is known of its instance's header; the
    same rows are made once at a time. The upstream's own take their place when those come."""

    def __init__(self, cache: Cache, describer: Describer) -> None:
        self._cache = cache
        self._describer = describer
        self._shared: Shared[bool] = Shared()

    async def rows(self, archive: Upstream, resource: Resource, look_up: LookUp) -> Described | None:
        """The rows of the whole answer, those that it lacks made where that is possible; else None."""
        found = await look_up.described(archive.name, resource)
        if found is None and await self.complete(archive, resource, look_up):
            found = await look_up.described(archive.name, resource)
        return found

    async def complete(self, archive: Upstream, resource: Resource, look_up: LookUp) -> bool:
        """Make the rows that an answer lacks; False, and none made, when that is not possible for all."""
        if not look_up.derives(archive.name):
            return False
        key = (archive.name, resource.path, look_up.grace)
        return await self._shared(key, lambda: self._completed(archive, resource, look_up))

    async def _completed(self, archive: Upstream, resource: Resource, look_up: LookUp) -> bool:
        upstream, study = archive.name, resource.study or ""
        since = self._cache.catalog.moment()
        if resource.level is Level.INSTANCE:
            members: Sequence[Member] = [(resource.series or "", resource.instance or "")]
            place = (study, *members[0], UnitKind.INSTANCE)
            held: Mapping[Member, Sequence[Held]] = {
                members[0]: await self._cache.catalog.held([upstream], *place)
            }
        else:
            members = await look_up.members(upstream, resource)
            held = await self._cache.catalog.held_members([upstream], study, resource.series)
        units = await self._lacking(archive, study, members, held, look_up)
        if not units or (len(units) > _MOST and not look_up.grace):
            return False
        with self._cache.readers.reading(upstream, study):
            return await self._made(archive, study, units, since)

    async def made(self, archive: Upstream, study: str, units: Sequence[Held]) -> bool:
        """Make the rows of these instances of a study; False when that is not possible for all."""
        since = self._cache.catalog.moment()
        with self._cache.readers.reading(archive.name, study):
            return await self._made(archive, study, units, since)

    async def _lacking(
        self,
        archive: Upstream,
        study: str,
        members: Sequence[Member],
        held: Mapping[Member, Sequence[Held]],
        look_up: LookUp,
    ) -> list[Held]:
        """The units of the members without a row that may be served; [] when one has no such unit, either."""
        upstream, found = archive.name, []
        latest = {
            member: max(some, key=lambda unit: look_up.time_of(unit, Kept.INSTANCE))
            for member, some in held.items()
            if some
        }
        times = [look_up.time_of(unit, Kept.INSTANCE) for unit in latest.values()]
        is_good: Judge = await look_up.judge(Kept.METADATA, min(times, default=0.0), upstream, study)
        place = 0
        async for row in self._cache.catalog.metadata(upstream, study, members):
            member, place = members[place], place + 1
            if row is not None and is_good(row.fetched_at):
                continue
            unit = latest.get(member)
            if unit is None or not is_good(look_up.time_of(unit, Kept.INSTANCE)):
                return []
            found.append(unit)
        return found

    async def _made(self, archive: Upstream, study: str, units: Sequence[Held], since: int) -> bool:
        rows: list[Row] = []
        for unit in units:
            data = await self._described(archive, unit)
            if data is None or len(data) > MAX_KEPT:
                return False
            asked_at = unit.header_at if unit.header_at > 0 else unit.stored_at
            rows.append(Row(unit.key.series, unit.key.instance, data, asked_at, DERIVED))
            if len(rows) >= _BATCH or sum(len(row.data) for row in rows) >= MAX_KEPT:
                await self._cache.catalog.put_metadata(archive.name, study, rows, since)
                rows = []
        return await self._cache.catalog.put_metadata(archive.name, study, rows, since)

    async def _described(self, archive: Upstream, held: Held) -> bytes | None:
        """The data set of an instance as a row; None when it cannot be read."""
        unit = await self._cache.units.get(held.key)
        if unit is None or unit.meta.size != held.size:
            return None
        try:
            await unit.verify_all()
            entry = await self._describer.describe(os.fsencode(unit.path), archive.bases[0], WORD)
        except (Part10Error, OSError):
            logger.info("upstream %s: the metadata of a held instance cannot be told", archive.name)
            return None
        named = (entry.study, entry.series, entry.instance)
        return entry.metadata if named == (held.key.study, held.key.series, held.key.instance) else None
