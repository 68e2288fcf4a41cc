"""What of an answer is held: the look-up, by listings and units, in upstreams that the route allows.

Nothing here asks an upstream, and nothing believes more than the catalog does: a unit is opened, and its
digest checked, by whoever sends it."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.freshness import Kept, is_fresh
from edgerouter.cache.listings import DERIVED, Member, Row
from edgerouter.cache.unit import UNSURE, Held, UnitKind
from edgerouter.dicomweb.media import DICOM, Wish, best
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE
from edgerouter.transactions.derived import Tables
from edgerouter.transactions.keeping import Forwarded, chosen, lifetime_of, uniform, unit_kind
from edgerouter.transactions.viewing import Views

IN_HAND = 1 << 20  # bytes of metadata rows kept from the look-up; what is more is read again while it leaves
Judge = Callable[[float], bool]  # whether what was asked for at that time may be served


def not_at(upstream: str) -> str:
    """In the place of a series: the listing that says beside a study that another upstream has none of it."""
    return f"!{upstream}"


@dataclass(frozen=True, slots=True)
class Found:
    """What one upstream's units are of an answer, part by part; None where one has to be fetched.

    `aged` are those that are there and too old to be served without asking, at the same places. `members`
    are what the parts are, for a study or series whose complete, fresh listing is known; then nothing is
    said of its parts without one, but whether `some` of them are held."""

    upstream: str
    units: tuple[Held | None, ...] = ()
    aged: tuple[Held | None, ...] = ()
    members: tuple[Member, ...] = ()
    some: bool = False

    @property
    def whole(self) -> tuple[Held, ...]:
        """The units of the whole answer, in its order; empty when something is missing."""
        units = tuple(unit for unit in self.units if unit)
        return units if len(units) == len(self.units) else ()

    @property
    def forwarded(self) -> Forwarded:
        """Why an upstream has to be asked."""
        if any(self.aged):
            return "stale"
        return "partial" if any(self.units) or self.some else "miss"


@dataclass(frozen=True, slots=True)
class Described:
    """Metadata rows that are, in the order of `members`, the whole answer.

    `rows` is None when they are more than is kept in hand. `times` are when each was asked for (Unix
    seconds), `mark` names exactly these rows."""

    upstream: str
    study: str
    members: tuple[Member, ...]
    rows: tuple[Row, ...] | None
    times: tuple[float, ...]
    mark: bytes
    derived: bool = False  # some were made by us, of the instances

    @property
    def asked_at(self) -> float:
        """The age of the answer is that of its oldest row."""
        return min(self.times)


@dataclass(frozen=True, slots=True)
class LookUp:
    """Finds answers in the cache. `grace` is for how many seconds beyond its lifetime a thing is served all
    the same: none, unless its upstream does not answer. `deriving` are the upstreams whose metadata may be
    made of their instances, `views` writes instances as Explicit VR Little Endian where they are not held so.
    """

    cache: Cache
    tables: Tables
    views: Views | None = None
    deriving: Collection[str] = ()
    grace: float = 0.0
    clock: Callable[[], float] = lambda: time.time()

    async def units(
        self, upstream: str, resource: Resource, names: Sequence[str], wanted: Sequence[Wish]
    ) -> Found:
        """The units, fresh and as wished, that an upstream's answer would be made of.

        `names` are those of the units within their instance. A study or series is known by a complete,
        fresh listing only."""
        study, kind, since = resource.study or "", resource.kind, self.cache.readers.now()
        if kind is Kind.DICOM and resource.level is not Level.INSTANCE:
            return await self._members(upstream, resource, wanted)
        place = resource.place
        each = await self.cache.catalog.held_each([upstream], *place, unit_kind(kind), names)
        if kind is Kind.FRAMES:
            await self._cut_out(upstream, place, each)
        found = uniform(wanted, [each[name] for name in names])
        if kind is Kind.DICOM and found == [None]:
            found = [await self._viewed(wanted, each[names[0]])]
        return await self._judged(Found(upstream), found, study, lifetime_of(kind), since)

    async def instances(
        self, upstream: str, study: str, members: Iterable[Member], wanted: Sequence[Wish]
    ) -> Found:
        """Of each of these members of a study the instance as wished."""
        members, since = tuple(members), self.cache.readers.now()
        series = {member[0] for member in members}
        only = series.pop() if len(series) == 1 else None
        held = await self.cache.catalog.held_members([upstream], study, only)
        found = [chosen(wanted, held.get(member, ())) for member in members]
        for place, member in enumerate(members):
            if found[place] is None and member in held:
                found[place] = await self._viewed(wanted, held[member])
        return await self._judged(Found(upstream, members=members), found, study, Kept.INSTANCE, since)

    async def representations(self, upstream: str, resource: Resource, kept: Kept) -> tuple[Held, ...]:
        """Every representation of one instance that may be served as what ages so."""
        place = resource.place
        since = self.cache.readers.now()
        held = await self.cache.catalog.held([upstream], *place, UnitKind.INSTANCE)
        found = await self._judged(Found(upstream), held, place[0], kept, since)
        return tuple(unit for unit in found.units if unit)

    async def each_representation(
        self, upstream: str, resource: Resource, kept: Kept
    ) -> dict[Member, tuple[Held, ...]]:
        """The same of every instance held of a study or series."""
        study, since = resource.study or "", self.cache.readers.now()
        held = await self.cache.catalog.held_members([upstream], study, resource.series)
        units = [unit for some in held.values() for unit in some]
        judged = await self._judged(Found(upstream), units, study, kept, since)
        good = {unit.key for unit in judged.units if unit}
        return {member: tuple(one for one in some if one.key in good) for member, some in held.items()}

    async def _members(self, upstream: str, resource: Resource, wanted: Sequence[Wish]) -> Found:
        study = resource.study or ""
        if members := await self.members(upstream, resource):
            return await self.instances(upstream, study, members, wanted)
        held = await self.cache.catalog.held_members([upstream], study, resource.series)
        for some in held.values():
            if chosen(wanted, some) or await self._viewed(wanted, some):
                return Found(upstream, some=True)
        return Found(upstream)

    async def _viewed(self, wanted: Sequence[Wish], held: Sequence[Held]) -> Held | None:
        """An instance as wished, written anew of what is held of it."""
        if self.views is None or best(wanted, [(DICOM, EXPLICIT_VR_LE)]) is None:
            return None
        return await self.views.of(held)

    async def _cut_out(
        self, upstream: str, place: tuple[str, str, str], each: dict[str, tuple[Held, ...]]
    ) -> None:
        """Add the frames that can be cut out of held instances."""
        instances = await self.cache.catalog.held([upstream], *place, UnitKind.INSTANCE)
        if not instances:
            return
        frames = await self.tables.frames(instances, [int(name) for name in each])
        for name, held in each.items():
            own = {(one.key.media, one.key.syntax) for one in held}
            more = (one for one in frames[int(name)] if (one.key.media, one.key.syntax) not in own)
            each[name] = (*held, *more)

    async def _judged(
        self, base: Found, found: Sequence[Held | None], study: str, kept: Kept, since: int
    ) -> Found:
        """Tell the fresh from the aged; nothing is held of a study that was taken out since the moment of
        the look-up, and what is found stays long enough to be opened."""
        times = [self.time_of(unit, kept) if unit else 0.0 for unit in found]
        oldest = min((at for at, unit in zip(times, found, strict=True) if unit), default=0.0)
        is_good = await self.judge(kept, oldest, base.upstream, study)
        good = [is_good(at) for at in times]
        pairs = list(zip(found, good, strict=True))
        if any(found) and not self.cache.readers.expect((base.upstream, study), since):
            return Found(base.upstream, (None,) * len(found), (None,) * len(found), base.members)
        units = tuple(unit if fresh else None for unit, fresh in pairs)
        aged = tuple(None if fresh else unit for unit, fresh in pairs)
        return Found(base.upstream, units, aged, base.members, any(found))

    async def judge(self, kept: Kept, oldest: float, upstream: str, study: str) -> Judge:
        """Tells fresh from aged by the time of asking. What is fresh for a young study is fresh for any:
        the study's date is looked up only for what is older."""
        now, grace = self.clock(), self.grace
        known = None
        if not is_fresh(kept, oldest, now, grace=grace):
            known = await self.cache.catalog.study(upstream, study)
        date, changed_at = (known.study_date, known.changed_at) if known else ("", 0.0)
        return lambda asked_at: asked_at > 0 and is_fresh(kept, asked_at, now, date, changed_at, grace)

    async def members(self, upstream: str, resource: Resource) -> tuple[Member, ...]:
        """What a study or series contains by a complete, fresh listing; () without one.

        The listing of the study is one of each of its series, too."""
        study, series = resource.study or "", resource.series or ""
        for of in dict.fromkeys([series, ""]):
            listing = await self.cache.catalog.listing(upstream, study, of)
            if listing is None or not listing.complete:
                continue
            is_good = await self.judge(Kept.LISTING, listing.fetched_at, upstream, study)
            if is_good(listing.fetched_at):
                return tuple(one for one in listing.members if not series or one[0] == series)
        return ()

    async def lacks(self, holder: str, study: str, other: str) -> bool:
        """Whether the other upstream lately said that it has nothing of a study that this one holds."""
        listing = await self.cache.catalog.listing(holder, study, not_at(other))
        if listing is None:
            return False
        return (await self.judge(Kept.LISTING, listing.fetched_at, holder, study))(listing.fetched_at)

    async def described(self, upstream: str, resource: Resource) -> Described | None:
        """The metadata rows of an upstream's whole answer, fresh; None when one is missing."""
        study = resource.study or ""
        members: tuple[Member, ...]
        if resource.level is Level.INSTANCE:
            members = ((resource.series or "", resource.instance or ""),)
        else:
            members = await self.members(upstream, resource)
        found = await self.rows(upstream, study, members) if members else None
        if found is None or (found.derived and not self.derives(upstream)):
            return None
        is_good = await self.judge(Kept.METADATA, found.asked_at, upstream, study)
        return found if is_good(found.asked_at) else None

    def derives(self, upstream: str) -> bool:
        """Whether metadata may be made of this upstream's instances; while it does not answer, any's."""
        return upstream in self.deriving or self.grace > 0

    async def rows(self, upstream: str, study: str, members: Collection[Member]) -> Described | None:
        """The rows of these members, of whatever age; None when one is missing.

        One pass over all rows, a few in memory at a time unless they are small together."""
        members, since = tuple(members), self.cache.readers.now()
        rows: list[Row] = []
        times: list[float] = []
        size, digest, derived = 0, sha256(upstream.encode()), False
        async for row in self.cache.catalog.metadata(upstream, study, members):
            if row is None:
                return None
            said = f"\n{row.series} {row.instance} {row.fetched_at} {row.validator} {len(row.data)}"
            digest.update(said.encode())
            times.append(row.fetched_at)
            derived |= row.validator == DERIVED
            size += len(row.data)
            if size <= IN_HAND:
                rows.append(row)
            else:
                rows.clear()
        if not self.cache.readers.expect((upstream, study), since):
            return None
        in_hand = tuple(rows) if size <= IN_HAND else None
        return Described(upstream, study, members, in_hand, tuple(times), digest.digest(), derived)

    def time_of(self, unit: Held, kept: Kept) -> float:
        """When what is served of a unit was last known to be right: an instance's header may change, pixels
        do not. 0 or less when that is not known, or known not to be so."""
        if kept is not Kept.INSTANCE:
            return max(unit.stored_at, unit.header_at)
        nobody_to_ask = self.grace > 0
        return unit.stored_at if unit.header_at == UNSURE and nobody_to_ask else unit.header_at
