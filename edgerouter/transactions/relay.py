"""Relay of one request to one chosen upstream, streaming, with every self-reference mapped (law 1)."""

from contextlib import AsyncExitStack

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.http.reply import Reply
from edgerouter.transactions.acceptance import check_range, check_status
from edgerouter.transactions.asking import outbound_for, wishes_of
from edgerouter.transactions.envelope import Envelope, Opening
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import response_fields
from edgerouter.transactions.row import RowsChange
from edgerouter.transactions.streams import OwnedBody
from edgerouter.upstream.seam import Answer, Archive

UNCACHED = "edgerouter; fwd=bypass"  # RFC 9211 §2.2: no cache was asked


async def relay(
    inbound: Inbound, archive: Archive, box: TokenBox, max_rows: int, change: RowsChange | None = None
) -> Reply:
    """Ask one upstream and pass its answer on as it comes; `max_rows` bounds a search answer, in bytes,
    and `change` is what becomes of its JSON rows beside their links.

    Raises errors.RequestError before anything is sent upstream, errors.UpstreamError or Overloaded for what
    the upstream does before its head is complete; a later fault breaks the body."""
    wanted = wishes_of(inbound)
    outbound = outbound_for(inbound, archive, wanted, box)
    links = LinkMap(archive.name, archive.bases, inbound.public, box, archive.url(outbound))
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(archive.open(outbound))
        check_status(answer, links)
        check_range(answer, "range" in outbound.fields, archive.name)
        if answer.status >= 300:
            return _redirect(answer, links)
        envelope = await Opening(answer, inbound, links, wanted, max_rows, change).envelope(stack)
        reply = _reply(answer, envelope, links)
        reply.body = OwnedBody(envelope.body, stack.pop_all())
    return reply


def _redirect(answer: Answer, links: LinkMap) -> Reply:
    """The client is sent on within our own tree; what the upstream says beside it is not passed on."""
    return Reply(answer.status, response_fields(answer, links, rewritten=True), length=0)


def _reply(answer: Answer, envelope: Envelope, links: LinkMap) -> Reply:
    fields = response_fields(answer, links, rewritten=envelope.rewritten)
    for name, value in (*envelope.fields, ("vary", "accept, accept-encoding"), ("cache-status", UNCACHED)):
        fields = fields.set(name, value)
    return Reply(envelope.status or answer.status, fields, length=envelope.length, unproven=envelope.unproven)
