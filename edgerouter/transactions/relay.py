"""Relay of one request to one chosen upstream, streaming, with every self-reference mapped (law 1)."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from edgerouter.dicomweb import query
from edgerouter.dicomweb.accept import wishes
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.http.reply import Reply
from edgerouter.transactions.envelope import Envelope, enveloped
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import (
    raise_for_status,
    request_fields,
    response_fields,
    wants_gzip_upstream,
)
from edgerouter.transactions.spelling import spelling
from edgerouter.transactions.streams import OwnedBody
from edgerouter.upstream.profile import spell_accept
from edgerouter.upstream.seam import Answer, Archive, Outbound

# What these resources are asked with is the upstream's business; elsewhere only `accept` has a meaning,
# and Accept already says it.
_PARAMETRIC = (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME)


def wishes_of(inbound: Inbound) -> tuple[Wish, ...]:
    """What the client accepts, best first; raises NotAcceptable or BadRequest without asking anyone."""
    return wishes(
        inbound.resource,
        inbound.transaction,
        inbound.fields.all("accept"),
        query.parameter(inbound.query, "accept"),
    )


def outbound_for(inbound: Inbound, archive: Archive, wanted: Sequence[Wish], box: TokenBox) -> Outbound:
    """The upstream's request, assembled from parsed parts in the upstream's own spelling (law 9)."""
    resource, transaction = inbound.resource, inbound.transaction
    path, parameters = resource.path, ""
    if resource.kind is Kind.TOKEN:
        path, parameters = box.target(resource.tail, archive.name)
    elif transaction is Transaction.SEARCH:
        parameters = query.emit(query.parse(inbound.query), spelling(archive.profile, resource.level))
    elif resource.kind in _PARAMETRIC or transaction is Transaction.WADO_URI:
        parameters = query.clean(inbound.query)
    else:
        parameters = query.clean(inbound.query, drop=("accept",))
    accept = spell_accept(archive.profile, resource.kind, resource.level, wanted)
    coded = wants_gzip_upstream(transaction, resource.kind)
    return Outbound("GET", transaction, path, parameters, request_fields(inbound, accept, coded=coded))


async def relay(inbound: Inbound, archive: Archive, box: TokenBox) -> Reply:
    """Ask one upstream and pass its answer on as it comes.

    Raises errors.RequestError before anything is sent upstream, errors.UpstreamError for what the
    upstream does before its head is complete; a later fault breaks the body."""
    wanted = wishes_of(inbound)
    outbound = outbound_for(inbound, archive, wanted, box)
    links = LinkMap(archive.name, archive.bases, inbound.public, box, archive.url(outbound))
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(archive.open(outbound))
        raise_for_status(answer, archive.name, links)
        envelope = await enveloped(answer, inbound, archive.name, links, wanted)
        reply = _reply(answer, envelope, links)
        reply.body = OwnedBody(envelope.body, stack.pop_all())
    return reply


def _reply(answer: Answer, envelope: Envelope, links: LinkMap) -> Reply:
    fields = response_fields(answer, links, rewritten=envelope.rewritten)
    for name, value in envelope.fields:
        fields = fields.set(name, value)
    return Reply(
        envelope.status or answer.status,
        fields.add("vary", "accept, accept-encoding"),
        length=envelope.length,
        unproven=envelope.unproven,
    )
