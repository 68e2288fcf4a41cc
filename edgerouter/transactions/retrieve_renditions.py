"""Rendered images, thumbnails and bulkdata values through the cache: kept as they came. An encapsulated PDF
that is rendered as one is itself, and cut out of its instance."""

from contextlib import AsyncExitStack

from edgerouter.cache.freshness import Kept
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import best
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.http.reply import Reply
from edgerouter.transactions.derived import Derived
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.values import Values

_PDF = "application/pdf"


class RenditionRetrieval:
    """See retrieval.Retrieval."""

    def __init__(self, request: Request, values: Values) -> None:
        self._request = request
        self._values = values
        self._aged: dict[str, Held | None] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        request.forwarded[upstream] = found.forwarded
        self._aged[upstream] = next(iter(found.aged), None)
        if found.whole:
            return await request.hit(found.whole, label)
        document = await self._document(upstream, look_up)
        return await request.hit([document], label) if document else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        if request.inbound.ranged:
            raise Unsuitable("A range of what is not held is not fetched whole.", upstream=archive.name)
        errand = request.errand(archive, request.resource)
        async with AsyncExitStack() as stack:
            aged = None if request.inbound.bypass else request.trusted(self._aged.get(archive.name))
            job = Job(request.larder, errand, request.names[0], again=request.again, aged=aged)
            follower = await stack.enter_async_context(request.join(job))
            return await request.following(errand).parts(follower, follower.parts(), stack)

    async def _document(self, upstream: str, look_up: LookUp) -> Derived | None:
        """The PDF inside a held instance, if that is what is asked for: rendered, as a PDF, and no more."""
        request, resource = self._request, self._request.resource
        plain = resource.kind is Kind.RENDERED and resource.level is Level.INSTANCE and not resource.frames
        if not plain or request.wanted[0].media != _PDF or request.names != (Kind.RENDERED.value,):
            return None
        whole = Resource(Kind.DICOM, Level.INSTANCE, resource.study, resource.series, resource.instance)
        for held in await look_up.representations(upstream, whole, Kept.INSTANCE):
            document = await self._values.document(held, request.names[0])
            if document and request.trusted(held) and best(request.wanted, [(document.key.media, None)]):
                return document
        return None
