"""Instances by the URI service (PS3.18 §9.1.2.2) through the cache: the same units."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from edgerouter.dicomweb.media import DICOM, Wish, part_type
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE
from edgerouter.dicomweb.wado_uri import WadoUri
from edgerouter.errors import ProtocolError
from edgerouter.http.reply import Reply
from edgerouter.transactions.asking import outbound_for
from edgerouter.transactions.fetch import Errand, Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.retrieval import NOT_SHARED, Request
from edgerouter.transactions.upstreams import Upstream


class WadoUriRetrieval:
    """See retrieval.Retrieval. Without a transfer syntax Explicit VR Little Endian is meant, or, where the
    upstream was seen to answer so, whatever it has."""

    def __init__(self, request: Request, asked: WadoUri) -> None:
        self._request = request
        self._asked = asked
        self._resource = Resource(Kind.DICOM, Level.INSTANCE, asked.study, asked.series, asked.instance)

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        wanted = self._wanted(upstream)
        found = await look_up.units(upstream, self._resource, [""], wanted)
        request.forwarded[upstream] = found.forwarded
        if not found.whole:
            return None
        return await request.for_instances(self._resource, wanted).hit(found.whole, label)

    async def fetched(self, archive: Upstream) -> Reply:
        request, wanted = self._request, self._wanted(archive.name)
        outbound = outbound_for(request.inbound, archive, request.wanted, request.provisions.box)
        outbound = replace(outbound, fields=outbound.fields.without(*NOT_SHARED))
        errand = Errand(archive, outbound, self._resource, wanted, request.provisions.box)
        own = request.for_instances(self._resource, wanted)
        own.forwarded = request.forwarded
        try:
            async with AsyncExitStack() as stack:
                job = Job(request.larder, errand, "", again=request.again)
                follower = await stack.enter_async_context(request.join(job))
                reply = await own.following(errand).parts(follower, follower.parts(), stack)
        except ProtocolError:
            raise Unsuitable("What comes is no instance.", upstream=archive.name) from None
        self._learn(archive.name, reply)
        return reply

    def _wanted(self, upstream: str) -> Sequence[Wish]:
        syntax = self._asked.transfer_syntax
        if syntax is None and upstream in self._request.provisions.as_stored:
            syntax = "*"
        return [Wish(DICOM, syntax)]

    def _learn(self, upstream: str, reply: Reply) -> None:
        """Whether the upstream gives what it has where no transfer syntax is named."""
        _, syntax = part_type(reply.fields.get("content-type"))
        if self._asked.transfer_syntax is None and syntax not in (None, EXPLICIT_VR_LE):
            self._request.provisions.as_stored.add(upstream)
