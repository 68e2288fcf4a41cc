"""An archive that gives datasets in one form only, in JSON or in XML, and is asked here for either.

What it gives is translated behind the seam, dataset by dataset, in a process of its own (law 13); everything
above it sees an archive that speaks what it was asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.media import (
    JSON,
    RELATED,
    XML,
    content_type_of_multipart,
    multipart_content_type,
    parse,
)
from edgerouter.dicomweb.multipart import (
    MultipartError,
    MultipartReader,
    PartBegin,
    PartData,
    closing,
    delimiter,
    new_boundary,
)
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.coding import CodingError, Gunzip
from edgerouter.http.fields import Fields
from edgerouter.metrics import UPSTREAM_MALFORMED
from edgerouter.parsing.describer import Describer
from edgerouter.upstream.answer import HttpAnswer
from edgerouter.upstream.archive import HttpArchive
from edgerouter.upstream.seam import Answer, Framing, Outbound

MAX_DOCUMENT = 16 << 20  # bytes of one dataset, whose bulk data is left out
PIECE = 64 << 10  # bytes that are read in one step
BATCH = 256 << 10  # bytes of datasets that are translated at once
Bytes = AsyncGenerator[bytes, None]
_XMLS = (XML, "application/xml", "text/xml")
_JSONS = (JSON, "application/json")
_EXACT = ("content-length", "content-encoding", "etag", "accept-ranges", "content-range")


class TranslatingArchive(HttpArchive):
    """An HttpArchive whose profile's `documents` is json or xml."""

    def __init__(self, name: str, *given: Any, **more: Any) -> None:
        super().__init__(name, *given, **more)
        self._describer = Describer(name)

    async def aclose(self) -> None:
        await super().aclose()
        await self._describer.aclose()

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Answer]:  # type: ignore[override]
        """See seam.Archive.open."""
        own = XML if self.profile.documents == "xml" else JSON
        if not (_of_datasets(outbound) and _other_is_wanted(outbound.fields.get("accept") or "", own)):
            async with super().open(outbound) as answer:
                yield answer
            return
        spelled = f'{RELATED}; type="{XML}"' if own == XML else JSON
        asked = replace(outbound, fields=outbound.fields.set("accept", spelled))
        async with super().open(asked) as answer:
            # Of a Store, the module is read and written anew where its outcomes are looked at.
            as_it_is = outbound.transaction is Transaction.STORE or not _has_datasets(answer, own)
            yield answer if as_it_is else _Translated(answer, own, self.name, self._describer)


def _other_is_wanted(accept: str, own: str) -> bool:
    """JSON goes before XML: it is what rows are looked at in."""
    return JSON in accept if own == XML else JSON not in accept and XML in accept


def _of_datasets(outbound: Outbound) -> bool:
    if outbound.transaction is Transaction.RETRIEVE:
        return outbound.path.endswith("/metadata")
    return outbound.transaction in (Transaction.SEARCH, Transaction.STORE)


def _has_datasets(answer: Answer, own: str) -> bool:
    if answer.status not in (200, 206) or answer.length == 0:
        return False
    media = parse(answer.fields.get("content-type") or "")
    if media is None:
        return False
    return media.essence in (_JSONS if own == JSON else (RELATED, *_XMLS))


class _Translated:
    """See seam.Answer: the datasets of another answer, in the other form."""

    framing = Framing.CHUNKED
    length: int | None = None

    def __init__(self, answer: HttpAnswer, own: str, upstream: str, describer: Describer) -> None:
        self.status = answer.status
        self._boundary = new_boundary()
        media = multipart_content_type(XML, self._boundary) if own == JSON else JSON
        self.fields = answer.fields.without(*_EXACT).set("content-type", media)
        self._answer = answer
        self._own = own
        self._upstream = upstream
        self._describer = describer

    async def chunks(self) -> AsyncIterator[bytes]:
        """The translated body. Raises errors.Cut for one that is malformed or breaks off."""
        try:
            async with aclosing(self._json() if self._own == XML else self._xml()) as pieces:
                async for piece in pieces:
                    yield piece
        except (MultipartError, JsonError, CodingError, Part10Error) as error:
            UPSTREAM_MALFORMED.labels(self._upstream).inc()
            raise Cut("The upstream's answer is malformed.", upstream=self._upstream) from error
        except OSError as error:
            raise Cut("The upstream's answer cannot be translated.", upstream=self._upstream) from error

    async def _json(self) -> Bytes:
        before = b"["
        async with aclosing(self._batches()) as batches:
            async for documents in batches:
                for row in await self._describer.to_json(documents):
                    yield before + row
                    before = b","
        yield b"]" if before == b"," else b"[]"

    async def _xml(self) -> Bytes:
        first = True
        async with aclosing(self._batches()) as batches:
            async for rows in batches:
                for row in rows:
                    document = await self._describer.to_xml(row)
                    yield delimiter(self._boundary, Fields([("content-type", XML)]), first) + document
                    first = False
        yield closing(self._boundary)

    async def _batches(self) -> AsyncGenerator[list[bytes], None]:
        """The datasets as they are, some at a time."""
        taken: list[bytes] = []
        size = 0
        async with aclosing(self._rows() if self._own == JSON else self._documents()) as datasets:
            async for one in datasets:
                taken.append(one)
                size += len(one)
                if size >= BATCH:
                    yield taken
                    taken, size = [], 0
        if taken:
            yield taken

    async def _rows(self) -> Bytes:
        splitter = ArraySplitter(element_limit=MAX_DOCUMENT)
        async with aclosing(self._plain()) as chunks:
            async for chunk in chunks:
                for row in splitter.feed(chunk):
                    yield row
        splitter.finish()

    async def _documents(self) -> Bytes:
        """Each part of a multipart body, or the only document there is: its end tag proves it whole."""
        envelope = content_type_of_multipart(self._answer.fields.get("content-type"))
        media = parse(self._answer.fields.get("content-type") or "")
        if envelope is None and (media is None or media.essence == RELATED):
            raise MultipartError("the body names no usable boundary")
        reader = MultipartReader(envelope[1]) if envelope else None
        document = bytearray()
        async with aclosing(self._plain()) as chunks:
            async for chunk in chunks:
                for event in reader.feed(chunk) if reader else (PartData(chunk),):
                    if isinstance(event, PartData):
                        _grow(document, event.data)
                    elif not isinstance(event, PartBegin):
                        yield bytes(document)
                        document.clear()
        if reader:
            reader.close()
        else:
            yield bytes(document)

    async def _plain(self) -> Bytes:
        """The body without its content coding, in pieces that can be read in one step."""
        coding = (self._answer.fields.get("content-encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip"):
            what = "The upstream used a content coding that was not asked for."
            raise ProtocolError(what, upstream=self._upstream)
        gunzip = Gunzip() if coding != "identity" else None
        async for chunk in self._answer.chunks():
            for piece in gunzip.feed(chunk) if gunzip else (chunk,):
                for at in range(0, len(piece), PIECE):
                    yield piece[at : at + PIECE]
                    await asyncio.sleep(0)
        if gunzip:
            gunzip.close()


def _grow(document: bytearray, data: bytes) -> None:
    document += data
    if len(document) > MAX_DOCUMENT:
        raise MultipartError("a dataset is larger than allowed")
