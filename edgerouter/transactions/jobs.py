"""Fetches as fills carry them out: a look whether the thing is held by now, one errand, and what is learnt
from it when it was whole."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from edgerouter.cache.cache import Cache
from edgerouter.cache.catalog import Catalog
from edgerouter.cache.fill import Fill
from edgerouter.cache.listings import Listing, Member
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicomweb.resource import Level
from edgerouter.http.fields import Fields
from edgerouter.transactions.fetch import Errand, fetch_parts
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.keeping import is_rendition
from edgerouter.transactions.naming import Frames, Instances, Rendition, frame_fields, instance_fields


@dataclass(frozen=True, slots=True)
class Larder:
    """What every job works with: the cache, the look-up into it, and which upstreams send several frames
    without saying which is which: those are asked for one at a time."""

    cache: Cache
    look_up: LookUp
    unlocated: set[str]


class Job:
    """Fetches a study, series or instance as PS3.10, or a rendition by its `name`.

    `again`: look once more, inside the flight, whether another fill has brought it by now."""

    def __init__(self, larder: Larder, errand: Errand, name: str, *, again: bool) -> None:
        self.key = errand.key
        self._larder = larder
        self._errand = errand
        self._name = name
        self._again = again

    async def __call__(self, fill: Fill) -> None:
        if self._again and await self._handed_on(fill):
            return
        errand, catalog = self._errand, self._larder.cache.catalog
        upstream, resource = errand.archive.name, errand.resource
        if is_rendition(resource.kind):
            await fetch_parts(fill, errand, Rendition(fill, upstream, resource, self._name))
            return
        since, asked_at = catalog.moment(), time.time()
        named = Instances(fill, upstream, errand.base, resource)
        await fetch_parts(fill, errand, named)
        if fill.is_keeping:
            members = () if named.unnamed else named.members
            await learn(catalog, errand, members, named.study_date, since, asked_at)

    async def _handed_on(self, fill: Fill) -> bool:
        errand = self._errand
        found = await self._larder.look_up.units(
            errand.archive.name, errand.resource, [self._name], errand.wanted
        )
        first = found.whole[0] if found.whole else None
        opened = await self._larder.cache.units.get(first.key) if first else None
        if first is None or opened is None:
            return False
        await fill.begin(200, Fields())
        for unit in found.whole:
            fields = unit_fields(unit, errand.base)
            if unit.key.kind is UnitKind.RENDITION:
                fields = Fields([*opened.meta.fields, *fields])
            await fill.held(unit.key, unit.size, fields)
        return True


class FrameJob:
    """Fetches frames of one instance, ascending: part after part of the fill is frame after frame of
    `numbers`, whatever of them turns out to be held by now."""

    def __init__(self, larder: Larder, errand: Errand, *, again: bool) -> None:
        self.key = errand.key
        self.numbers = errand.resource.frames
        self.begun = False
        self._larder = larder
        self._errand = errand
        self._again = again

    async def __call__(self, fill: Fill) -> None:
        self.begun = True
        held = await self._held() if self._again else {}
        for is_held, numbers in groupby(self.numbers, key=held.__contains__):
            if is_held:
                await self._hand_on(fill, [held[number] for number in numbers])
            else:
                await self._fetch(fill, tuple(numbers))

    async def _held(self) -> dict[int, Held]:
        errand = self._errand
        names = [str(number) for number in self.numbers]
        found = await self._larder.look_up.units(errand.archive.name, errand.resource, names, errand.wanted)
        return {number: unit for number, unit in zip(self.numbers, found.units, strict=True) if unit}

    async def _hand_on(self, fill: Fill, units: Sequence[Held]) -> None:
        if fill.head is None:
            await fill.begin(200, Fields())
        for unit in units:
            await fill.held(unit.key, unit.size, unit_fields(unit, self._errand.base))

    async def _fetch(self, fill: Fill, numbers: tuple[int, ...]) -> None:
        errand = self._errand.of(replace(self._errand.resource, frames=numbers))
        named = Frames(fill, errand.archive.name, errand.base, errand.resource, errand.wanted)
        await fetch_parts(fill, errand, named)
        if named.unlocated:
            self._larder.unlocated.add(errand.archive.name)


async def learn(
    catalog: Catalog,
    errand: Errand,
    members: Sequence[Member],
    study_date: str,
    since: int,
    asked_at: float,
) -> None:
    """After a whole answer: what the study or series contains, if that is known, and how old the study is.

    A list of the same members keeps its order, and with it the entity tags of what is put together from it.
    """
    upstream, resource = errand.archive.name, errand.resource
    study, series = resource.study or "", resource.series or ""
    if members and resource.level is not Level.INSTANCE:
        before = await catalog.listing(upstream, study, series)
        found = tuple(dict.fromkeys(members))
        same = before is not None and set(before.members) == set(found)
        listing = Listing(
            upstream, study, series, True, asked_at, before.members if before and same else found
        )
        await catalog.put_listing(listing, since)
    if study_date:
        await catalog.date(upstream, study, study_date)


def unit_fields(unit: Held, base: str) -> Fields:
    """The part fields of a held unit, as when it came; `base` is whose location it has. A rendition's own
    are written down beside it."""
    length = ("content-length", str(unit.size))
    if unit.key.kind is UnitKind.RENDITION:
        return Fields([length])
    named = frame_fields if unit.key.kind is UnitKind.FRAME else instance_fields
    media, location = named(unit.key, base)
    return Fields([media, length, location])
