"""Datasets as an answer has them (PS3.18 §F): a JSON array, or XML documents in a multipart body."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.media import JSON, XML, multipart_content_type
from edgerouter.dicomweb.multipart import closing, delimiter, new_boundary
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.upstream.folder.answer import FolderAnswer
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.reading import Bytes

Batches = AsyncGenerator[Sequence[bytes], None]  # DICOM JSON objects, some at a time


def datasets(holdings: Holdings, rows: Batches, media: str, fields: Fields) -> FolderAnswer:
    """An answer of these rows, there is at least one where `media` is XML; `fields` are what else it says."""
    if media == JSON:
        return FolderAnswer(200, fields.set("content-type", JSON), _array(rows))
    boundary = new_boundary()
    content_type = multipart_content_type(XML, boundary)
    return FolderAnswer(200, fields.set("content-type", content_type), _documents(holdings, rows, boundary))


async def _array(rows: Batches) -> Bytes:
    before = b"["
    async with aclosing(rows):
        async for batch in rows:
            if batch:
                yield before + b",".join(batch)
                before = b","
    yield b"]" if before == b"," else b"[]"


async def _documents(holdings: Holdings, rows: Batches, boundary: str) -> Bytes:
    first = True
    async with aclosing(rows):
        async for batch in rows:
            for row in batch:
                yield delimiter(boundary, Fields([("content-type", XML)]), first) + await _xml(holdings, row)
                first = False
    yield closing(boundary)


async def _xml(holdings: Holdings, row: bytes) -> bytes:
    try:
        return await holdings.describer.to_xml(row)
    except (Part10Error, OSError):
        raise Cut("A dataset could not be written as XML.", upstream=holdings.name) from None
