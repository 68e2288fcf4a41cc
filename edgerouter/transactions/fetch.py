"""Fetches: what a fill does to get units from an upstream, part after part, and to name them.

A part becomes a unit only when its end was seen and its UIDs are the ones asked for; what a part is comes
from its own head (PS3.10) or its own Content-Type, never from the request alone (law 3, F14)."""

import logging
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.fill import Fill
from edgerouter.cache.listings import Listing, Member
from edgerouter.cache.unit import UnitKey, UnitKind
from edgerouter.dicom.part10 import Header, read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicomweb.media import content_type_of_multipart, parse, part_content_type, part_type
from edgerouter.dicomweb.multipart import MultipartReader, PartBegin, PartData
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.syntaxes import default_syntax
from edgerouter.errors import Cut, ProtocolError, Received
from edgerouter.http.fields import Fields
from edgerouter.transactions.keeping import may_keep, proves_its_end
from edgerouter.transactions.passage import check_type
from edgerouter.transactions.rewrite import faults_of, inflated
from edgerouter.upstream.seam import Answer, Archive, Outbound

logger = logging.getLogger(__name__)

STUDY_DATE = 0x00080020
_LOCATED = re.compile(r"/frames/([0-9]{1,9})\Z")
DICOM = "application/dicom"


class Namer(Protocol):
    """Names the parts of an answer, one after the other."""

    async def begin(self, fields: Fields, media: str, syntax: str | None) -> None: ...

    async def data(self, chunk: bytes) -> None: ...

    async def end(self) -> None: ...


async def fetch_parts(
    fill: Fill, archive: Archive, outbound: Outbound, resource: Resource, namer: Namer
) -> None:
    """One upstream answer, its parts named by `namer`. Raises errors.UpstreamError; returns when whole."""
    async with archive.open(outbound) as answer:
        check_status(answer, archive.name)
        check_type(resource, answer, archive.name)
        if fill.head is None:
            await fill.begin(answer.status, Fields())
        if not may_keep(answer):
            fill.keep(False)
        coded = (answer.fields.get("content-encoding") or "").lower() == "gzip"
        chunks = inflated(answer.chunks(), archive.name) if coded else answer.chunks()
        value = answer.fields.get("content-type") or ""
        media = parse(value)
        if media is not None and media.essence == "multipart/related":
            await _multipart(chunks, value, archive.name, namer)
        else:
            if not proves_its_end(answer):
                fill.keep(False)
            await _lone(chunks, value, namer)


def check_status(answer: Answer, upstream: str) -> None:
    """As raise_for_status, for fetches: no redirect is of use to a cache."""
    if answer.status >= 400:
        kept = answer.fields.only(("retry-after", "www-authenticate", "warning"))
        raise Received(answer.status, upstream=upstream, fields=kept)
    if answer.status not in (200, 206):
        raise ProtocolError("The upstream answered with a status that was not asked for.", upstream=upstream)


async def _multipart(chunks: AsyncIterator[bytes], content_type: str, upstream: str, namer: Namer) -> None:
    parsed = content_type_of_multipart(content_type)
    if parsed is None:
        raise ProtocolError("The upstream's multipart answer names no usable boundary.", upstream=upstream)
    root, boundary = parsed
    reader = MultipartReader(boundary)
    async for chunk in chunks:
        with faults_of(upstream):
            events = reader.feed(chunk)
        for event in events:
            if isinstance(event, PartBegin):
                media, syntax = part_type(event.fields.get("content-type"), root)
                await namer.begin(event.fields, media, syntax)
            elif isinstance(event, PartData):
                await namer.data(bytes(event.data))
            else:
                await namer.end()
    with faults_of(upstream):
        reader.close()


async def _lone(chunks: AsyncIterator[bytes], content_type: str, namer: Namer) -> None:
    media, syntax = part_type(content_type)
    await namer.begin(Fields([("content-type", content_type)]), media, syntax)
    async for chunk in chunks:
        await namer.data(chunk)
    await namer.end()


@dataclass(slots=True)
class Instances:
    """Names PS3.10 parts by what is in them."""

    fill: Fill
    upstream: str
    resource: Resource
    members: list[Member] = field(default_factory=list)
    unnamed: int = 0
    study_date: str = ""
    _head: bytearray | None = None
    _key: UnitKey | None = None

    async def begin(self, fields: Fields, media: str, syntax: str | None) -> None:
        self._head = bytearray()
        self._key = None

    async def data(self, chunk: bytes) -> None:
        if self._head is None:
            await self.fill.write(chunk)
            return
        self._head += chunk
        try:
            header = read_header(bytes(self._head), (STUDY_DATE,))
        except NeedMore:
            return
        except Part10Error as error:
            logger.warning("upstream %s: an instance cannot be named: %s", self.upstream, error)
            header = None
        await self._open(header)

    async def end(self) -> None:
        if self._head is not None:
            try:
                header = read_header(bytes(self._head), (STUDY_DATE,), complete=True)
            except (Part10Error, NeedMore):
                header = None
            await self._open(header)
        if self._key is None:
            self.unnamed += 1
        else:
            self.members.append((self._key.series, self._key.instance))
        await self.fill.close_part(self._key)

    async def _open(self, header: Header | None) -> None:
        self._key = self._named(header)
        if header is not None:
            self.study_date = self.study_date or header.first(STUDY_DATE)
        await self.fill.open_part(instance_fields(self._key))
        head, self._head = bytes(self._head or b""), None
        if head:
            await self.fill.write(head)

    def _named(self, header: Header | None) -> UnitKey | None:
        """The key of an instance that is of what was asked for, else None: it is passed on, never kept."""
        if header is None:
            return None
        try:
            study, series, instance = header.identity
        except Part10Error:
            return None
        asked = (self.resource.study, self.resource.series, self.resource.instance)
        if any(want and want != got for want, got in zip(asked, (study, series, instance), strict=True)):
            logger.error("upstream %s sent an instance that was not asked for", self.upstream)
            return None
        syntax = header.syntax.uid
        return UnitKey(self.upstream, study, series, instance, UnitKind.INSTANCE, "", DICOM, syntax)


def instance_fields(key: UnitKey | None) -> Fields:
    """The part fields of an instance as we send them: its own transfer syntax, its own location."""
    if key is None:
        return Fields([("content-type", DICOM)])
    return Fields(
        [
            ("content-type", part_content_type(DICOM, key.syntax)),
            ("content-location", f"/studies/{key.study}/series/{key.series}/instances/{key.instance}"),
        ]
    )


@dataclass(slots=True)
class Frames:
    """Names frame parts by their order (PS3.18 §10.4.3.3.5: one part for each frame asked, in order)."""

    fill: Fill
    upstream: str
    resource: Resource
    expected: Sequence[int]
    any_syntax: bool  # `*` was asked for: a part that does not say what it is may be anything
    _next: int = 0
    _key: UnitKey | None = None

    async def begin(self, fields: Fields, media: str, syntax: str | None) -> None:
        if self._next >= len(self.expected):
            raise Cut("The upstream sent more frames than were asked for.", upstream=self.upstream)
        number = self.expected[self._next]
        self._next += 1
        said = _LOCATED.search(fields.get("content-location") or "")
        if said and int(said[1]) != number:
            raise Cut("The upstream sent another frame than the one asked for.", upstream=self.upstream)
        if syntax is None and not self.any_syntax:
            syntax = default_syntax(media)
        self._key = frame_key(self.upstream, self.resource, number, media, syntax) if syntax else None
        await self.fill.open_part(frame_fields(self.resource, number, media, syntax))

    async def data(self, chunk: bytes) -> None:
        await self.fill.write(chunk)

    async def end(self) -> None:
        await self.fill.close_part(self._key)

    def finish(self) -> None:
        """Raises Cut when frames are missing: the order of the rest then proves nothing."""
        if self._next < len(self.expected):
            raise Cut("The upstream sent fewer frames than were asked for.", upstream=self.upstream)


def frame_key(upstream: str, resource: Resource, number: int, media: str, syntax: str) -> UnitKey:
    place = (resource.study or "", resource.series or "", resource.instance or "")
    return UnitKey(upstream, *place, UnitKind.FRAME, str(number), media, syntax)


def frame_fields(resource: Resource, number: int, media: str, syntax: str | None) -> Fields:
    return Fields(
        [
            ("content-type", part_content_type(media, syntax)),
            ("content-location", f"{resource.parent}/frames/{number}"),
        ]
    )


async def list_members(
    catalog: Catalog, upstream: str, resource: Resource, named: Instances, since: int, asked_at: float
) -> None:
    """After a whole answer: what the study or series contains, and how old the study is."""
    study = resource.study or ""
    if resource.level is not Level.INSTANCE and not named.unnamed and resource.kind is Kind.DICOM:
        members = tuple(dict.fromkeys(named.members))
        listing = Listing(upstream, study, resource.series or "", True, asked_at, members)
        await catalog.put_listing(listing, since)
    if named.study_date:
        await catalog.date(upstream, study, named.study_date)
