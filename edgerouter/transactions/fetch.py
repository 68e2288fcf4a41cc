"""One upstream answer into one fill: checked, taken apart, its parts handed to whoever names them.

Whole is what its framing proves whole (law 3): a multipart body by its closing boundary, a lone one by its
length or its last chunk."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from edgerouter.cache.fill import Fill
from edgerouter.dicomweb.media import RELATED, Wish, content_type_of_multipart, part_type
from edgerouter.dicomweb.multipart import MultipartReader, PartBegin, PartData
from edgerouter.dicomweb.part_header import declared_length
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.errors import ProtocolError, Received, UpstreamError
from edgerouter.http.fields import Fields
from edgerouter.transactions.keeping import may_keep, proves_its_end
from edgerouter.transactions.naming import Label, Namer
from edgerouter.transactions.passage import check_type
from edgerouter.transactions.rewrite import faults_of, inflated
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.seam import Answer, Outbound

_TOLD = ("warning", "cache-control", "location")
# What means in a fill's head that only the end of the connection ends the body: it then leaves likewise.
UNPROVEN = ("connection", "close")


class Unsuitable(UpstreamError):
    """What the upstream answers cannot be put together from units, though a client may want it: it has to be
    asked again, and passed on as it comes."""

    token = "http_protocol_error"


@dataclass(frozen=True, slots=True)
class Errand:
    """What is asked of whom: `wanted` are the wishes that `outbound` spells."""

    archive: Upstream
    outbound: Outbound
    resource: Resource
    wanted: Sequence[Wish]

    @property
    def base(self) -> str:
        """The upstream's own base URL: what a fill holds is not rewritten (law 1)."""
        return self.archive.bases[0]

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two errands the same: the source, the resource, and how it is asked for."""
        asked, fields = self.outbound, self.outbound.fields
        said = (fields.get("accept") or "", fields.get("cache-control") or "")
        return (self.archive.name, asked.path, asked.query, *said)

    def of(self, resource: Resource) -> "Errand":
        """The same for another resource."""
        return replace(self, resource=resource, outbound=replace(self.outbound, path=resource.path))


async def fetch_parts(fill: Fill, errand: Errand, namer: Namer) -> None:
    """The parts of the answer, named; returns when it is whole.

    Raises errors.UpstreamError, and Unsuitable where only some of the frames came."""
    upstream = errand.archive.name
    async with errand.archive.open(errand.outbound) as answer:
        check_status(answer, upstream)
        if answer.status not in (200, 206):
            await _begin(fill, answer)
            return
        if answer.status == 206 and errand.resource.kind is Kind.FRAMES:
            raise Unsuitable("The upstream does not have all of the frames.", upstream=upstream)
        media = check_type(errand.resource, answer, upstream)
        if not may_keep(answer):
            fill.keep(False)
        if media is not None and media.essence == RELATED:
            await _begin(fill, answer)
            await _multipart(answer, upstream, namer)
        else:
            await _lone(fill, answer, upstream, namer)
        await namer.finish()


def check_status(answer: Answer, upstream: str) -> None:
    """Let pass what may be an answer, with content or without; raises Received, or ProtocolError."""
    status = answer.status
    if status >= 400:
        kept = answer.fields.only(("retry-after", "www-authenticate", "warning"))
        raise Received(status, upstream=upstream, fields=kept)
    if status not in (200, 204, 206) and not (300 < status < 400 and "location" in answer.fields):
        raise ProtocolError("The upstream answered with a status that was not asked for.", upstream=upstream)
    if "content-range" in answer.fields:
        raise ProtocolError("The upstream sent a range that was not asked for.", upstream=upstream)


def told(answer: Answer) -> Fields:
    """What of an upstream's head everybody hears who reads the fill; links are mapped for each of them."""
    return answer.fields.only(_TOLD)


def plain(answer: Answer, upstream: str) -> AsyncIterator[bytes]:
    """The body without its content coding; raises ProtocolError for a coding that was not asked for."""
    coding = (answer.fields.get("content-encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise ProtocolError("The upstream used a content coding that was not asked for.", upstream=upstream)
    return answer.chunks() if coding == "identity" else inflated(answer.chunks(), upstream)


async def _multipart(answer: Answer, upstream: str, namer: Namer) -> None:
    parsed = content_type_of_multipart(answer.fields.get("content-type"))
    if parsed is None:
        raise ProtocolError("The upstream's multipart answer names no usable boundary.", upstream=upstream)
    root, boundary = parsed
    reader = MultipartReader(boundary)
    async for chunk in plain(answer, upstream):
        with faults_of(upstream):
            events = reader.feed(chunk)
        for event in events:
            if isinstance(event, PartBegin):
                media, syntax = part_type(event.fields.get("content-type"), root)
                await namer.begin(Label(event.fields, media, syntax, declared_length(event.fields)))
            elif isinstance(event, PartData):
                await namer.data(event.data)
            else:
                await namer.end()
    with faults_of(upstream):
        reader.close()


async def _lone(fill: Fill, answer: Answer, upstream: str, namer: Namer) -> None:
    proven = proves_its_end(answer)
    if not proven:
        fill.keep(False)
    await _begin(fill, answer, *([] if proven else [UNPROVEN]))
    value = answer.fields.get("content-type") or ""
    media, syntax = part_type(value)
    length = None if "content-encoding" in answer.fields else answer.length
    await namer.begin(Label(Fields([("content-type", value)] if value else []), media, syntax, length))
    async for chunk in plain(answer, upstream):
        await namer.data(chunk)
    await namer.end()


async def _begin(fill: Fill, answer: Answer, *marks: tuple[str, str]) -> None:
    if fill.head is None:
        await fill.begin(answer.status, Fields([*told(answer), *marks]))
