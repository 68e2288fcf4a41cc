"""Instances through the cache: one, or those of a series or study; only what is missing is fetched."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from edgerouter.cache.listings import Member
from edgerouter.cache.unit import CHANGED, Held
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.http.reply import Reply
from edgerouter.transactions.assembly import Assembly, Source
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import VALIDATED, Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation

OVERHEAD = 2048  # bytes that one more request costs the line


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
                return await self._renewed(archive, next(iter(found.aged), None))
            if found.some:
                return await self._completed(archive, found) or await self._whole(archive)
        return await self._whole(archive)

    async def _whole(self, archive: Upstream, aged: Held | None = None) -> Reply:
        """All of it in one request; `aged` is the instance that is held and too old."""
        request = self._request
        resource = request.resource
        errand = request.errand(archive, resource)
        job = None
        if request.again and resource.level is Level.INSTANCE:
            job = request.provisions.bringing(archive.name, resource)
        if job is not None:
            return await self._picked(errand, job)
        job = self._job(errand, aged)
        async with AsyncExitStack() as stack:
            follower = await stack.enter_async_context(request.cache.fills.join(job.key, job))
            return await request.following(errand).parts(follower, follower.parts(), stack)

    async def _picked(self, errand: Errand, job: Job) -> Reply:
        """One instance out of the fetch of more that is bringing it."""
        name = (errand.resource.series, errand.resource.instance)
        return await self._assembled(errand, [(name, job)])

    async def _assembled(self, errand: Errand, sources: Sequence[Source]) -> Reply:
        request = self._request
        async with AsyncExitStack() as stack:
            stack.enter_context(request.reading(errand))
            assembly = Assembly(sources, request.cache.fills, uniform=False)
            stack.push_async_callback(assembly.aclose)
            follower = await assembly.begin()
            return await request.following(errand).parts(follower, assembly.parts(), stack)

    async def _renewed(self, archive: Upstream, aged: Held | None) -> Reply:
        """The instance that is held, if the upstream says that its header is still right; else the new."""
        request = self._request
        aged = request.trusted(aged)
        if aged is None or aged.header_at == CHANGED:
            return await self._whole(archive)
        meta = await request.cache.units.meta(aged.key)
        if meta and meta.validator:
            return await self._whole(archive, aged)
        good = await self._validation.headers(request, archive, [aged])
        reply = await request.hit([*good.values()], VALIDATED) if good else None
        return reply or await self._whole(archive)

    async def _completed(self, archive: Upstream, found: Found) -> Reply | None:
        """What is held, and of the rest only what is missing; None where one request for all is better."""
        request = self._request
        study = request.resource.study or ""
        members = found.members or await self._validation.members(request, archive)
        if not members:
            return None
        found = await request.larder.look_up.instances(archive.name, study, members, request.wanted)
        aged = [unit for unit in map(request.trusted, found.aged) if unit and unit.header_at != CHANGED]
        good = await self._validation.headers(request, archive, aged) if aged else {}
        units: dict[Member, Held] = {}
        for member, fresh, old in zip(members, found.units, found.aged, strict=True):
            unit = request.trusted(fresh or (good.get(old.key) if old else None))
            if unit:
                units[member] = unit
        if len(units) == len(members):
            return await request.hit([units[member] for member in members], VALIDATED)
        if not units:
            return None
        errand = request.errand(archive, request.resource)
        return await self._assembled(errand, self._sources(archive, members, units))

    def _sources(
        self, archive: Upstream, members: Sequence[Member], units: Mapping[Member, Held]
    ) -> list[Source]:
        """Where each member comes from."""
        request = self._request
        base = archive.bases[0]
        whole = {series: self._job(self._errand_of(archive, series)) for series in _wholes(members, units)}
        sources: list[Source] = []
        for member in members:
            if job := whole.get(member[0]):
                sources.append((member, job))
            elif unit := units.get(member):
                sources.append((member, request.part(unit, base)))
            else:
                sources.append((member, self._single(archive, member)))
        return sources

    def _errand_of(self, archive: Upstream, series: str, instance: str | None = None) -> Errand:
        level = Level.INSTANCE if instance else Level.SERIES
        resource = Resource(Kind.DICOM, level, self._request.resource.study, series, instance)
        return self._request.errand(archive, resource)

    def _single(self, archive: Upstream, member: Member) -> Job:
        errand = self._errand_of(archive, *member)
        return self._request.provisions.bringing(archive.name, errand.resource) or self._job(errand)

    def _job(self, errand: Errand, aged: Held | None = None) -> Job:
        job = Job(self._request.larder, errand, "", again=self._request.again, aged=aged)
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
