"""Metadata through the cache: rows as the upstream sent them, as JSON or as XML made of it."""

from contextlib import AsyncExitStack

from edgerouter.dicomweb.links import LinkMap
from edgerouter.http.reply import Reply
from edgerouter.transactions import answers
from edgerouter.transactions.described import MetadataJob
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.upstreams import Upstream


class MetadataRetrieval:
    """See retrieval.Retrieval."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request, resource = self._request, self._request.resource
        described = await look_up.described(upstream, resource)
        if described is None:
            return None
        request.cache.catalog.touch(upstream, resource.study or "")
        bases = request.provisions.archives[upstream].bases
        links = LinkMap(upstream, bases, request.inbound.public, request.provisions.box, bases[0])
        return answers.described(
            request.inbound, described, links, request.cache.catalog, look_up.clock(), label
        )

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        errand = request.errand(archive, request.resource)
        async with AsyncExitStack() as stack:
            job = MetadataJob(request.larder, errand, again=request.again)
            follower = await stack.enter_async_context(request.cache.fills.join(job.key, job))
            return await request.following(errand).metadata(follower, stack)
