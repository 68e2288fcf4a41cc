"""Retrieve through the cache: what is held is answered from disk, what is not is fetched once for everybody.

The route was decided before (law 8): a look-up sees only the upstreams that it allows."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.desk import FAILURES
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import DICOM, Wish
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import Received
from edgerouter.http.reply import Reply
from edgerouter.transactions import answers
from edgerouter.transactions.asking import outbound_for
from edgerouter.transactions.described import MetadataJob
from edgerouter.transactions.fetch import Errand, Unsuitable
from edgerouter.transactions.frame_list import Flying, FrameList, Mixture
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import Hit
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.jobs import FrameJob, Job, Larder, unit_fields
from edgerouter.transactions.keeping import Forwarded, is_kept, is_rendition, names
from edgerouter.transactions.mending import Mender, resource_of
from edgerouter.transactions.sending import HeldPart
from edgerouter.transactions.upstreams import Upstream

_RANGE = ("range", "if-range")


class Cached:
    """Retrieves through one cache."""

    def __init__(self, cache: Cache, archives: Mapping[str, Upstream], box: TokenBox) -> None:
        self.larder = Larder(cache, LookUp(cache), set())
        self.archives = archives
        self.box = box
        self.flying = Flying(cache.fills)

    def retrieval(self, inbound: Inbound, wanted: Sequence[Wish]) -> "Retrieval | None":
        """The request as the cache sees it; None when it asks for nothing that is kept."""
        return Retrieval(self, inbound, wanted) if is_kept(inbound, wanted) else None

    async def touched(self, study: str) -> None:
        """A Store may have changed the study: what it contains, and how that is described, is asked anew."""
        await self.larder.cache.catalog.void(study)


class Retrieval:
    """One request for something that is kept."""

    def __init__(self, cached: Cached, inbound: Inbound, wanted: Sequence[Wish]) -> None:
        self._cached = cached
        self._cache = cached.larder.cache
        self._inbound = inbound
        self._wanted = wanted
        self._names = names(inbound)
        self._found: dict[str, Found] = {}
        self._lost: set[UnitKey] = set()  # believed to be held, and not there

    async def held(self, upstreams: Sequence[str]) -> Reply | None:
        """The answer of the first of these upstreams of which all is held and fresh; nobody is asked."""
        if self._inbound.bypass:
            return None
        look = self._described if self._inbound.resource.kind is Kind.METADATA else self._hit
        for upstream in upstreams:
            if (reply := await look(upstream)) is not None:
                return reply
        return None

    async def fetched(self, archive: Upstream) -> Reply:
        """The answer from one upstream, while it arrives; simultaneous requests share the fetch.

        Raises errors.UpstreamError or Overloaded until the first part is here; Unsuitable for what has to
        be passed on as it comes."""
        try:
            return await self._fetched(archive)
        except Received as error:
            raise answers.own_refusal(error, self._inbound.public) from error

    async def gone(self, upstream: str) -> None:
        """The upstream said that it does not have it (any more): what was held of it was deleted there.

        Only if something of it was held: a client may ask for anything. Then the whole study goes, since
        nobody says what else of it did."""
        resource, catalog = self._inbound.resource, self._cache.catalog
        if resource.kind not in (Kind.DICOM, Kind.METADATA):
            return  # a frame number may be too large, a rendition may not be made
        study, series = resource.study or "", resource.series
        known = {*await catalog.held_members([upstream], study, series)}
        known |= await catalog.described(upstream, study, series)
        if resource.instance:
            known &= {(series or "", resource.instance)}
        if known:
            with suppress(*FAILURES):
                await self._cache.purge(study=study, upstream=upstream)

    async def _fetched(self, archive: Upstream) -> Reply:
        kind = self._inbound.resource.kind
        if is_rendition(kind) and self._inbound.ranged:
            raise Unsuitable("A range of what is not held is not fetched whole.", upstream=archive.name)
        errand = self._errand(archive, self._inbound.resource)
        if kind is Kind.FRAMES:
            return await self._frames(errand)
        async with AsyncExitStack() as stack:
            following = self._following(errand)
            if kind is Kind.METADATA:
                metadata = MetadataJob(self._cached.larder, errand, again=self._again)
                follower = await stack.enter_async_context(self._cache.fills.join(metadata.key, metadata))
                return await following.metadata(follower, stack)
            job = Job(self._cached.larder, errand, self._names[0], again=self._again)
            follower = await stack.enter_async_context(self._cache.fills.join(job.key, job))
            return await following.parts(follower, follower.parts(), stack)

    async def _hit(self, upstream: str) -> Reply | None:
        look_up = self._cached.larder.look_up
        found = await look_up.units(upstream, self._inbound.resource, self._names, self._wanted)
        self._found[upstream] = found
        if not found.whole:
            return None
        hit = Hit(self._inbound, self._wanted, found.whole, self._cache, self._mender)
        reply = await hit.reply(time.time())
        if reply is None:
            self._lost.add(found.whole[0].key)
        return reply

    async def _described(self, upstream: str) -> Reply | None:
        resource, catalog = self._inbound.resource, self._cache.catalog
        described = await self._cached.larder.look_up.described(upstream, resource)
        if described is None:
            return None
        catalog.touch(upstream, resource.study or "")
        bases = self._cached.archives[upstream].bases
        links = LinkMap(upstream, bases, self._inbound.public, self._cached.box, bases[0])
        return answers.described(self._inbound, described, links, catalog, time.time())

    async def _frames(self, errand: Errand) -> Reply:
        """What is held of the list, and what is missing in as few requests as the archive likes best."""
        found = self._found.get(errand.archive.name)
        units = [self._trusted(unit) for unit in found.units] if found else []
        try:
            return await self._mixed(errand, units, again=self._again)
        except Mixture:
            return await self._mixed(errand, [], again=False)

    async def _mixed(self, errand: Errand, units: Sequence[Held | None], *, again: bool) -> Reply:
        """The frames, from disk where there is a unit. Raises Mixture for what does not belong together."""
        numbers = self._inbound.resource.frames
        units = units or [None] * len(numbers)
        missing = [number for number, unit in zip(numbers, units, strict=True) if unit is None]
        jobs = self._cached.flying.jobs(self._cached.larder, errand, missing, again=again)
        sources = [
            (number, self._part(unit, errand) if unit else jobs[number])
            for number, unit in zip(numbers, units, strict=True)
        ]
        async with AsyncExitStack() as stack:
            frames = FrameList(sources, self._cache.fills)
            stack.push_async_callback(frames.aclose)
            follower = await frames.begin()
            return await self._following(errand).parts(follower, frames.parts(), stack)

    def _part(self, unit: Held, errand: Errand) -> HeldPart:
        return HeldPart(unit, unit_fields(unit, errand.base), self._cache, self._mender)

    def _trusted(self, unit: Held | None) -> Held | None:
        return None if unit is None or unit.key in self._lost else unit

    @property
    def _again(self) -> bool:
        """Whether a fetch looks first what is held by now: not if that is not wanted, or was not true."""
        return not self._inbound.bypass and not self._lost

    @property
    def _mender(self) -> Mender:
        return Mender(self._cache.fills, self._mending)

    def _mending(self, key: UnitKey) -> Job | FrameJob:
        resource = resource_of(key, self._inbound.resource)
        errand = self._errand(self._cached.archives[key.upstream], resource)
        if key.kind is UnitKind.FRAME:
            return FrameJob(self._cached.larder, errand, again=False)
        return Job(self._cached.larder, errand, key.which, again=False)

    def _following(self, errand: Errand) -> answers.Following:
        archive, inbound = errand.archive, self._inbound
        here = archive.url(errand.outbound)
        links = LinkMap(archive.name, archive.bases, inbound.public, self._cached.box, here)
        return answers.Following(
            inbound, self._wanted, links, self._cache.secret, self._forwarded(archive.name)
        )

    def _forwarded(self, upstream: str) -> Forwarded:
        if self._inbound.bypass:
            return "request"
        found = self._found.get(upstream)
        return found.forwarded if found and not self._lost else "miss"

    def _errand(self, archive: Upstream, resource: Resource) -> Errand:
        """What to ask for: whole, and of instances and frames in an envelope, whose end proves it whole."""
        wanted = self._wanted
        if resource.kind is Kind.DICOM:
            wanted = [wish for wish in wanted if wish.media == DICOM]
        if resource.kind in (Kind.DICOM, Kind.FRAMES):
            wanted = list(dict.fromkeys(replace(wish, multipart=True) for wish in wanted))
        inbound = replace(self._inbound, resource=resource)
        outbound = outbound_for(inbound, archive, wanted, self._cached.box)
        outbound = replace(outbound, fields=outbound.fields.without(*_RANGE))
        return Errand(archive, outbound, resource, wanted, self._cached.box)
