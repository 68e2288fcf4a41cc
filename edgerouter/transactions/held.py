"""What of an answer is held: the look-up, by listings and units, in the upstreams that the route allows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerouter.cache.cache import Cache
from edgerouter.cache.freshness import Kept, is_fresh
from edgerouter.cache.listings import Member, Row
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.transactions.keeping import chosen, lifetime_of, unit_kind

MAX_DESCRIBED = 64 << 20  # bytes of metadata rows looked at at once; more is asked for anew, streaming


@dataclass(frozen=True, slots=True)
class Whole:
    """Units that are, in this order, the whole answer. `asked_at` is the oldest one's time (Unix seconds)."""

    upstream: str
    units: tuple[Held, ...]

    @property
    def asked_at(self) -> float:
        return min(unit.stored_at for unit in self.units)


@dataclass(frozen=True, slots=True)
class Described:
    """Metadata rows that are, in this order, the whole answer."""

    upstream: str
    rows: tuple[Row, ...]


class LookUp:
    """Finds whole answers in the cache; never asks an upstream."""

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._catalog = cache.catalog
        self._clock = clock

    async def whole(
        self, resource: Resource, which: Sequence[str], wanted: Sequence[Wish], upstreams: Sequence[str]
    ) -> Whole | None:
        """The units of the first upstream that has all of them, fresh and as wished.

        `which` names the frames, or the rendition, of an instance; [""] for PS3.10."""
        for upstream in upstreams:
            units = await self._units(upstream, resource, which, wanted)
            if units:
                return Whole(upstream, units)
        return None

    async def _units(
        self, upstream: str, resource: Resource, which: Sequence[str], wanted: Sequence[Wish]
    ) -> tuple[Held, ...]:
        study = resource.study or ""
        if resource.kind is Kind.DICOM and resource.level is not Level.INSTANCE:
            members = await self.members(upstream, resource)
            held = await self._catalog.held_members([upstream], study, resource.series) if members else {}
            found = [chosen(wanted, held.get(member, ())) for member in members or ()]
        else:
            place = ([upstream], study, resource.series or "", resource.instance or "", unit_kind(resource))
            each = await self._catalog.held_each(*place, which)
            found = [chosen(wanted, each[one]) for one in which]
        units = tuple(one for one in found if one)
        if not units or len(units) < len(found):
            return ()
        oldest = min(unit.stored_at for unit in units)
        return units if await self._fresh(lifetime_of(resource), oldest, upstream, study) else ()

    async def _fresh(self, kept: Kept, fetched_at: float, upstream: str, study: str) -> bool:
        """What is fresh for a young study is fresh for any: its date is asked for only beyond that."""
        now = self._clock()
        if is_fresh(kept, fetched_at, now):
            return True
        known = await self._catalog.study(upstream, study)
        return known is not None and is_fresh(kept, fetched_at, now, known.study_date, known.changed_at)

    async def members(self, upstream: str, resource: Resource) -> tuple[Member, ...] | None:
        """What a study or series contains by a complete, fresh listing; None without one.

        The listing of the study is one of each of its series, too."""
        study, series = resource.study or "", resource.series or ""
        for of in dict.fromkeys([series, ""]):
            listing = await self._catalog.listing(upstream, study, of)
            if listing is None or not listing.complete:
                continue
            if await self._fresh(Kept.LISTING, listing.fetched_at, upstream, study):
                found = tuple(one for one in listing.members if not series or one[0] == series)
                return found or None
        return None

    async def described(self, resource: Resource, upstreams: Sequence[str]) -> Described | None:
        """The metadata rows of the first upstream that has all of them, fresh."""
        study = resource.study or ""
        for upstream in upstreams:
            members: tuple[Member, ...] | None
            if resource.instance and resource.series:
                members = ((resource.series, resource.instance),)
            else:
                members = await self.members(upstream, resource)
            rows = await self._rows(upstream, study, members or ())
            oldest = min((row.fetched_at for row in rows), default=0.0)
            if rows and await self._fresh(Kept.METADATA, oldest, upstream, study):
                return Described(upstream, rows)
        return None

    async def _rows(self, upstream: str, study: str, members: Sequence[Member]) -> tuple[Row, ...]:
        """All the rows, or none when one is missing or they are too many to look at at once."""
        rows, size = [], 0
        async for row in self._catalog.metadata(upstream, study, members):
            size += len(row.data) if row else 0
            if row is None or size > MAX_DESCRIBED:
                return ()
            rows.append(row)
        return tuple(rows)
