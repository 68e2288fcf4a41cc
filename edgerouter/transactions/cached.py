"""Retrieve through the cache: what is held is answered from disk, what is not is fetched once for everybody.

The route has been decided before (law 8): a look-up sees only the upstreams that it allows."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fill
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.described import described_reply, fetch_metadata, followed_metadata
from edgerouter.transactions.fetch import Frames, Instances, fetch_parts, list_members
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import refuses_memory
from edgerouter.transactions.relay import outbound_for
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.wrap import followed_reply, held_reply, unit_fields
from edgerouter.upstream.seam import Outbound

_JSON = "application/dicom+json"


class Cached:
    """The kinds of resources that are kept, from look-up to fill."""

    def __init__(self, cache: Cache, archives: Mapping[str, Upstream], box: TokenBox) -> None:
        self._cache = cache
        self._archives = archives
        self._box = box
        self._look_up = LookUp(cache)

    def handles(self, inbound: Inbound, wanted: Sequence[Wish]) -> bool:
        """Whether the request is for something that is kept, in a form that is kept."""
        kind = inbound.resource.kind
        if refuses_memory(inbound.fields):
            return False
        if kind is Kind.METADATA:
            return wanted[0].media == _JSON
        if kind is Kind.DICOM:
            return wanted[0].media == "application/dicom"
        return kind is Kind.FRAMES

    async def held(self, inbound: Inbound, wanted: Sequence[Wish], upstreams: Sequence[str]) -> Reply | None:
        """The answer, if all of it is held and fresh; no upstream is asked."""
        if inbound.bypass:
            return None
        resource = inbound.resource
        if resource.kind is Kind.METADATA:
            described = await self._look_up.described(resource, upstreams)
            if described is None:
                return None
            self._cache.catalog.touch(described.upstream, resource.study or "")
            return described_reply(inbound, described, self._links(inbound, described.upstream))
        whole = await self._look_up.whole(resource, which(resource), wanted, upstreams)
        if whole is None:
            return None
        # Law 2, "when in doubt it is a miss": the first unit is opened before anything is promised.
        if await self._cache.units.get(whole.units[0].key) is None:
            return None
        self._cache.catalog.touch(whole.upstream, resource.study or "")
        return held_reply(inbound, wanted, whole.units, self._cache, time.time() - whole.asked_at)

    async def fetched(self, inbound: Inbound, wanted: Sequence[Wish], archive: Upstream) -> Reply:
        """The answer from one upstream, while it arrives; simultaneous requests share the fetch.

        Raises errors.UpstreamError until the first part is here."""
        outbound = outbound_for(inbound, archive, wanted, self._box)
        job = Job(self._cache, self._look_up, archive, outbound, inbound.resource, wanted, inbound.bypass)
        async with AsyncExitStack() as stack:
            follower = await stack.enter_async_context(self._cache.fills.join(job.key, job))
            if inbound.resource.kind is Kind.METADATA:
                return await followed_metadata(inbound, follower, stack, self._links(inbound, archive.name))
            return await followed_reply(inbound, wanted, follower, stack, self._cache)

    def _links(self, inbound: Inbound, upstream: str) -> LinkMap:
        """For rows whose links are absolute: so they are the same whatever was asked."""
        archive = self._archives[upstream]
        return LinkMap(upstream, archive.bases, inbound.public, self._box, archive.bases[0])


def which(resource: Resource) -> list[str]:
    """The names of the units of a resource within its instance."""
    return [str(number) for number in resource.frames] if resource.kind is Kind.FRAMES else [""]


@dataclass(frozen=True, slots=True)
class Job:
    """One fetch: called by the fill that it becomes."""

    cache: Cache
    look_up: LookUp
    archive: Upstream
    outbound: Outbound
    resource: Resource
    wanted: Sequence[Wish]
    bypass: bool

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two requests the same fetch: the source, the resource, and what was asked for."""
        asked = self.outbound
        return (self.archive.name, asked.path, asked.query, asked.fields.get("accept") or "")

    async def __call__(self, fill: Fill) -> None:
        if self.resource.kind is Kind.METADATA:
            return await fetch_metadata(fill, self.archive, self.outbound, self.resource, self.cache.catalog)
        if not self.bypass and await self._handed_on(fill):
            return None
        since, asked_at = self.cache.catalog.moment(), time.time()
        if self.resource.kind is Kind.FRAMES:
            return await self._frames(fill)
        named = Instances(fill, self.archive.name, self.resource)
        await fetch_parts(fill, self.archive, self.outbound, self.resource, named)
        if fill.is_keeping:
            await list_members(self.cache.catalog, self.archive.name, self.resource, named, since, asked_at)
        return None

    async def _handed_on(self, fill: Fill) -> bool:
        """Look again inside the flight: another fill may have ended since the look-up."""
        names = [self.archive.name]
        whole = await self.look_up.whole(self.resource, which(self.resource), self.wanted, names)
        if whole is None:
            return False
        await fill.begin(200, Fields())
        for unit in whole.units:
            await fill.held(unit.key, unit.size, unit_fields(self.resource, unit.key))
        return True

    async def _frames(self, fill: Fill) -> None:
        """In as many requests as the upstream likes best; each part is the frame it stands for."""
        numbers = list(self.resource.frames)
        batch = self.archive.profile.frames_batch or len(numbers)
        any_syntax = any(wish.transfer_syntax == "*" for wish in self.wanted)
        for start in range(0, len(numbers), batch):
            some = tuple(numbers[start : start + batch])
            part = replace(self.resource, frames=some)
            named = Frames(fill, self.archive.name, part, some, any_syntax)
            await fetch_parts(fill, self.archive, replace(self.outbound, path=part.path), part, named)
            named.finish()
