"""How an upstream's body becomes the client's body: which stages it passes and what the head then says.

The decision is made from the answer's head and, where a lone part has to leave its multipart wrapper, from
that part's head. Bytes inside a part are never touched, only documents that carry links (law 1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import Wish, content_type_of_multipart, multipart_content_type
from edgerouter.dicomweb.multipart import new_boundary
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.xml_links import metadata_links, retrieve_urls
from edgerouter.errors import ProtocolError
from edgerouter.http.coding import accepts_gzip
from edgerouter.http.fields import Fields
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import check_type
from edgerouter.transactions.rewrite import (
    MAX_METADATA_BYTES,
    MAX_ROWS_BYTES,
    Bytes,
    bulkdata_links,
    gzipped,
    inflated,
    lone_part,
    parts,
    rows,
)
from edgerouter.transactions.row import row_links_of
from edgerouter.upstream.seam import Answer, Framing

_JSON = ("application/dicom+json", "application/json")


@dataclass(slots=True)
class Envelope:
    """The client-side body and the fields that describe it."""

    body: Bytes
    fields: Fields
    length: int | None = None
    unproven: bool = False
    rewritten: bool = True
    status: int | None = None


async def enveloped(
    answer: Answer, inbound: Inbound, upstream: str, links: LinkMap, wanted: Sequence[Wish]
) -> Envelope:
    """Choose the stages for this answer; raises ProtocolError for a type that was not asked for."""
    media = check_type(inbound.resource, answer, upstream)
    if answer.status == 204 or media is None:
        return _nothing(answer, inbound)
    coding = (answer.fields.get("content-encoding") or "identity").lower()
    if coding not in ("identity", "gzip"):
        raise ProtocolError("The upstream used a content coding that was not asked for.", upstream=upstream)
    chunks = inflated(answer.chunks(), upstream) if coding == "gzip" else _plain(answer)
    if media.essence in _JSON:
        return _json(chunks, answer, inbound, upstream, links)
    if media.essence == "multipart/related":
        return await _multipart(chunks, answer, inbound, upstream, links, wanted)
    return _opaque(chunks, answer, coded=coding == "gzip")


def _nothing(answer: Answer, inbound: Inbound) -> Envelope:
    """No content. CP-2473: no match is 200 with an empty list, and an empty 200 crashes viewers."""
    if inbound.transaction is Transaction.SEARCH:
        return Envelope(_bytes(b"[]"), Fields([("content-type", _JSON[0])]), 2, status=200)
    return Envelope(_plain(answer), Fields(), 0)


def _json(chunks: Bytes, answer: Answer, inbound: Inbound, upstream: str, links: LinkMap) -> Envelope:
    if inbound.transaction is Transaction.SEARCH:
        body = rows(chunks, upstream, row_links_of(inbound.resource, links), MAX_ROWS_BYTES)
    else:
        body = rows(chunks, upstream, bulkdata_links(links), MAX_METADATA_BYTES)
    fields = Fields([("content-type", _JSON[0])])
    return _coded(body, fields, answer, inbound)


async def _multipart(
    chunks: Bytes, answer: Answer, inbound: Inbound, upstream: str, links: LinkMap, wanted: Sequence[Wish]
) -> Envelope:
    parsed = content_type_of_multipart(answer.fields.get("content-type") or "")
    if parsed is None:
        raise ProtocolError("The upstream's multipart answer names no usable boundary.", upstream=upstream)
    root, theirs = parsed
    if not any(wish.multipart for wish in wanted):
        media, body = await lone_part(chunks, upstream, theirs)
        return Envelope(body, Fields([("content-type", media)]))
    ours = new_boundary()
    essence = root.essence if root else "application/octet-stream"
    change = _document_change(essence, inbound, links)
    body = parts(chunks, upstream, (theirs, ours), links, change)
    fields = Fields([("content-type", multipart_content_type(essence, ours))])
    # The closing boundary, not the connection, proves that it is whole: so it may leave chunked.
    return _coded(body, fields, answer, inbound) if change else Envelope(body, fields)


def _document_change(root: str, inbound: Inbound, links: LinkMap) -> Callable[[bytes], bytes] | None:
    if root != "application/dicom+xml":
        return None
    if inbound.transaction is Transaction.SEARCH:
        return lambda document: retrieve_urls(document, links.map_here)
    return lambda document: metadata_links(document, links.map_here)


def _opaque(chunks: Bytes, answer: Answer, *, coded: bool) -> Envelope:
    content_type = answer.fields.get("content-type") or "application/octet-stream"
    return Envelope(
        chunks,
        Fields([("content-type", content_type)]),
        length=None if coded else answer.length,
        unproven=answer.framing is Framing.CLOSE,
        rewritten=coded,
    )


def _coded(body: Bytes, fields: Fields, answer: Answer, inbound: Inbound) -> Envelope:
    if accepts_gzip(inbound.fields.get("accept-encoding")):
        body, fields = gzipped(body), fields.set("content-encoding", "gzip")
    return Envelope(body, fields, unproven=answer.framing is Framing.CLOSE)


async def _plain(answer: Answer) -> Bytes:
    async for chunk in answer.chunks():
        yield chunk


async def _bytes(whole: bytes) -> Bytes:
    yield whole
