"""Rendered images, thumbnails and bulkdata values through the cache: kept as they came."""

from contextlib import AsyncExitStack

from edgerouter.cache.unit import Held
from edgerouter.http.reply import Reply
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.upstreams import Upstream


class RenditionRetrieval:
    """See retrieval.Retrieval."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._aged: dict[str, Held | None] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        request.forwarded[upstream] = found.forwarded
        self._aged[upstream] = next(iter(found.aged), None)
        return await request.hit(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        if request.inbound.ranged:
            raise Unsuitable("A range of what is not held is not fetched whole.", upstream=archive.name)
        errand = request.errand(archive, request.resource)
        async with AsyncExitStack() as stack:
            aged = None if request.inbound.bypass else request.trusted(self._aged.get(archive.name))
            job = Job(request.larder, errand, request.names[0], again=request.again, aged=aged)
            follower = await stack.enter_async_context(request.cache.fills.join(job.key, job))
            return await request.following(errand).parts(follower, follower.parts(), stack)
