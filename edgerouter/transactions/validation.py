"""Validation of what is held and too old: whether an upstream still has these instances, under these headers.

A study is settled by asking for its list of instances, and for their metadata; no pixel crosses the line."""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from edgerouter.cache.listings import DERIVED, Listing, Member, Row
from edgerouter.cache.unit import CHANGED, Held, UnitKey
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.media import JSON, Wish
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.described import MetadataJob
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.jobs import Larder, keep_listing
from edgerouter.transactions.members import listed
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.shared import Shared
from edgerouter.transactions.upstreams import Upstream

_FEW = 4  # instances whose metadata is asked for one by one

logger = logging.getLogger(__name__)


class Validation:
    """Asks upstreams about what is held of them; the same question is asked once at a time."""

    def __init__(self, larder: Larder, federation: Federation, describer: Describer) -> None:
        self._larder = larder
        self._federation = federation
        self._describer = describer
        self._listing: Shared[tuple[Member, ...]] = Shared()

    async def members(self, request: Request, archive: Upstream) -> tuple[Member, ...]:
        """What the study or series contains now, by a search; () where the upstream cannot tell so.

        Raises errors.RouterError when it does not answer."""
        resource = request.resource
        key = (archive.name, resource.study, resource.series)
        return await self._listing(key, lambda: self._listed(request, archive))

    async def _listed(self, request: Request, archive: Upstream) -> tuple[Member, ...]:
        catalog, study, series = self._larder.cache.catalog, request.resource.study, request.resource.series
        since, asked_at = catalog.moment(), time.time()
        members = await listed(self._federation, request.inbound, archive)
        if not members:
            return ()
        listing = Listing(archive.name, study or "", series or "", True, asked_at, members)
        return await keep_listing(self._larder.cache, listing, since)

    async def headers(self, request: Request, archive: Upstream, aged: Sequence[Held]) -> dict[UnitKey, Held]:
        """Those of these instances of one study that have the header that the upstream tells now.

        The others answer for their frames only, from now on. Raises errors.RouterError."""
        good: dict[UnitKey, Held] = {}
        of_series: dict[str, list[Held]] = defaultdict(list)
        for unit in aged:
            of_series[unit.key.series].append(unit)
        for series, units in of_series.items():
            good |= await self._compared(request, archive, series, units)
        return good

    async def _compared(
        self, request: Request, archive: Upstream, series: str, units: Sequence[Held]
    ) -> dict[UnitKey, Held]:
        study = request.resource.study or ""
        asked_at = time.time()
        resource = Resource(Kind.METADATA, Level.SERIES, study, series)
        asked = [resource]
        if len(units) <= _FEW:
            asked = [replace(resource, level=Level.INSTANCE, instance=unit.key.instance) for unit in units]
        for one in asked:
            await self._described(request, archive, one)
        members = [(series, unit.key.instance) for unit in units]
        rows = self._larder.cache.catalog.metadata(archive.name, study, members)
        good: dict[UnitKey, Held] = {}
        changed: list[UnitKey] = []
        place = 0
        async for row in rows:
            unit, place = units[place], place + 1
            if await self._is_same(unit, row, asked_at):
                good[unit.key] = replace(unit, header_at=asked_at)
            else:
                changed.append(unit.key)
        for keys, header_at in ((list(good), asked_at), (changed, CHANGED)):
            if keys:
                await self._larder.cache.catalog.date_headers(keys, header_at)
        if changed:
            logger.info("upstream %s: %d instances have other headers now", archive.name, len(changed))
        return good

    async def _described(self, request: Request, archive: Upstream, resource: Resource) -> None:
        """Have the metadata fetched into the catalog. Raises errors.RouterError."""
        errand = request.errand(archive, resource, [Wish(JSON)])
        job = MetadataJob(self._larder, errand, again=False)
        async with self._larder.cache.fills.join(job.key, job, finish_alone=True) as follower:
            await follower.head()
            async for part in follower.parts():
                async for _ in part.read():
                    pass

    async def _is_same(self, unit: Held, row: Row | None, asked_at: float) -> bool:
        """Whether a row that was asked for just now tells the header of a unit; in doubt it does not."""
        if row is None or row.validator == DERIVED or row.fetched_at < asked_at - 1:
            return False
        opened = await self._larder.cache.units.get(unit.key)
        if opened is None:
            return False
        try:
            await opened.verify_all()
            return await self._describer.compare(os.fsencode(opened.path), row.data)
        except (Part10Error, OSError):
            return False
