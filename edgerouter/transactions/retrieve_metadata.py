"""Metadata through the cache: rows as the upstream sent them, as JSON or as XML made of it."""

from contextlib import AsyncExitStack

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import JSON, XML, Wish
from edgerouter.errors import ProtocolError, Received
from edgerouter.http.reply import Reply
from edgerouter.transactions import answers
from edgerouter.transactions.described import MetadataJob
from edgerouter.transactions.describing import Describing
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.metadata_forms import AsJson, AsXml, Form, Unsayable
from edgerouter.transactions.retrieval import REFUSALS, Request
from edgerouter.transactions.sending import boundary_of
from edgerouter.transactions.streams import begun
from edgerouter.transactions.upstreams import Upstream


class MetadataRetrieval:
    """See retrieval.Retrieval. The upstream is asked for JSON whatever the client wants; what of it cannot
    be said in XML is left to the upstream."""

    def __init__(self, request: Request, describing: Describing) -> None:
        self._request = request
        self._describing = describing
        self._xml = request.wanted[0].media == XML

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request, resource = self._request, self._request.resource
        if self._is_unsayable(upstream):
            return None
        archive = request.provisions.archives[upstream]
        described = await self._describing.rows(archive, resource, look_up)
        if described is None:
            return None
        request.cache.catalog.touch(upstream, resource.study or "")
        bases = archive.bases
        links = LinkMap(upstream, bases, request.inbound.public, request.provisions.box, bases[0])
        now, form = look_up.clock(), self._form(upstream)
        reply = answers.described(request.inbound, described, links, request.cache, now, form, label)
        try:
            return await self._said(reply)
        except Unsayable:
            return None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        what = "The metadata cannot be had as JSON, or not be said in XML."
        if self._is_unsayable(archive.name):
            raise Unsuitable(what, upstream=archive.name)
        errand = request.errand(archive, request.resource, [Wish(JSON)])
        try:
            async with AsyncExitStack() as stack:
                job = MetadataJob(request.larder, errand, again=request.again)
                follower = await stack.enter_async_context(request.join(job))
                form = self._form(archive.name)
                return await self._said(await request.following(errand).metadata(follower, stack, form))
        except Unsayable:
            raise Unsuitable(what, upstream=archive.name) from None
        except (Received, ProtocolError) as error:
            no_json = isinstance(error, ProtocolError) or error.status in REFUSALS
            if no_json and any(wish.media == XML for wish in request.wanted):
                raise Unsuitable(what, upstream=archive.name) from error
            raise

    async def _said(self, reply: Reply) -> Reply:
        """The reply, if it is XML with its first document: whether that can be said is known then."""
        return await begun(reply) if self._xml and self._request.inbound.method != "HEAD" else reply

    def _form(self, upstream: str) -> Form:
        if not self._xml:
            return AsJson()
        request = self._request
        boundary = boundary_of(request.resource, request.cache.secret)

        async def to_xml(row: bytes) -> bytes:
            try:
                return await request.provisions.describer.to_xml(row)
            except Part10Error:
                request.provisions.unsayable.note((upstream, request.resource.study or ""), True)
                raise

        return AsXml(request.resource, boundary, to_xml)

    def _is_unsayable(self, upstream: str) -> bool:
        return (
            self._xml and (upstream, self._request.resource.study or "") in self._request.provisions.unsayable
        )
