"""Fetches as fills carry them out: a look whether the thing is held by now, one errand, and what is learnt
from it when it was whole."""

import re
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fill
from edgerouter.cache.follower import FollowedPart
from edgerouter.cache.listings import Listing, Member
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicomweb.media import DICOM
from edgerouter.dicomweb.resource import Level
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.transactions.derived import Derived
from edgerouter.transactions.fetch import Errand, fetch_parts
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.keeping import is_rendition, made_to_order
from edgerouter.transactions.naming import frame_fields, instance_fields
from edgerouter.transactions.naming_frames import Frames, Rendition
from edgerouter.transactions.naming_instances import Instances

_PLACE = re.compile(r"/series/([0-9.]{1,64})/instances/([0-9.]{1,64})\Z")


@dataclass(frozen=True, slots=True)
class Larder:
    """What every job works with: the cache, the look-up into it, and which upstreams send several frames
    without saying which is which: those are asked for one at a time."""

    cache: Cache
    look_up: LookUp
    unlocated: set[str]


class Job:
    """Fetches a study, series or instance as PS3.10, or a rendition by its `name`.

    `again`: look once more, inside the flight, whether another fill has brought it by now. `aged` is the unit
    that is held and too old: where it has a validator, only what changed is sent."""

    def __init__(
        self, larder: Larder, errand: Errand, name: str, *, again: bool, aged: Held | None = None
    ) -> None:
        self.key = errand.key
        self._larder = larder
        self._errand = errand
        self._name = name
        self._again = again
        self._aged = aged

    async def __call__(self, fill: Fill) -> None:
        if self._again and await self._handed_on(fill):
            return
        errand, catalog = await self._conditional(), self._larder.cache.catalog
        upstream, resource = errand.archive.name, errand.resource
        since, asked_at = catalog.moment(), time.time()
        if is_rendition(resource.kind):
            rendition = Rendition(fill, upstream, resource, self._name, errand.wanted)
            if not await fetch_parts(fill, errand, rendition):
                await self._unchanged(fill, asked_at)
            return
        named = Instances(fill, upstream, errand.base, resource, errand.wanted)
        if not await fetch_parts(fill, errand, named):
            await self._unchanged(fill, asked_at)
        elif fill.is_keeping:
            members = () if named.unnamed else named.members
            await learn(self._larder.cache, errand, members, named.study_date, since, asked_at)

    async def _conditional(self) -> Errand:
        """The errand, for what changed only, if that can be said."""
        meta = await self._larder.cache.units.meta(self._aged.key) if self._aged else None
        return self._errand.unless(meta.validator) if meta and meta.validator else self._errand

    async def _unchanged(self, fill: Fill, asked_at: float) -> None:
        """The upstream said so: what is held is handed on, and is as good as new."""
        aged = self._aged
        opened = await self._larder.cache.units.get(aged.key) if aged else None
        if aged is None or opened is None:
            raise Cut("What is held of it is not there any more; ask again.")
        await self._larder.cache.catalog.date_headers([aged.key], asked_at)
        await fill.begin(200, Fields())
        fields = unit_fields(aged, self._errand.base)
        if aged.key.kind is UnitKind.RENDITION:
            fields = Fields([*opened.meta.fields, *fields])
        await fill.held(aged.key, aged.size, fields)

    def makes(self, syntax: str) -> bool:
        """Whether an instance of that transfer syntax may be one that was made to order."""
        return made_to_order(DICOM, syntax, self._errand.wanted)

    def brings(self, name: Hashable, place: int, part: FollowedPart) -> bool:
        """Whether a part is the member (SeriesInstanceUID, SOPInstanceUID) called so, or the only one, which
        does not say what it is."""
        member = member_in(part.fields)
        if self._errand.resource.level is Level.INSTANCE:
            return place == 0 and member in (None, name)
        return member == name

    async def _handed_on(self, fill: Fill) -> bool:
        errand = self._errand
        await self._larder.cache.fills.adopted(errand.archive.name, errand.resource.instance or "")
        found = await self._larder.look_up.units(
            errand.archive.name, errand.resource, [self._name], errand.wanted
        )
        first = found.whole[0] if found.whole else None
        opened = await self._larder.cache.units.get(first.key) if first else None
        if first is None or opened is None or any(isinstance(unit, Derived) for unit in found.whole):
            return False  # what is derived is no unit that the fill's readers could open
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

    def brings(self, name: Hashable, place: int, part: FollowedPart) -> bool:
        """Whether a part is the frame of this number."""
        return self.numbers[place] == name

    async def _held(self) -> dict[int, Held]:
        errand = self._errand
        await self._larder.cache.fills.adopted(errand.archive.name, errand.resource.instance or "")
        names = [str(number) for number in self.numbers]
        found = await self._larder.look_up.units(errand.archive.name, errand.resource, names, errand.wanted)
        pairs = zip(self.numbers, found.units, strict=True)
        # What can be cut out of an instance is no unit that the fill's readers could open.
        return {number: unit for number, unit in pairs if unit and not isinstance(unit, Derived)}

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
    cache: Cache,
    errand: Errand,
    members: Sequence[Member],
    study_date: str,
    since: int,
    asked_at: float,
) -> None:
    """After a whole answer: what the study or series contains, if that is known, and how old the study is."""
    upstream, resource = errand.archive.name, errand.resource
    study, series = resource.study or "", resource.series or ""
    if members and resource.level is not Level.INSTANCE:
        listing = Listing(upstream, study, series, True, asked_at, tuple(dict.fromkeys(members)))
        await keep_listing(cache, listing, since)
    if study_date:
        await cache.catalog.date(upstream, study, study_date)


async def keep_listing(cache: Cache, listing: Listing, since: int) -> tuple[Member, ...]:
    """Keep a listing asked for at moment `since`; its members as kept.

    A list of the same members keeps its order, and with it the entity tags of what is put together from it.
    What is not in it any more was deleted or rejected: what is held of that goes.
    """
    before = await cache.catalog.listing(listing.upstream, listing.study, listing.series)
    known = set(before.members) if before else set()
    if known == set(listing.members) and before:
        listing = replace(listing, members=before.members)
    for _, instance in known.difference(listing.members):
        await cache.units.remove(await cache.catalog.units(listing.study, instance, listing.upstream))
    await cache.catalog.put_listing(listing, since)
    return listing.members


def member_in(fields: Fields) -> Member | None:
    """Which instance a part is, by its location."""
    found = _PLACE.search(fields.get("content-location") or "")
    return (found[1], found[2]) if found else None


def unit_fields(unit: Held, base: str) -> Fields:
    """The part fields of a held unit, as when it came; `base` is whose location it has. A rendition's own
    are written down beside it."""
    length = ("content-length", str(unit.size))
    if unit.key.kind is UnitKind.RENDITION:
        return Fields([length])
    named = frame_fields if unit.key.kind is UnitKind.FRAME else instance_fields
    media, location = named(unit.key, base)
    return Fields([media, length, location])
