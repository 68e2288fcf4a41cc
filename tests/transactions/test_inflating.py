"""Ranges of an inflated data set are those bytes of it, wherever zlib's pieces end."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.errors import Cut
from edgerouter.transactions.inflating import inflated
from tests.cache.support import instance, noise, opened, put

PIECE = 256 << 10
AT = 100  # where the stream begins


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


async def read(cache: Cache, packed: bytes, ranges: Sequence[tuple[int, int]], number: int = 1) -> bytes:
    """Ranges of what a unit inflates to."""
    key = instance(number)
    await put(cache, key, bytes(AT) + packed)
    unit = await cache.units.get(key)
    assert unit is not None
    return b"".join([piece async for piece in inflated(unit, AT, ranges)])


async def test_ranges_come_one_behind_another(tmp_path: Path) -> None:
    data = noise(1_000_000) + bytes(500_000) + noise(700_000, 1)
    ranges = [
        (0, 10),
        (10, 10),
        (500, 900_000),
        (999_999, 1_500_001),
        (1_600_000, 1_600_001),
        (2_199_990, 2_200_000),
    ]
    async with opened(tmp_path) as cache:
        assert await read(cache, deflated(data), ranges) == b"".join(data[low:high] for low, high in ranges)


async def test_what_zlib_holds_back_at_the_end_of_its_input_comes_too(tmp_path: Path) -> None:
    """Blank pixels: the last few hundred bytes come of no input of their own."""
    async with opened(tmp_path) as cache:
        for number, more in enumerate(range(0, 260, 5), 1):
            size = PIECE + more
            assert await read(cache, deflated(bytes(size)), [(0, size)], number) == bytes(size)


@pytest.mark.parametrize(
    "packed", [deflated(noise(1000))[:-100], deflated(noise(1000)), b"\xff" * 1000, b"\0"]
)
async def test_what_ends_too_early_or_is_no_stream_is_a_cut(tmp_path: Path, packed: bytes) -> None:
    async with opened(tmp_path) as cache:
        with pytest.raises(Cut):
            await read(cache, packed, [(0, 1001)])
