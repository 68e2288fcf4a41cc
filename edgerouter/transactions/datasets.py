"""JSON answers (PS3.18 §F) on their way out: search results row by row, metadata as it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from edgerouter.dicomweb.json_links import BulkDataLinks
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.links import LinkMap
from edgerouter.transactions.bodies import Bytes, faults_of, pieces

_STEP = 16  # rows changed in one step
_SPACE = b" \t\r\n"
_PAIRS = (b"[]", b"{}")


async def rows(
    chunks: Bytes,
    upstream: str,
    change: Callable[[bytes], bytes],
    limit: int,
    *,
    may_be_empty: bool,
    settle: Callable[[list[bytes]], Awaitable[list[bytes]]] | None = None,
) -> Bytes:
    """A JSON array, element by element, each passed through `change`; emitted as `[a,b,…]`, without those
    of which nothing is left; `settle` has the last word on the few that leave together.

    `limit` is in bytes of the whole. `may_be_empty`: some archives say so with no byte at all."""
    splitter = ArraySplitter(total_limit=limit)
    before, began = b"[", False
    async with aclosing(chunks):
        async for chunk in chunks:
            began = True
            for piece in pieces(chunk):
                with faults_of(upstream):
                    found = splitter.feed(piece)
                for at in range(0, len(found), _STEP):
                    with faults_of(upstream):
                        changed = [kept for row in found[at : at + _STEP] if (kept := change(row))]
                    if settle:
                        changed = await settle(changed)
                    if changed:
                        yield before + b",".join(changed)
                        before = b","
                    await asyncio.sleep(0)
    if began or not may_be_empty:
        with faults_of(upstream):
            splitter.finish()
    yield b"]" if before == b"," else b"[]"


async def metadata(chunks: Bytes, links: LinkMap) -> Bytes:
    """Metadata of any size, every BulkDataURI in it mapped, at any depth; all else as it came.

    A text that does not end as it began is cut: then the framing was wrong."""
    rewriter, ends = BulkDataLinks(links.map_here), _Ends()
    async with aclosing(chunks):
        async for chunk in chunks:
            for piece in pieces(chunk):
                with faults_of(links.upstream):
                    ends.see(piece)
                    changed = rewriter.feed(piece)
                if changed:
                    yield changed
                await asyncio.sleep(0)
    with faults_of(links.upstream):
        ends.check()
        rest = rewriter.finish()
    yield rest


class _Ends:
    """The first and the last byte of a text, white space left aside."""

    def __init__(self) -> None:
        self._first = b""
        self._last = b""

    def see(self, piece: bytes) -> None:
        """Raises JsonError when the text begins as no dataset does."""
        text = piece.strip(_SPACE)
        if text and not self._first:
            self._first = text[:1]
            if self._first not in (b"[", b"{"):
                raise JsonError("The JSON is not a dataset.")
        self._last = text[-1:] or self._last

    def check(self) -> None:
        if self._first + self._last not in _PAIRS:
            raise JsonError("The JSON breaks off.")
