"""Bulk data from a folder (PS3.18 §10.4.1.1.5), by the URIs that its own metadata names."""

import re
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing

import msgspec

from edgerouter.dicom.predicates import values_of
from edgerouter.dicom.syntaxes import OCTET_STREAM, transfer_syntax
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.multipart import closing, delimiter, new_boundary
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE
from edgerouter.errors import NotAcceptable, NotFound
from edgerouter.upstream.folder.answer import FolderAnswer
from edgerouter.upstream.folder.fit import fitting
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Index, Member
from edgerouter.upstream.folder.parts import Part, envelope, partial, single, streamed
from edgerouter.upstream.folder.pixels import PIXEL_DATA, Pixels
from edgerouter.upstream.folder.reading import Bytes, Material
from edgerouter.upstream.seam import Outbound

DOCUMENT, _MIME_TYPE, _DOCUMENT_LENGTH = "00420011", "00420012", "00420015"
# Whatever else a file says it is goes out as octets: a browser might run it as a page of ours.
_DOCUMENTS = ("application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl", "application/sla")
_URI = re.compile(rb'"BulkDataURI":"([^"\\]+)"')
_PREFIX = "bulkdata/"
_AT_ONCE = 128  # delimiters and parts handed to a thread
_NONE = "There is no such bulk data."
_attributes = msgspec.json.Decoder(dict[str, dict[str, object]])


class Values:
    """Bulk data values of one folder's instances."""

    def __init__(self, holdings: Holdings, pixels: Pixels) -> None:
        self._holdings = holdings
        self._pixels = pixels

    async def one(
        self, outbound: Outbound, member: Member, resource: Resource, wanted: Sequence[Wish]
    ) -> FolderAnswer:
        """The value that a BulkDataURI names; compressed pixels are their frames, a part each.

        Raises NotFound, and NotAcceptable for what is not held in a representation that was wished."""
        if not resource.tail.startswith(_PREFIX):
            raise NotFound(_NONE)
        where = resource.tail.removeprefix(_PREFIX)
        if where == PIXEL_DATA and transfer_syntax(member.syntax).encapsulated:
            return await self._compressed(outbound, member, wanted)
        found = await self._part(member, where, wanted)
        if found is None:
            raise NotFound(_NONE)
        part, wish = found
        if wish is None:
            raise NotAcceptable(f"The value is {part.content_type}.")
        if not wish.multipart:
            return single(outbound, part, self._holdings)
        return streamed(part.content_type, [part], self._holdings)

    async def _compressed(self, outbound: Outbound, member: Member, wanted: Sequence[Wish]) -> FolderAnswer:
        table = await self._pixels.table(member)
        if table is not None and table.frames == 1:
            return await self._pixels.frames(outbound, member, [1], wanted)
        return await self._pixels.all([member], wanted)

    async def all(self, members: Sequence[Member], wanted: Sequence[Wish]) -> FolderAnswer:
        """Every value that the metadata of these instances gives by reference; 206 when the pixels of some
        are not held as wished. Raises NotFound when there is nothing to give."""
        compressed = [one for one in members if one.has_pixels and transfer_syntax(one.syntax).encapsulated]
        unfit = {one.id for one in compressed if not await self._pixels.images(one, wanted)}
        parts = self._parts(members, unfit, wanted)
        first = await anext(parts, None)
        if first is None:
            raise NotFound(_NONE)
        boundary = new_boundary()
        body = self._body(first, parts, boundary)
        answer = FolderAnswer(200, envelope(first.content_type, boundary), body)
        return partial(answer, len(unfit), self._holdings)

    async def _parts(
        self, members: Sequence[Member], unfit: Container[int], wanted: Sequence[Wish]
    ) -> AsyncGenerator[Part, None]:
        for member in members:
            for where in await self._references(member):
                if where != PIXEL_DATA or not transfer_syntax(member.syntax).encapsulated:
                    found = await self._part(member, where, wanted)
                    if found and found[1]:
                        yield found[0]
                elif member.id not in unfit and (images := await self._pixels.images(member, wanted)):
                    for part in images.parts:
                        yield part

    async def _references(self, member: Member) -> list[str]:
        """What the metadata gives by reference, as the ends of its BulkDataURIs."""
        metadata = await self._holdings.ask(Index.metadata, [member.id])
        uris = _URI.findall(b"".join(metadata))
        return [uri.decode().rpartition(f"/{_PREFIX}")[2] for uri in uris]

    async def _body(self, first: Part, parts: AsyncGenerator[Part, None], boundary: str) -> Bytes:
        waiting: list[Material] = [delimiter(boundary, first.fields, True), first.content]
        async with aclosing(parts):
            async for part in parts:
                if len(waiting) >= _AT_ONCE:
                    async for chunk in self._holdings.stream(waiting):
                        yield chunk
                    waiting = []
                waiting += [delimiter(boundary, part.fields, False), part.content]
        async for chunk in self._holdings.stream([*waiting, closing(boundary)]):
            yield chunk

    async def _part(
        self, member: Member, where: str, wanted: Sequence[Wish]
    ) -> tuple[Part, Wish | None] | None:
        """A value and the wish that it fulfils; None when nothing there is given by reference."""
        content = await self._holdings.locate(member, where)
        if content is None:
            return None
        media, syntax = OCTET_STREAM, EXPLICIT_VR_LE
        if where == DOCUMENT:
            named, length = await self._document(member)
            content = content.cut(0, min(length or content.length, content.length))
            if named and fitting(wanted, named, None):
                media, syntax = named, ""
        uids = (member.study, member.series, member.instance)
        resource = Resource(Kind.BULKDATA, Level.INSTANCE, *uids, tail=_PREFIX + where)
        part = Part(media, self._holdings.url(resource), content)
        return part, fitting(wanted, media, syntax or None)

    async def _document(self, member: Member) -> tuple[str, int]:
        """The media type and length of an encapsulated document, "" and 0 where they are not told."""
        text = await self._holdings.ask(Index.text, member.id, "attributes")
        told = _attributes.decode(text) if text else {}
        media, length = (next(iter(values_of(told, tag)), None) for tag in (_MIME_TYPE, _DOCUMENT_LENGTH))
        known = isinstance(media, str) and media.lower() in _DOCUMENTS
        return str(media).lower() if known else "", length if isinstance(length, int) else 0
