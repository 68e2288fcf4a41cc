"""Ranges of what a deflated data set inflates to (PS3.5 A.5): read forward, in bounded memory."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence

from edgerouter.cache.units import Unit
from edgerouter.errors import Cut

_PIECE = 256 << 10  # bytes inflated at a time


async def inflated(unit: Unit, at: int, ranges: Sequence[tuple[int, int]]) -> AsyncGenerator[bytes, None]:
    """The bytes of ascending (start, stop) ranges of the inflated form of the stream that begins `at`.

    Raises Cut when the stream ends before them or is damaged, Damaged when the unit is."""
    left = [(start, stop) for start, stop in ranges if start < stop]
    position = 0
    async for plain in _plain(unit, at):
        while left and left[0][0] < position + len(plain):
            start, stop = left[0]
            yield plain[start - position : stop - position]
            if stop > position + len(plain):
                left[0] = (position + len(plain), stop)
                break
            del left[0]
        if not left:
            return
        position += len(plain)
    if left:
        raise Cut("What is held of it ends too early.")


async def _plain(unit: Unit, at: int) -> AsyncGenerator[bytes, None]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    async for data in unit.read(at):
        full = False  # zlib may hold back output that no further input will call out
        while (data or full) and not stream.eof:
            try:
                plain = await asyncio.to_thread(stream.decompress, data, _PIECE)
            except zlib.error:
                raise Cut("What is held of it cannot be inflated.") from None
            data, full = stream.unconsumed_tail, len(plain) == _PIECE
            yield plain
