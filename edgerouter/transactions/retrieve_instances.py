"""Instances through the cache: one, or those of a series or study; only what is missing is fetched."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing

from edgerouter.cache.listings import Member
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import DICOM, best
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import Cut, Received
from edgerouter.http.reply import Reply
from edgerouter.transactions.assembly import EVERY, Assembly, Source
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import VALIDATED, Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.sending import Part
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation

# Bytes that one more request costs the line: about 1 KiB of heads, and the time it stands idle for it.
OVERHEAD = 8192


class InstancesRetrieval:
    """See retrieval.Retrieval."""

    def __init__(self, request: Request, validation: Validation) -> None:
        self._request = request
        self._validation = validation
        self._found: dict[str, Found] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        self._found[upstream] = found
        request.forwarded[upstream] = found.forwarded
        return await request.hit(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        found = self._found.get(archive.name)
        if found and not request.inbound.bypass:
            if request.resource.level is Level.INSTANCE:
                return await self._validated(archive, found) or await self._whole(archive)
            if found.some:
                return await self._completed(archive, found) or await self._whole(archive)
        return await self._whole(archive)

    async def _whole(self, archive: Upstream) -> Reply:
        """All of it in one request."""
        request = self._request
        resource = request.resource
        errand = request.errand(archive, resource)
        one = request.again and resource.level is Level.INSTANCE
        if one and (reply := await self._picked(errand)) is not None:
            return reply
        job = self._job(errand)
        async with AsyncExitStack() as stack:
            follower = await stack.enter_async_context(request.cache.fills.join(job.key, job))
            return await request.following(errand).parts(follower, follower.parts(), stack)

    async def _picked(self, errand: Errand) -> Reply | None:
        """One instance out of a fetch of more that is bringing it; None when there is none, or it fails."""
        job = await self._bringing(errand, near=True)
        if job is None:
            return None
        try:
            return await self._assembled(errand, [((errand.resource.series, errand.resource.instance), job)])
        except Cut:
            return None

    async def _bringing(self, errand: Errand, *, near: bool) -> Job | None:
        def suits(syntax: str) -> bool:
            return best(self._request.wanted, [(DICOM, syntax)]) is not None

        return await self._request.provisions.bringing(errand.archive.name, errand.resource, suits, near=near)

    async def _assembled(self, errand: Errand, sources: Sequence[Source]) -> Reply:
        request = self._request
        async with AsyncExitStack() as stack:
            assembly = Assembly(sources, request.cache.fills, uniform=False)
            stack.push_async_callback(assembly.aclose)
            follower = await assembly.begin()
            parts = self._told(errand, assembly.parts())
            return await request.following(errand).parts(follower, parts, stack)

    async def _told(self, errand: Errand, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[Part, None]:
        """The parts; when the archive does not have one, what it has listed is believed no more."""
        try:
            async with aclosing(parts):
                async for part in parts:
                    yield part
        except Received as error:
            await self._doubted(errand)
            raise Cut("The upstream does not have all that it has listed.") from error

    async def _doubted(self, errand: Errand) -> None:
        study = errand.resource.study or ""
        await self._request.cache.catalog.void(study, errand.archive.name)

    async def _validated(self, archive: Upstream, found: Found) -> Reply | None:
        """The instance that is held, if the upstream says that its header is still right."""
        aged = [unit for unit in map(self._request.trusted, found.aged) if unit]
        good = await self._validation.headers(self._request, archive, aged)
        units = [unit for unit in aged if unit.key in good]
        return await self._request.hit(units, VALIDATED) if units else None

    async def _completed(self, archive: Upstream, found: Found) -> Reply | None:
        """What is held, and of the rest only what is missing; None where one request for all is better."""
        request = self._request
        study = request.resource.study or ""
        members = found.members or await self._validation.members(request, archive)
        if not members:
            return None
        found = await request.larder.look_up.instances(archive.name, study, members, request.wanted)
        aged = [unit for unit in map(request.trusted, found.aged) if unit]
        good = await self._validation.headers(request, archive, aged) if aged else frozenset()
        units: dict[Member, Held] = {}
        for member, fresh, old in zip(members, found.units, found.aged, strict=True):
            unit = request.trusted(fresh or (old if old and old.key in good else None))
            if unit:
                units[member] = unit
        if len(units) == len(members):
            return await request.hit([units[member] for member in members], VALIDATED)
        if not units:
            return None
        wholes = _wholes(members, units)
        if wholes.issuperset(member[0] for member in members):
            return None
        errand = request.errand(archive, request.resource)
        sources = await self._sources(archive, members, units, wholes)
        try:
            return await self._assembled(errand, sources)
        except Received:  # one member is not there, or not like that; the others may be
            await self._doubted(errand)
            return None

    async def _sources(
        self, archive: Upstream, members: Sequence[Member], units: Mapping[Member, Held], wholes: set[str]
    ) -> list[Source]:
        """Where each member comes from. Of a series that is fetched whole everything is sent that comes, in
        the order it comes in: its retrieve knows better than any list."""
        request = self._request
        base = archive.bases[0]
        sources: list[Source] = []
        left = set(wholes)
        for member in members:
            if member[0] in left:
                left.remove(member[0])
                sources.append((EVERY, self._job(self._errand_of(archive, member[0]))))
            elif member[0] in wholes:
                continue
            elif unit := units.get(member):
                sources.append((member, request.part(unit, base)))
            else:
                sources.append((member, await self._single(archive, member)))
        return sources

    def _errand_of(self, archive: Upstream, series: str, instance: str | None = None) -> Errand:
        level = Level.INSTANCE if instance else Level.SERIES
        resource = Resource(Kind.DICOM, level, self._request.resource.study, series, instance)
        return self._request.errand(archive, resource)

    async def _single(self, archive: Upstream, member: Member) -> Job:
        errand = self._errand_of(archive, *member)
        return await self._bringing(errand, near=False) or self._job(errand)

    def _job(self, errand: Errand) -> Job:
        job = Job(self._request.larder, errand, "", again=self._request.again)
        if errand.resource.level is not Level.INSTANCE:
            self._request.provisions.begins(errand, job)
        return job


def _wholes(members: Sequence[Member], units: Mapping[Member, Held]) -> set[str]:
    """The series that are fetched whole: where what is held is worth less than the requests for the rest."""
    held: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for member in members:
        unit = units.get(member)
        held[member[0]] += unit.size if unit else 0
        missing[member[0]] += unit is None
    return {series for series, count in missing.items() if count * OVERHEAD > held[series] and count}
