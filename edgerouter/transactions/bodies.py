"""Bodies on their way out, stage by stage: each is an async generator over bytes that closes the one before.

What an upstream got wrong in the middle becomes errors.Cut, which the sender turns into a visible break
(law 3). A step between two awaits works on at most a piece, so that the loop goes on (law 13)."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager

from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.multipart import MultipartError
from edgerouter.dicomweb.xml_scan import XmlError
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.coding import CodingError, Gunzip, Gzip
from edgerouter.metrics import UPSTREAM_MALFORMED
from edgerouter.upstream.seam import Answer

logger = logging.getLogger(__name__)

PIECE = 64 << 10  # bytes of text that are parsed in one step: one or two milliseconds

Bytes = AsyncGenerator[bytes, None]


@contextmanager
def faults_of(upstream: str) -> Iterator[None]:
    """Whatever the parsers find wrong in an upstream's body is that upstream's cut answer."""
    try:
        yield
    except (MultipartError, JsonError, CodingError, XmlError) as error:
        UPSTREAM_MALFORMED.labels(upstream).inc()
        # These errors say what is wrong in words of our own, and hold nothing of the body.
        logger.warning("upstream %s: malformed answer: %s", upstream, error)
        raise Cut("The upstream's answer is malformed.", upstream=upstream) from error


def decoded(answer: Answer, upstream: str) -> Bytes:
    """The answer's body without its content coding; raises ProtocolError for a coding not asked for."""
    coding = (answer.fields.get("content-encoding") or "identity").strip().lower()
    if coding in ("gzip", "x-gzip"):
        return inflated(_closing(answer.chunks()), upstream)
    if coding != "identity":
        raise ProtocolError("The upstream used a content coding that was not asked for.", upstream=upstream)
    return _closing(answer.chunks())


async def inflated(chunks: Bytes, upstream: str) -> Bytes:
    """The body without its gzip coding; its end mark is required."""
    gunzip = Gunzip()
    async with aclosing(chunks):
        async for chunk in chunks:
            with faults_of(upstream):
                # Lazily: a small chunk may inflate to a large one, which leaves in pieces.
                for piece in gunzip.feed(chunk):
                    yield piece
        with faults_of(upstream):
            gunzip.close()


async def gzipped(chunks: Bytes) -> Bytes:
    gzip = Gzip()
    async with aclosing(chunks):
        async for chunk in chunks:
            if coded := gzip.feed(chunk):
                yield coded
        yield gzip.close()


async def whole(chunks: Bytes, limit: int, upstream: str) -> bytes:
    """All of a small body; raises Cut beyond `limit` bytes."""
    body = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise Cut("The upstream's answer is too large.", upstream=upstream)
    return bytes(body)


async def once(body: bytes) -> Bytes:
    yield body


def pieces(chunk: bytes) -> Iterator[bytes]:
    return (chunk[at : at + PIECE] for at in range(0, len(chunk), PIECE))


async def _closing(chunks: AsyncIterator[bytes]) -> Bytes:
    """The same, as something that closes: an archive's chunks need not be a generator."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
