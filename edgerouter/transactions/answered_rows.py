"""The elements of one JSON search answer of an upstream, whole or not at all (law 3)."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing

import msgspec

from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import Brackets, JsonError
from edgerouter.errors import Cut
from edgerouter.transactions.bodies import Bytes, decoded, faults_of, pieces
from edgerouter.upstream.seam import Answer, Framing

AT_ONCE = 8 << 20  # bytes split in one go, about ten milliseconds; what is larger is split as it comes

_BATCH = 1000  # rows checked in one go, about a millisecond
_SURELY_FLAT = 200  # brackets without which nothing can be nested too deeply to be decoded

_array = msgspec.json.Decoder(list[msgspec.Raw])


async def answered_rows(answer: Answer, upstream: str, limit: int) -> list[msgspec.Raw]:
    """The array's elements, each still undecoded, as slices of the whole; `limit` is in bytes of that.

    Raises errors.Cut for an answer that is cut, malformed or too long, ProtocolError for a coding that
    was not asked for."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(decoded(answer, upstream)) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > min(AT_ONCE, limit):
                splitter = ArraySplitter(total_limit=limit)
                return await _by_and_by(splitter, b"".join(parts), chunks, upstream)
    if not size:
        if answer.framing is Framing.CLOSE:
            raise Cut("The archive's answer ended before it began.", upstream=upstream)
        return []
    whole = b"".join(parts)
    del parts
    with faults_of(upstream):
        found = elements(whole)
        for start in range(0, len(found), _BATCH):
            check(found[start : start + _BATCH])
            await asyncio.sleep(0)
    return found


def elements(body: bytes) -> list[msgspec.Raw]:
    """The elements of a JSON array, not checked yet; raises JsonError unless it is one, in UTF-8."""
    try:
        if not body.isascii():
            body.decode()
        return _array.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise JsonError("The JSON is not an array.") from error


def check(found: Iterable[msgspec.Raw]) -> None:
    """Raise JsonError unless these are objects, and none is nested too deeply."""
    for element in map(bytes, found):
        if not element.startswith(b"{"):
            raise JsonError("The JSON is not an array of objects.")
        if element.count(b"[") + element.count(b"{") > _SURELY_FLAT:
            _check_depth(element)


def _check_depth(element: bytes) -> None:
    """Raise JsonError for nesting that readers of our own answer could stumble over."""
    brackets = Brackets()
    brackets.enter()
    brackets.advance(element, 1)


async def _by_and_by(
    splitter: ArraySplitter, begun: bytes, chunks: Bytes, upstream: str
) -> list[msgspec.Raw]:
    rows = await _fed(splitter, begun, upstream)
    async for chunk in chunks:
        rows += await _fed(splitter, chunk, upstream)
    with faults_of(upstream):
        splitter.finish()
    return rows


async def _fed(splitter: ArraySplitter, chunk: bytes, upstream: str) -> list[msgspec.Raw]:
    rows: list[msgspec.Raw] = []
    for piece in pieces(chunk):
        with faults_of(upstream):
            rows += map(msgspec.Raw, splitter.feed(piece))
        await asyncio.sleep(0)
    return rows
