"""What of an answer is held: the look-up, by listings and units, in upstreams that the route allows.

Nothing here asks an upstream, and nothing believes more than the catalog does: a unit is opened, and its
digest checked, by whoever sends it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.freshness import Kept, is_fresh
from edgerouter.cache.listings import Member, Row
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.transactions.keeping import Forwarded, chosen, lifetime_of, uniform, unit_kind

IN_HAND = 1 << 20  # bytes of metadata rows kept from the look-up; what is more is read again while it leaves


@dataclass(frozen=True, slots=True)
class Found:
    """What one upstream's units are of an answer, part by part; None where one has to be fetched.

    `stale`: one was there, too old to be served without asking."""

    upstream: str
    units: tuple[Held | None, ...] = ()
    stale: bool = False

    @property
    def whole(self) -> tuple[Held, ...]:
        """The units of the whole answer, in its order; empty when something is missing."""
        units = tuple(unit for unit in self.units if unit)
        return units if len(units) == len(self.units) else ()

    @property
    def forwarded(self) -> Forwarded:
        """Why an upstream has to be asked."""
        if self.stale:
            return "stale"
        return "partial" if any(self.units) else "miss"


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

    @property
    def asked_at(self) -> float:
        """The age of the answer is that of its oldest row."""
        return min(self.times)


class LookUp:
    """Finds answers in the cache."""

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.time) -> None:
        self._catalog = cache.catalog
        self._clock = clock

    async def units(
        self, upstream: str, resource: Resource, names: Sequence[str], wanted: Sequence[Wish]
    ) -> Found:
        """The units, fresh and as wished, that an upstream's answer would be made of.

        `names` are those of the units within their instance. A study or series is known by a complete,
        fresh listing only."""
        study, kind = resource.study or "", resource.kind
        if kind is Kind.DICOM and resource.level is not Level.INSTANCE:
            members = await self.members(upstream, resource)
            if not members:
                return Found(upstream)
            held = await self._catalog.held_members([upstream], study, resource.series)
            found = [chosen(wanted, held.get(member, ())) for member in members]
        else:
            place = (study, resource.series or "", resource.instance or "", unit_kind(kind))
            each = await self._catalog.held_each([upstream], *place, names)
            found = uniform(wanted, [each[name] for name in names])
        return await self._fresh_of(found, upstream, study, lifetime_of(kind))

    async def _fresh_of(self, found: Sequence[Held | None], upstream: str, study: str, kept: Kept) -> Found:
        times = [unit.stored_at for unit in found if unit]
        if not times:
            return Found(upstream, tuple(found))
        is_good = await self._judge(kept, min(times), upstream, study)
        units = tuple(unit if unit and is_good(unit.stored_at) else None for unit in found)
        return Found(upstream, units, stale=sum(unit is not None for unit in units) < len(times))

    async def _judge(self, kept: Kept, oldest: float, upstream: str, study: str) -> Callable[[float], bool]:
        """Tells fresh from stale by the time of asking. What is fresh for a young study is fresh for any:
        the study's date is looked up only for what is older."""
        now = self._clock()
        known = None if is_fresh(kept, oldest, now) else await self._catalog.study(upstream, study)
        date, changed_at = (known.study_date, known.changed_at) if known else ("", 0.0)
        return lambda asked_at: is_fresh(kept, asked_at, now, date, changed_at)

    async def members(self, upstream: str, resource: Resource) -> tuple[Member, ...]:
        """What a study or series contains by a complete, fresh listing; () without one.

        The listing of the study is one of each of its series, too."""
        study, series = resource.study or "", resource.series or ""
        for of in dict.fromkeys([series, ""]):
            listing = await self._catalog.listing(upstream, study, of)
            if listing is None or not listing.complete:
                continue
            is_good = await self._judge(Kept.LISTING, listing.fetched_at, upstream, study)
            if is_good(listing.fetched_at):
                return tuple(one for one in listing.members if not series or one[0] == series)
        return ()

    async def described(self, upstream: str, resource: Resource) -> Described | None:
        """The metadata rows of an upstream's whole answer, fresh; None when one is missing."""
        study = resource.study or ""
        members: tuple[Member, ...]
        if resource.level is Level.INSTANCE:
            members = ((resource.series or "", resource.instance or ""),)
        else:
            members = await self.members(upstream, resource)
        found = await self._rows(upstream, study, members) if members else None
        if found is None:
            return None
        is_good = await self._judge(Kept.METADATA, found.asked_at, upstream, study)
        return found if is_good(found.asked_at) else None

    async def _rows(self, upstream: str, study: str, members: tuple[Member, ...]) -> Described | None:
        """One pass over all rows, a few in memory at a time unless they are small together."""
        rows: list[Row] = []
        times: list[float] = []
        size, digest = 0, sha256(upstream.encode())
        async for row in self._catalog.metadata(upstream, study, members):
            if row is None:
                return None
            digest.update(f"\n{row.series} {row.instance} {row.fetched_at} {len(row.data)}".encode())
            times.append(row.fetched_at)
            size += len(row.data)
            if size <= IN_HAND:
                rows.append(row)
            else:
                rows.clear()
        in_hand = tuple(rows) if size <= IN_HAND else None
        return Described(upstream, study, members, in_hand, tuple(times), digest.digest())
