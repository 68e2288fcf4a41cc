"""One upstream answer into one fill: checked, taken apart, its parts handed to whoever names them.

Whole is what its framing proves whole (law 3): a multipart body by its closing boundary, a lone one by its
length or its last chunk."""

import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from edgerouter.cache.fill import Fill
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import RELATED, Wish, content_type_of_multipart, part_type
from edgerouter.dicomweb.multipart import MultipartReader, PartBegin, PartData
from edgerouter.dicomweb.part_header import declared_length
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import ProtocolError, UpstreamError
from edgerouter.http.fields import Fields
from edgerouter.transactions.acceptance import check_range, check_status, check_type
from edgerouter.transactions.bodies import decoded, faults_of
from edgerouter.transactions.keeping import may_keep, proves_its_end
from edgerouter.transactions.naming import Label, Namer
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.seam import Answer, Outbound

_TOLD = ("warning", "cache-control", "location", "content-language", "content-disposition")
# What means in a fill's head that only the end of the connection ends the body: it then leaves likewise.
UNPROVEN = ("connection", "close")
_TAG = re.compile(r'(?:W/)?"[!#-~]{0,256}"\Z')


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
    box: TokenBox

    @property
    def links(self) -> LinkMap:
        """Links of the answer, for nobody in particular: whoever reads the fill maps them for himself."""
        return LinkMap(self.archive.name, self.archive.bases, "-", self.box, self.archive.url(self.outbound))

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

    def unless(self, validator: str) -> "Errand":
        """The same, unless what is there has this entity tag."""
        fields = self.outbound.fields.set("if-none-match", validator)
        return replace(self, outbound=replace(self.outbound, fields=fields))

    def of(self, resource: Resource) -> "Errand":
        """The same for another resource."""
        return replace(self, resource=resource, outbound=replace(self.outbound, path=resource.path))


async def fetch_parts(fill: Fill, errand: Errand, namer: Namer) -> bool:
    """The parts of the answer, named; returns when it is whole, False when it says that nothing changed.

    Raises errors.UpstreamError, and Unsuitable where only some of the frames came."""
    upstream, kind = errand.archive.name, errand.resource.kind
    fill.upstream = upstream
    async with errand.archive.open(errand.outbound) as answer:
        if is_unchanged(answer, errand):
            return False
        if not has_content(answer, errand):
            await begin(fill, answer)
            return True
        if answer.status == 206 and kind is Kind.FRAMES:
            raise Unsuitable("The upstream does not have all of the frames.", upstream=upstream)
        media = check_type(kind, answer, errand.wanted, upstream)
        if not may_keep(answer):
            fill.keep(False)
        namer.validator = validator_of(answer)
        if media.essence == RELATED:
            await _multipart(fill, answer, upstream, namer)
        else:
            await _lone(fill, answer, upstream, namer)
        await namer.finish()
        return True


def is_unchanged(answer: Answer, errand: Errand) -> bool:
    """Whether the answer to a conditional request says that what is held is still right."""
    return answer.status == 304 and "if-none-match" in errand.outbound.fields


def validator_of(answer: Answer) -> str:
    """The entity tag (RFC 9110 §8.8.3) by which the upstream can be asked whether it changed, "" without."""
    tag = answer.fields.get("etag") or ""
    return tag if _TAG.match(tag) else ""


def has_content(answer: Answer, errand: Errand) -> bool:
    """Whether the answer's head lets expect what was asked for; without, it is nothing, or a redirect.

    Raises errors.UpstreamError for a refusal, and for what was not asked for."""
    check_status(answer, errand.links)
    check_range(answer, False, errand.archive.name)
    if answer.status < 300 and answer.status not in (200, 204, 206):
        raise Unsuitable("The upstream's answer has an unusual status.", upstream=errand.archive.name)
    return answer.status in (200, 206)


async def begin(fill: Fill, answer: Answer, *marks: tuple[str, str]) -> None:
    """Tell the fill's readers of the head, once: what of it concerns them, and marks of our own."""
    if fill.head is None:
        await fill.begin(answer.status, Fields([*answer.fields.only(_TOLD), *marks]))


async def _multipart(fill: Fill, answer: Answer, upstream: str, namer: Namer) -> None:
    parsed = content_type_of_multipart(answer.fields.get("content-type"))
    if parsed is None:
        raise ProtocolError("The upstream's multipart answer names no usable boundary.", upstream=upstream)
    root, boundary = parsed
    reader = MultipartReader(boundary)
    async with aclosing(decoded(answer, upstream)) as chunks:
        await begin(fill, answer)
        async for chunk in chunks:
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
    value = answer.fields.get("content-type")
    media, syntax = part_type(value)
    length = None if "content-encoding" in answer.fields else answer.length
    label = Label(Fields([("content-type", value)] if value else []), media, syntax, length)
    async with aclosing(decoded(answer, upstream)) as chunks:
        await begin(fill, answer, *([] if proven else [UNPROVEN]))
        first = await anext(chunks, b"")  # what fails before it may still be asked of another
        await namer.begin(label)
        await namer.data(first)
        async for chunk in chunks:
            await namer.data(chunk)
    await namer.end()
