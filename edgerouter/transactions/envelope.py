"""How an upstream's body becomes the client's body: which stages it passes and what the head then says.

The decision is made from the answer's head and, where a lone part has to leave its multipart envelope, from
that part's head. Bytes inside a part are never touched, only documents that carry links (law 1)."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from edgerouter.dicomweb import xml_links
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import (
    DICOM,
    JSON,
    OCTETS,
    RELATED,
    XML,
    ZIP,
    MediaType,
    Wish,
    content_type_of_multipart,
    multipart_content_type,
    part_content_type,
)
from edgerouter.dicomweb.multipart import new_boundary
from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.syntaxes import canonical
from edgerouter.errors import ProtocolError
from edgerouter.http.coding import accepts_gzip
from edgerouter.http.fields import Fields
from edgerouter.transactions.acceptance import JSONS, check_type
from edgerouter.transactions.bodies import Bytes, decoded, gzipped, once
from edgerouter.transactions.datasets import metadata, rows
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.parcels import Document, Parcel, packed, repacked, unpacked
from edgerouter.transactions.row import RowDocument, RowsChange, row_links
from edgerouter.transactions.sending import is_multipart
from edgerouter.upstream.seam import Answer, Framing

_DATASETS = (Kind.COLLECTION, Kind.METADATA)
# What is one thing and may stand in an envelope all the same; a rendition in one is several pictures.
_SINGLE = (Kind.DICOM, Kind.FRAMES, Kind.BULKDATA, Kind.TOKEN)


@dataclass(slots=True)
class Envelope:
    """The client-side body and the fields that describe it.

    `rewritten`: its bytes are not the upstream's. `unproven`: its end proves nothing, as in Reply."""

    body: Bytes
    fields: Fields
    length: int | None = None
    unproven: bool = False
    rewritten: bool = True
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """One answer about to be passed on: to whom, with which links, and what was wanted; `max_rows` is the
    number of bytes that one search answer may have, `change` what becomes of JSON rows beside their links."""

    answer: Answer
    inbound: Inbound
    links: LinkMap
    wanted: Sequence[Wish]
    max_rows: int
    change: RowsChange | None = None

    @property
    def closed(self) -> bool:
        """Whether the end of the body is only the end of the connection."""
        return self.answer.framing is Framing.CLOSE

    async def envelope(self, owner: AsyncExitStack) -> Envelope:
        """Choose the stages; `owner` closes them when the body is not read to its end.

        Raises ProtocolError for a type or coding that was not asked for."""
        searching = self.inbound.transaction is Transaction.SEARCH
        if self.answer.status == 204 or (searching and self.answer.length == 0):
            return self._nothing(searching)
        kind = self.inbound.resource.kind
        media = check_type(kind, self.answer, self.wanted, self.links.upstream)
        chunks = decoded(self.answer, self.links.upstream)
        owner.push_async_callback(chunks.aclose)
        if media.essence == RELATED:
            return await self._multipart(chunks)
        if kind in _DATASETS:
            return self._json(chunks, searching) if media.essence in JSONS else self._lone_xml(chunks)
        return self._lone(chunks, media)

    def _nothing(self, searching: bool) -> Envelope:
        """No content. CP-2473: no match is 200 with an empty list, and an empty 200 crashes viewers; an
        empty multipart body cannot be written."""
        if searching and self.wanted[0].media == JSON:
            return Envelope(once(b"[]"), Fields([("content-type", JSON)]), 2, status=200)
        return Envelope(once(b""), Fields(), 0, status=204)

    def _json(self, chunks: Bytes, searching: bool) -> Envelope:
        upstream = self.links.upstream
        if searching:
            change = row_links(self.inbound.resource, self.links, self.change)
            settle = self.change.settle if self.change else None
            body = rows(chunks, upstream, change, self.max_rows, may_be_empty=not self.closed, settle=settle)
        else:
            body = metadata(chunks, self.links)
        return self._coded(Envelope(body, Fields([("content-type", JSON)]), unproven=self.closed))

    def _lone_xml(self, chunks: Bytes) -> Envelope:
        """One document without an envelope; its end tag proves it whole."""
        parcel = Parcel(new_boundary(), XML, self.links, self._documents())
        fields = Fields([("content-type", multipart_content_type(XML, parcel.boundary))])
        return self._coded(Envelope(packed(chunks, Fields(), parcel), fields))

    async def _multipart(self, chunks: Bytes) -> Envelope:
        upstream = self.links.upstream
        parsed = content_type_of_multipart(self.answer.fields.get("content-type"))
        if parsed is None:
            raise ProtocolError(
                "The upstream's multipart answer names no usable boundary.", upstream=upstream
            )
        root, theirs = parsed
        media, syntax = self._root(root)
        parcel = Parcel(new_boundary(), part_content_type(media, syntax), self.links, self._documents())
        if self.inbound.resource.kind in _SINGLE and not is_multipart(self.wanted, canonical(media), syntax):
            given, body = await unpacked(chunks, theirs, upstream)
            # Chunked: its length would be met before its delimiter was seen.
            return Envelope(body, parcel.fields(given).without("content-length"))
        fields = Fields([("content-type", multipart_content_type(media, parcel.boundary, syntax))])
        # The closing boundary, not the connection, proves that it is whole: so it may leave chunked.
        envelope = Envelope(repacked(chunks, theirs, parcel), fields)
        return self._coded(envelope) if parcel.documents else envelope

    def _root(self, root: MediaType | None) -> tuple[str, str | None]:
        """The type of the parts, and their transfer syntax if the envelope names one."""
        kind = self.inbound.resource.kind
        if kind in _DATASETS:
            if root is not None and root.essence not in (XML, "application/xml", "text/xml"):
                what = "The upstream answered with a media type that was not asked for."
                raise ProtocolError(what, upstream=self.links.upstream)
            return XML, None
        default = DICOM if kind is Kind.DICOM else OCTETS
        syntaxes = [syntax for syntax in root.transfer_syntaxes if syntax != "*"] if root else []
        return root.essence if root else default, syntaxes[0] if syntaxes else None

    def _documents(self) -> Callable[[], Document] | None:
        links, resource = self.links, self.inbound.resource
        if resource.kind is Kind.COLLECTION:
            return lambda: RowDocument(resource, links)
        if resource.kind is Kind.METADATA:
            return lambda: xml_links.BulkDataLinks(links.map_here)
        return None

    def _lone(self, chunks: Bytes, media: MediaType) -> Envelope:
        """One body alone: as it is, or, for a client that takes nothing but multipart, as the only part of
        one. Not if nothing proves it whole: our closing boundary would."""
        coded = "content-encoding" in self.answer.fields
        content_type = self.answer.fields.get("content-type") or OCTETS
        if all(wish.multipart for wish in self.wanted) and media.essence != ZIP and not self.closed:
            return self._packed(chunks, media, content_type, coded=coded)
        return Envelope(
            chunks,
            Fields([("content-type", content_type)]),
            length=None if coded else self.answer.length,
            unproven=self.closed,
            rewritten=coded,
        )

    def _packed(self, chunks: Bytes, media: MediaType, content_type: str, *, coded: bool) -> Envelope:
        parcel = Parcel(new_boundary(), content_type, self.links)
        given = self.answer.fields.only(("content-location",))
        if not coded and self.answer.length is not None:
            given = given.set("content-length", str(self.answer.length))
        syntaxes = media.transfer_syntaxes
        root = multipart_content_type(media.essence, parcel.boundary, syntaxes[0] if syntaxes else None)
        return Envelope(packed(chunks, given, parcel), Fields([("content-type", root)]))

    def _coded(self, envelope: Envelope) -> Envelope:
        if accepts_gzip(self.inbound.fields.get("accept-encoding")):
            envelope.body = gzipped(envelope.body)
            envelope.fields = envelope.fields.set("content-encoding", "gzip")
        return envelope
