"""Instances through the cache: one, or those of a series or study; only what is missing is fetched."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import NamedTuple

from edgerouter.cache.follower import FollowedPart, Follower
from edgerouter.cache.listings import Member
from edgerouter.cache.unit import CHANGED, Held, UnitKey
from edgerouter.dicomweb.media import DICOM
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import Cut, Received
from edgerouter.http.reply import Reply
from edgerouter.transactions.assembly import EVERY, Assembly, Source
from edgerouter.transactions.derived import unit_of
from edgerouter.transactions.fetch import Errand, Unsuitable
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import VALIDATED, Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import REFUSALS, Request
from edgerouter.transactions.sending import Part
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation

# Bytes that one more request costs the line: about 1 KiB of heads, and the time it stands idle for it.
OVERHEAD = 8192


class Coming(NamedTuple):
    """An answer on its way: what was asked, the fill that brings it or its first part, and its parts."""

    errand: Errand
    follower: Follower
    parts: AsyncIterator[Part]


class InstancesRetrieval:
    """See retrieval.Retrieval."""

    def __init__(self, request: Request, validation: Validation) -> None:
        self._request = request
        self._validation = validation
        self._found: dict[str, Found] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        found = await self.found(upstream, look_up)
        return await self._request.hit(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        async with AsyncExitStack() as stack:
            got = await self._got(archive, stack)
            if not isinstance(got, Coming):
                if (reply := await request.hit(got, VALIDATED)) is not None:
                    return reply
                got = await self._whole(archive, stack)
            return await request.following(got.errand).parts(got.follower, got.parts, stack)

    async def found(self, upstream: str, look_up: LookUp) -> Found:
        """What is held of it; remembered for when the upstream has to be asked."""
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        self._found[upstream] = found
        request.forwarded[upstream] = found.forwarded
        return found

    async def brought(self, archive: Upstream) -> tuple[Held, ...]:
        """All of it as units, in its order, once what is missing has come.

        Raises errors.UpstreamError; Unsuitable when it may not be kept, is not complete, or is refused in
        this form."""
        request, lost = self._request, Unsuitable("Not all of it can be kept.", upstream=archive.name)
        try:
            async with AsyncExitStack() as stack:
                got = await self._got(archive, stack)
                if not isinstance(got, Coming):
                    return tuple(got)
                await _drained(got, lost)
        except Received as error:
            if error.status in REFUSALS:
                raise lost from error
            raise
        found = await request.larder.look_up.units(
            archive.name, request.resource, request.names, request.wanted
        )
        if not found.whole:
            raise lost
        return found.whole

    async def _got(self, archive: Upstream, stack: AsyncExitStack) -> "Sequence[Held] | Coming":
        """The units of the answer, or what is coming of it, `stack` to be closed afterwards."""
        request = self._request
        found = self._found.get(archive.name)
        got: Sequence[Held] | Coming | None = None
        if found and not request.inbound.bypass:
            if request.resource.level is Level.INSTANCE:
                return await self._renewed(archive, next(iter(found.aged), None), stack)
            if found.some and not self._is_coming(archive):
                got = await self._completed(archive, found, stack)
        return got or await self._whole(archive, stack)

    def _is_coming(self, archive: Upstream) -> bool:
        """Whether all of it is on its way: what is missing is then waited for, and not asked for again."""
        request = self._request
        return request.again and request.cache.fills.is_under_way(
            request.errand(archive, request.resource).key
        )

    async def _whole(self, archive: Upstream, stack: AsyncExitStack, aged: Held | None = None) -> "Coming":
        """All of it in one request; one instance out of a fetch of more that is bringing it.

        `aged` is the instance that is held and too old."""
        request = self._request
        resource = request.resource
        errand = request.errand(archive, resource)
        one = request.again and resource.level is Level.INSTANCE
        if one and (coming := await self._picked(errand, stack)) is not None:
            return coming
        job = self._job(errand, aged)
        follower = await stack.enter_async_context(request.join(job))
        return Coming(errand, follower, follower.parts())

    async def _picked(self, errand: Errand, stack: AsyncExitStack) -> "Coming | None":
        """One instance out of a fetch of more that is bringing it; None when there is none, or it fails."""
        job = await self._bringing(errand, near=True)
        if job is None:
            return None
        source = ((errand.resource.series, errand.resource.instance), job)
        try:
            return await self._assembled(errand, [source], stack)
        except Cut:
            return None

    async def _bringing(self, errand: Errand, *, near: bool) -> Job | None:
        request, resource = self._request, errand.resource
        return await request.provisions.bringing(
            errand.archive.name, resource, request.wanted, lambda syntax: (DICOM, syntax), near=near
        )

    async def _assembled(self, errand: Errand, sources: Sequence[Source], stack: AsyncExitStack) -> "Coming":
        """The first part is here. Raises errors.UpstreamError, and leaves nothing in `stack` then."""
        async with AsyncExitStack() as own:
            own.enter_context(self._request.reading(errand))
            assembly = Assembly(sources, self._request.join, uniform=False)
            own.push_async_callback(assembly.aclose)
            follower = await assembly.begin()
            stack.push_async_callback(own.pop_all().aclose)
        return Coming(errand, follower, self._told(errand, assembly.parts()))

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

    async def _renewed(
        self, archive: Upstream, aged: Held | None, stack: AsyncExitStack
    ) -> "Sequence[Held] | Coming":
        """The instance that is held, if the upstream says that its header is still right; else the new."""
        request = self._request
        aged = request.trusted(aged)
        whole = unit_of(aged) if aged else None
        if aged is None or whole is None or whole.header_at == CHANGED:
            return await self._whole(archive, stack)
        meta = await request.cache.units.meta(whole.key)
        if aged is whole and meta and meta.validator:
            return await self._whole(archive, stack, aged)
        good = await self._validation.headers(request, archive, [whole])
        return _renewed([aged], good) or await self._whole(archive, stack)

    async def _completed(
        self, archive: Upstream, found: Found, stack: AsyncExitStack
    ) -> "Sequence[Held] | Coming | None":
        """What is held, and of the rest only what is missing; None where one request for all is better."""
        request = self._request
        study = request.resource.study or ""
        members = found.members or await self._validation.members(request, archive)
        if not members:
            return None
        found = await request.larder.look_up.instances(archive.name, study, members, request.wanted)
        aged = [unit for unit in map(request.trusted, found.aged) if unit]
        doubtful = [whole for whole in map(unit_of, aged) if whole.header_at != CHANGED]
        good = await self._validation.headers(request, archive, doubtful) if doubtful else {}
        units: dict[Member, Held] = {}
        for member, fresh, old in zip(members, found.units, found.aged, strict=True):
            unit = request.trusted(fresh or next(iter(_renewed([old] if old else [], good)), None))
            if unit:
                units[member] = unit
        if len(units) == len(members):
            return [units[member] for member in members]
        if not units:
            return None
        wholes = _wholes(members, units)
        if wholes.issuperset(member[0] for member in members):
            return None
        errand = request.errand(archive, request.resource)
        sources = await self._sources(archive, members, units, wholes)
        try:
            return await self._assembled(errand, sources, stack)
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

    def _job(self, errand: Errand, aged: Held | None = None) -> Job:
        job = Job(self._request.larder, errand, "", again=self._request.again, aged=aged)
        if errand.resource.level is not Level.INSTANCE:
            self._request.provisions.begins(errand, job)
        return job


async def _drained(coming: Coming, lost: Unsuitable) -> None:
    """Wait until all of an answer is kept. Raises `lost` when it is not going to be."""
    head = await coming.follower.head()
    if head.status != 200 or not coming.follower.stored:
        raise lost
    async for part in coming.parts:
        if isinstance(part, FollowedPart) and await part.unit() is None:
            raise lost


def _wholes(members: Sequence[Member], units: Mapping[Member, Held]) -> set[str]:
    """The series that are fetched whole: where what is held is worth less than the requests for the rest."""
    held: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for member in members:
        unit = units.get(member)
        held[member[0]] += unit.size if unit else 0
        missing[member[0]] += unit is None
    return {series for series, count in missing.items() if count * OVERHEAD > held[series] and count}


def _renewed(aged: Sequence[Held], good: Mapping[UnitKey, Held]) -> list[Held]:
    """Those whose header was found to be right, as of now."""
    pairs = [(unit, good.get(unit_of(unit).key)) for unit in aged]
    return [replace(unit, header_at=now.header_at) for unit, now in pairs if now]
