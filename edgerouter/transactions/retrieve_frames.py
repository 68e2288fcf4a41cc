"""Frames through the cache: held as they are, cut out of held instances or of what is arriving, or fetched:
where that is cheaper for what comes next, by way of the instance."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from edgerouter.cache.follower import FollowedPart
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.errors import Cut, Received
from edgerouter.http.reply import Reply
from edgerouter.transactions.assembly import Assembly, Mixture
from edgerouter.transactions.cutting import Cutter, each
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.promotion import form_of, instance_wishes
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.upstreams import Upstream

# Refusals of an instance that need not be asked for again with the next frame of its series; not those of a
# moment, nor that this one is not there.
_LASTING = frozenset({400, 403, 405, 406, 413, 415, 500, 501})


class FramesRetrieval:
    """See retrieval.Retrieval. With `promote` a missing frame of a single-frame instance brings that; of
    others the `read_ahead` frames that follow a missing one are fetched, too."""

    def __init__(self, request: Request, *, promote: bool, read_ahead: int) -> None:
        self._request = request
        self._promote = promote
        self._read_ahead = read_ahead
        self._found: dict[str, Found] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        self._found[upstream] = found
        request.forwarded[upstream] = found.forwarded
        return await request.hit(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        if (reply := await self._out_of_a_fetch(archive) or await self._promoted(archive)) is not None:
            return reply
        errand = request.errand(archive, request.resource)
        found = self._found.get(archive.name)
        units = [request.trusted(unit) for unit in found.units] if found else []
        try:
            return await self._mixed(errand, units, again=request.again)
        except Mixture:
            return await self._mixed(errand, [], again=False)

    async def _mixed(self, errand: Errand, units: Sequence[Held | None], *, again: bool) -> Reply:
        """The frames, from disk where there is a unit. Raises Mixture for what does not belong together."""
        request, numbers = self._request, self._request.resource.frames
        units = units or [None] * len(numbers)
        missing = [number for number, unit in zip(numbers, units, strict=True) if unit is None]
        jobs = request.provisions.flying.jobs(request.larder, errand, missing, again=again)
        sources = [
            (number, request.part(unit, errand.base) if unit else jobs[number])
            for number, unit in zip(numbers, units, strict=True)
        ]
        async with AsyncExitStack() as stack:
            stack.enter_context(request.reading(errand))
            frames = Assembly(sources, request.join, uniform=True)
            stack.push_async_callback(frames.aclose)
            follower = await frames.begin(max(missing))
            frames.check_order(follower, {number: number for number in missing})
            if follower.stored:
                await self._go_on(errand)
            return await request.following(errand).parts(follower, frames.parts(), stack)

    async def _go_on(self, errand: Errand) -> None:
        """Have the frames that follow fetched, for who asks next. Nobody waits for them."""
        request = self._request
        if self._read_ahead and not request.inbound.bypass:
            await request.provisions.ahead.follow(errand, self._read_ahead)

    async def _out_of_a_fetch(self, archive: Upstream) -> Reply | None:
        """The frames out of their instance, where a fetch of more is bringing it."""
        request = self._request
        if not request.again:
            return None
        job = await request.provisions.bringing(archive.name, request.resource, request.wanted, form_of)
        if job is None:
            return None
        try:
            return await self._cut_out(archive, job, request.errand(archive, self._instance), alone=False)
        except Cut:
            return None

    async def _promoted(self, archive: Upstream) -> Reply | None:
        """The frame out of its instance, which is fetched; None where the frame itself has to be."""
        request = self._request
        shapes, about = request.provisions.shapes, (archive.name, request.resource, request.wanted)
        if not self._promote or not await shapes.may_promote(request.cache.catalog, *about):
            return None
        errand = request.errand(archive, self._instance, instance_wishes(request.wanted))
        job = Job(request.larder, errand, "", again=request.again)
        try:
            reply = await self._cut_out(archive, job, errand, alone=True)
        except Received as error:  # the frame itself may be had all the same, or why not is for it to say
            if error.status in _LASTING:
                shapes.note(*about)
            return None
        if reply is None:
            shapes.note(*about)
        return reply

    @property
    def _instance(self) -> Resource:
        return replace(self._request.resource, kind=Kind.DICOM, frames=())

    async def _cut_out(self, archive: Upstream, job: Job, errand: Errand, *, alone: bool) -> Reply | None:
        """The frames as soon as it is known where they stand in what the job brings; None when they cannot
        be had so. Raises errors.UpstreamError."""
        request = self._request
        async with AsyncExitStack() as stack:
            follower = await stack.enter_async_context(request.join(job))
            part = await self._part(job, follower.parts())
            cutter = Cutter(request, archive.bases[0], alone=alone)
            frames = await cutter.frames(part) if part else []
            if not frames:
                return None
            return await request.following(errand).parts(follower, each(frames), stack)

    async def _part(self, job: Job, parts: AsyncIterator[FollowedPart]) -> FollowedPart | None:
        """The instance among what the job brings; None when it is not."""
        resource = self._request.resource
        member, place = (resource.series, resource.instance), 0
        async for part in parts:
            if job.brings(member, place, part):
                return part
            place += 1
        return None
