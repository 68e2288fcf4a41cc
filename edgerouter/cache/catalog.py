"""What we know of studies, for the event loop: look-ups from memory where hot, else from the desk.

Nothing here raises because of a disk or a database: a read that fails is a miss, a write that fails is
counted. A look-up sees only the upstreams it is given.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import TypeVar

from edgerouter.cache.counts import Counts
from edgerouter.cache.desk import FAILURES, Desk
from edgerouter.cache.holdings import Place, place
from edgerouter.cache.index import Index
from edgerouter.cache.inventory import Item
from edgerouter.cache.listings import Listing, Member, Row
from edgerouter.cache.locations import Location
from edgerouter.cache.moments import Moments
from edgerouter.cache.readers import StudyName
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.studies import Study
from edgerouter.cache.unit import Held, UnitKey, UnitKind

T = TypeVar("T")
_USES = 60.0  # seconds between two writings of last use
_ROWS = 100  # metadata rows in memory at once
_log = logging.getLogger(__name__)


class Catalog:
    """The catalog of one cache directory. Times are Unix seconds."""

    def __init__(
        self, desk: Desk, shelf: Shelf, counts: Counts, clock: Callable[[], float] = time.time
    ) -> None:
        self.voids = Moments()
        self._desk = desk
        self._shelf = shelf
        self._counts = counts
        self._clock = clock
        self._held: Index[Place, tuple[Held, ...]] = Index()
        self._located: Index[str, tuple[Location, ...]] = Index()
        self._uses: dict[StudyName, float] = {}
        self._written_at = clock()

    # What is held

    async def held(
        self,
        upstreams: Collection[str],
        study: str,
        series: str,
        instance: str,
        kind: UnitKind,
        which: str = "",
    ) -> tuple[Held, ...]:
        """The representations held of one instance, frame or rendition, from these upstreams only."""
        return (await self.held_each(upstreams, study, series, instance, kind, [which]))[which]

    async def held_each(
        self,
        upstreams: Collection[str],
        study: str,
        series: str,
        instance: str,
        kind: UnitKind,
        whiches: Iterable[str],
    ) -> dict[str, tuple[Held, ...]]:
        """`held` for several frames of an instance at once; every one asked for is a key."""
        places = {which: (study, series, instance, kind, which) for which in whiches}
        found = {which: self._held.get(place) for which, place in places.items()}
        unknown = [which for which, held in found.items() if held is None]
        if unknown:
            looked = await self._look_up([places[which] for which in unknown])
            found.update(zip(unknown, looked, strict=True))
        return {
            which: tuple(one for one in held or () if one.key.upstream in upstreams)
            for which, held in found.items()
        }

    async def held_members(
        self, upstreams: Collection[str], study: str, series: str | None = None
    ) -> dict[Member, tuple[Held, ...]]:
        """Every instance held of a study, or of one series of it, from these upstreams only."""
        members: dict[Member, tuple[Held, ...]] = {}
        found: list[Held] = await self._read([], self._shelf.holdings.instances, study, series)
        for held in found:
            if held.key.upstream in upstreams:
                member = (held.key.series, held.key.instance)
                members[member] = (*members.get(member, ()), held)
        return members

    async def units(self, study: str, instance: str, upstream: str | None = None) -> list[UnitKey]:
        """Every unit of one instance, from one upstream or from all."""
        return await self._read([], self._shelf.holdings.units, upstream, study, instance)

    async def date_headers(self, keys: Sequence[UnitKey], header_at: float) -> bool:
        """Note when the headers of these instances were last known to be right; CHANGED: they are not."""
        kept = await self._write(self._shelf.date_headers, keys, header_at)
        for key in keys:
            self.changed(key)
        return kept

    def changed(self, key: UnitKey) -> None:
        """A unit came or went: what is remembered of its place is not true any more."""
        self._held.drop(place(key))

    async def _look_up(self, places: list[Place]) -> list[tuple[Held, ...]]:
        tokens = [self._held.ask(place) for place in places]
        found = None
        try:
            found = await self._read(None, self._shelf.holdings.find, places)
        finally:
            for number, (at, token) in enumerate(zip(places, tokens, strict=True)):
                self._held.tell(at, token, found[number] if found else None)
        return found or [()] * len(places)

    # Listings and metadata

    def moment(self) -> int:
        """To be taken before an upstream is asked, and handed over with what it said."""
        return self.voids.now()

    async def listing(self, upstream: str, study: str, series: str = "") -> Listing | None:
        """What the upstream said a study or series contains, fresh or not."""
        return await self._read(None, self._shelf.listings.get, upstream, study, series)

    async def put_listing(self, listing: Listing, since: int) -> bool:
        """Keep a listing asked for at moment `since`; False if the study was touched meanwhile."""
        if not self.voids.untouched(listing.study, listing.upstream, since):
            return False
        return await self._write(self._shelf.listings.put, listing, self._clock())

    async def metadata(
        self, upstream: str, study: str, members: Sequence[Member]
    ) -> AsyncIterator[Row | None]:
        """The metadata of the members, in their order, None for what is not here; bounded memory."""
        for start in range(0, len(members), _ROWS):
            some = members[start : start + _ROWS]
            rows = await self._read(None, self._shelf.listings.rows, upstream, study, some)
            for row in rows or [None] * len(some):
                yield row

    async def put_metadata(self, upstream: str, study: str, rows: Sequence[Row], since: int) -> bool:
        """Keep rows asked for at moment `since`; False if the study was touched meanwhile."""
        if not self.voids.untouched(study, upstream, since):
            return False
        try:
            changed = await self._desk.write(self._shelf.put_rows, upstream, study, rows, self._clock())
        except FAILURES as error:
            self._failed(error)
            return False
        for member in changed:
            self._held.drop((study, *member, UnitKind.INSTANCE, ""))
        return True

    async def described(self, upstream: str, study: str, series: str | None = None) -> set[Member]:
        """The members of a study, or of one series of it, whose metadata is here."""
        found: list[Member] = await self._read([], self._shelf.listings.described, upstream, study, series)
        return set(found)

    async def inventory(self, upstream: str) -> list[str]:
        """The studies of an upstream of which something is held."""
        return await self._read([], self._shelf.inventory.studies, upstream)

    async def held_whole(self, upstream: str, studies: Sequence[str]) -> list[Item]:
        """These studies with what is held of them, and a metadata row of each series that has one."""
        return await self._read([], self._shelf.inventory.whole, upstream, studies)

    async def held_described(self, upstream: str, study: str, members: Sequence[Member]) -> tuple[Row, ...]:
        """The metadata of these, as far as there is any."""
        return await self._read((), self._shelf.inventory.described, upstream, study, members)

    async def void(self, study: str, upstream: str | None = None) -> bool:
        """A Store, deletion or rejection touches the study: its listings and metadata go.

        Without `upstream`, at all of them.
        """
        self.voids.mark(study, upstream)
        return await self._write(self._shelf.listings.void, upstream, study, self._clock())

    # Where things are

    async def locations(self, upstreams: Collection[str], study: str) -> tuple[Location, ...]:
        """Where the study and its series were seen, among these upstreams."""
        found = self._located.get(study)
        if found is None:
            token = self._located.ask(study)
            try:
                found = await self._read(None, self._shelf.locations.get, study)
            finally:
                self._located.tell(study, token, found)
        return tuple(one for one in found or () if one.upstream in upstreams)

    async def put_locations(self, locations: Sequence[Location]) -> bool:
        """Learn where things are; what was known of those series stays."""
        kept = await self._write(self._shelf.locations.put, locations)
        for location in locations:
            self._located.drop(location.study)
        return kept

    async def forget_locations(self, study: str | None, upstream: str | None) -> bool:
        """Unlearn a study, an upstream, a study of one upstream, or everything."""
        gone = await self._write(self._shelf.locations.forget, study, upstream)
        self._located.clear()
        return gone

    # Studies

    def touch(self, upstream: str, study: str) -> None:
        """The study was used; written down now and then, not at every hit."""
        now = self._clock()
        self._uses[upstream, study] = now
        if abs(now - self._written_at) > _USES:
            self._written_at = now
            self._desk.post(self._shelf.studies.used, self._taken_uses())

    async def study(self, upstream: str, study: str) -> Study | None:
        return await self._read(None, self._shelf.studies.get, upstream, study)

    async def studies(self, upstream: str | None = None, study: str | None = None) -> list[Study]:
        """Those of an upstream, of a study UID, or all; last use as of a minute ago at most."""
        return await self._read([], self._shelf.studies.of, upstream, study)

    async def by_use(self, limit: int, upstream: str | None = None) -> list[Study]:
        """Those that are not pinned, of an upstream or of all, least recently used first.

        Raises one of FAILURES.
        """
        await self._desk.write(self._shelf.studies.used, self._taken_uses())
        while await self._desk.write(self._shelf.pins.settle):
            pass
        return await self._desk.run(self._shelf.studies.by_use, limit, upstream)

    async def date(self, upstream: str, study: str, study_date: str) -> bool:
        """Note the StudyDate (DICOM DA) of a study something is held of; it decides on freshness."""
        return await self._write(self._shelf.studies.date, upstream, study, study_date)

    async def flush(self) -> None:
        """Write down the last uses."""
        await self._write(self._shelf.studies.used, self._taken_uses())

    def _taken_uses(self) -> list[tuple[str, str, float]]:
        uses = [(*name, when) for name, when in self._uses.items()]
        self._uses.clear()
        return uses

    async def _read(self, otherwise: T, work: Callable[..., T], *args: object) -> T:
        try:
            return await self._desk.run(work, *args)
        except FAILURES as error:
            self._failed(error)
            return otherwise

    async def _write(self, work: Callable[..., object], *args: object) -> bool:
        try:
            await self._desk.write(work, *args)
        except FAILURES as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: BaseException) -> None:
        self._counts.errors += 1
        _log.warning("the catalog could not be used: %s", type(error).__name__)
