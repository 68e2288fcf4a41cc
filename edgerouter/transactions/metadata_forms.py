"""Metadata rows as clients want them: one JSON array (PS3.18 §F.2), or an XML document for each in one
envelope (PS3.19 §A.1), made of the same rows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.json_links import BulkDataLinks
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import JSON, XML, multipart_content_type
from edgerouter.dicomweb.multipart import closing, delimiter
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.transactions.bodies import Bytes, faults_of, pieces
from edgerouter.transactions.described import array, linked, member_of
from edgerouter.transactions.sending import closed


class Unsayable(Cut):
    """A row cannot be said in the form that is wanted."""


class Form(Protocol):
    """How rows leave; `mark` is what tells its entity tags from those of other forms."""

    mark: str

    @property
    def content_type(self) -> str: ...

    def of_rows(self, batches: AsyncIterator[list[bytes]], links: LinkMap) -> Bytes:
        """The body of rows as they were kept."""

    def of_text(self, text: Bytes, links: LinkMap) -> Bytes:
        """The body of a JSON array of them."""


class AsJson:
    """One array of them, to the byte, but for links."""

    mark = ""
    content_type = JSON

    def of_rows(self, batches: AsyncIterator[list[bytes]], links: LinkMap) -> Bytes:
        return linked(array(batches), links)

    def of_text(self, text: Bytes, links: LinkMap) -> Bytes:
        return linked(text, links)


class AsXml:
    """One Native DICOM Model document each; `to_xml` makes it of a row, and raises Part10Error for one that
    it does not understand. Bodies raise Unsayable then."""

    mark = "-xml"

    def __init__(self, asked: Resource, boundary: str, to_xml: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._asked = asked
        self._boundary = boundary
        self._to_xml = to_xml

    @property
    def content_type(self) -> str:
        return multipart_content_type(XML, self._boundary)

    async def of_rows(self, batches: AsyncIterator[list[bytes]], links: LinkMap) -> AsyncGenerator[bytes]:
        first = True
        async with closed(batches):
            async for batch in batches:
                for row in batch:
                    document = await self._document(row, links)
                    yield delimiter(self._boundary, self._fields(row, document, links), first)
                    yield document
                    first = False
        if first:
            raise Unsayable("There is no row, and an envelope without a part cannot be written.")
        yield closing(self._boundary)

    def of_text(self, text: Bytes, links: LinkMap) -> Bytes:
        return self.of_rows(_rows(text, links.upstream), links)

    async def _document(self, row: bytes, links: LinkMap) -> bytes:
        try:
            return await self._to_xml(await _with_links(row, links))
        except (Part10Error, OSError):
            raise Unsayable("A row of the metadata cannot be written as XML.") from None

    def _fields(self, row: bytes, document: bytes, links: LinkMap) -> Fields:
        fields = Fields([("content-type", XML), ("content-length", str(len(document)))])
        member = member_of(row, self._asked)
        if member is None:
            return fields
        one = Resource(Kind.METADATA, Level.INSTANCE, self._asked.study, *member)
        return fields.set("content-location", links.public + one.path)


async def _with_links(row: bytes, links: LinkMap) -> bytes:
    rewriter, out = BulkDataLinks(links.map_here), bytearray()
    for piece in pieces(row):
        out += rewriter.feed(piece)
        await asyncio.sleep(0)
    return bytes(out + rewriter.finish())


async def _rows(text: Bytes, upstream: str) -> AsyncGenerator[list[bytes]]:
    """The rows of an array that arrives in pieces."""
    splitter = ArraySplitter()
    async with aclosing(text):
        async for chunk in text:
            for piece in pieces(chunk):
                with faults_of(upstream):
                    found = splitter.feed(piece)
                if found:
                    yield found
                await asyncio.sleep(0)
    with faults_of(upstream):
        splitter.finish()
