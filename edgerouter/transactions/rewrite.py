"""Bodies on their way out: inflated, parsed, their links mapped, coded again. Every stage is an async
generator over bytes; what an upstream got wrong in the middle becomes errors.Cut, which the sender
turns into a visible break (law 3)."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

from edgerouter.dicomweb.json_links import BulkDataLinks
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.multipart import (
    Event,
    MultipartError,
    MultipartReader,
    PartBegin,
    PartData,
    closing,
    delimiter,
)
from edgerouter.dicomweb.xml_scan import XmlError
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.coding import CodingError, Gunzip, Gzip
from edgerouter.http.fields import Fields
from edgerouter.metrics import UPSTREAM_MALFORMED

logger = logging.getLogger(__name__)

MAX_ROWS_BYTES = 64 << 20  # one search answer of one upstream
MAX_METADATA_BYTES = 4 << 30  # streamed, never whole in memory
MAX_XML_PART = 32 << 20

Bytes = AsyncGenerator[bytes, None]


@contextmanager
def faults_of(upstream: str) -> Iterator[None]:
    """Whatever the parsers find wrong in an upstream's body is that upstream's cut answer."""
    try:
        yield
    except (MultipartError, JsonError, CodingError, XmlError) as error:
        UPSTREAM_MALFORMED.labels(upstream).inc()
        logger.warning("upstream %s: malformed answer: %s", upstream, error)
        raise Cut("The upstream's answer is malformed.", upstream=upstream) from error


async def inflated(chunks: AsyncIterator[bytes], upstream: str) -> Bytes:
    """The body without its gzip coding; its end mark is required."""
    gunzip = Gunzip()
    async for chunk in chunks:
        with faults_of(upstream):
            # Lazily: a small chunk may inflate to a large one, which leaves in pieces.
            for piece in gunzip.feed(chunk):
                yield piece
    with faults_of(upstream):
        gunzip.close()


async def gzipped(chunks: AsyncIterator[bytes]) -> Bytes:
    gzip = Gzip()
    async for chunk in chunks:
        if coded := gzip.feed(chunk):
            yield coded
    yield gzip.close()


async def rows(
    chunks: AsyncIterator[bytes], upstream: str, change: Callable[[bytes], bytes], limit: int = MAX_ROWS_BYTES
) -> Bytes:
    """A JSON array, element by element, each passed through `change`; emitted as `[a,b,…]`."""
    splitter = ArraySplitter(total_limit=limit)
    before = b"["
    async for chunk in chunks:
        with faults_of(upstream):
            out = [change(row) for row in splitter.feed(chunk)]
        if out:
            yield before + b",".join(out)
            before = b","
    with faults_of(upstream):
        splitter.finish()
    yield b"]" if before == b"," else b"[]"


def bulkdata_links(links: LinkMap) -> Callable[[bytes], bytes]:
    """A change for one metadata row: every BulkDataURI at any depth names us."""

    def change(row: bytes) -> bytes:
        rewriter = BulkDataLinks(links.map_here)
        return rewriter.feed(row) + rewriter.finish()

    return change


async def parts(
    chunks: AsyncIterator[bytes],
    upstream: str,
    boundaries: tuple[str, str],
    links: LinkMap,
    change: Callable[[bytes], bytes] | None = None,
) -> Bytes:
    """A multipart/related body: every part under our own boundary, its Content-Location mapped.

    `boundaries` are the upstream's and ours. `change` rewrites whole parts (XML documents); without it
    their bytes pass as they come."""
    theirs, ours = boundaries
    reader = MultipartReader(theirs)
    first, document = True, bytearray()
    async for chunk in chunks:
        with faults_of(upstream):
            events = reader.feed(chunk)
        for event in events:
            if isinstance(event, PartBegin):
                yield delimiter(ours, part_fields(event.fields, links, sized=change is None), first)
                first = False
            elif change is None:
                if isinstance(event, PartData):
                    yield bytes(event.data)
            elif isinstance(event, PartData):
                document += event.data
                if len(document) > MAX_XML_PART:
                    raise Cut("A part of the upstream's answer is too large to rewrite.", upstream=upstream)
            else:
                with faults_of(upstream):
                    changed = change(bytes(document))
                yield changed
                document.clear()
    with faults_of(upstream):
        reader.close()
    yield closing(ours)


def part_fields(fields: Fields, links: LinkMap, *, sized: bool) -> Fields:
    """The part's own fields: media type, mapped location, and its length where no byte changes."""
    kept = fields.only(("content-type", "content-length") if sized else ("content-type",))
    location = fields.get("content-location")
    mapped = links.location(location) if location else None
    return kept.set("content-location", mapped) if mapped else kept


async def lone_part(chunks: Bytes, upstream: str, boundary: str) -> tuple[str, Bytes]:
    """The media type and bytes of the only part of a multipart body, out of its wrapper.

    Raises ProtocolError when the body ends before its first part; a second part cuts the body."""
    reader = MultipartReader(boundary)
    early: list[Event] = []
    async for chunk in chunks:
        with faults_of(upstream):
            early += reader.feed(chunk)
        if early:
            break
    if not early or not isinstance(early[0], PartBegin):
        raise ProtocolError("The upstream's multipart answer holds no part.", upstream=upstream)
    media = early[0].fields.get("content-type") or "application/octet-stream"
    return media, _lone_bytes(chunks, upstream, reader, early[1:])


async def _lone_bytes(chunks: Bytes, upstream: str, reader: MultipartReader, early: Sequence[Event]) -> Bytes:
    for data in _only_data(early, upstream):
        yield data
    async for chunk in chunks:
        with faults_of(upstream):
            events = reader.feed(chunk)
        for data in _only_data(events, upstream):
            yield data
    with faults_of(upstream):
        reader.close()


def _only_data(events: Sequence[Event], upstream: str) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, PartBegin):
            raise Cut("The upstream sent several parts where one was asked for.", upstream=upstream)
        if isinstance(event, PartData):
            yield bytes(event.data)
