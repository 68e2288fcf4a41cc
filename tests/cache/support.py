"""A real cache in a temporary directory, and short ways to put units into it and get them back."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec
from pydicom.datadict import dictionary_VR, tag_for_keyword

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fetch, Fill
from edgerouter.cache.follower import Follower
from edgerouter.cache.listings import Row
from edgerouter.cache.partfile import Opener, open_new
from edgerouter.cache.room import free_bytes
from edgerouter.cache.unit import UnitKey, UnitKind
from edgerouter.http.fields import Fields

MIB = 1 << 20
STUDY = "1.2.840.1"
SERIES = "1.2.840.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
DICOM = Fields([("content-type", "application/dicom")])
HEAD = Fields([("content-type", "multipart/related")])


def instance(number: int = 1, *, study: str = STUDY, upstream: str = "a", syntax: str = EXPLICIT) -> UnitKey:
    return UnitKey(
        upstream,
        study,
        SERIES,
        f"{SERIES}.{number}",
        UnitKind.INSTANCE,
        "",
        "application/dicom",
        syntax,
    )


def frame(number: int, *, upstream: str = "a", media: str = "application/octet-stream") -> UnitKey:
    return UnitKey(upstream, STUDY, SERIES, f"{SERIES}.1", UnitKind.FRAME, str(number), media, EXPLICIT)


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that differ for every seed, and the same for the same."""
    return random.Random(seed).randbytes(size)


@asynccontextmanager
async def opened(
    path: Path,
    *,
    size: int = 256 * MIB,
    min_free: int = 0,
    quotas: Mapping[str, int] = MappingProxyType({}),
    issuers: Mapping[str, str] = MappingProxyType({}),
    free: Callable[[Path], int] = free_bytes,
    opener: Opener = open_new,
) -> AsyncIterator[Cache]:
    """A cache in `path`/cache, whose tasks live as long as the block."""
    async with asyncio.TaskGroup() as group:
        cache = await Cache.open(
            path / "cache",
            size=size,
            min_free=min_free,
            start=group.create_task,
            quotas=quotas,
            issuers=issuers,
            free=free,
            opener=opener,
        )
        try:
            yield cache
        finally:
            await cache.close()


def serving(parts: Iterable[tuple[UnitKey | None, bytes]], piece: int = 100_000) -> Fetch:
    """A fetch that answers with these parts."""

    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        for key, data in parts:
            fill.upstream = key.upstream if key else ""
            await fill.open_part(DICOM, len(data))
            for start in range(0, len(data), piece):
                await fill.write(data[start : start + piece])
            await fill.close_part(key)

    return fetch


async def read_all(follower: Follower) -> list[bytes]:
    """Every part a follower gets."""
    return [b"".join([chunk async for chunk in part.read()]) async for part in follower.parts()]


async def put(cache: Cache, key: UnitKey, data: bytes) -> None:
    """Have a unit fetched and kept."""
    async with cache.fills.join(("put", key), serving([(key, data)])) as follower:
        assert await read_all(follower) == [data]
    await settled(cache)


async def put_all(cache: Cache, units: Sequence[tuple[UnitKey, bytes]]) -> None:
    """Have many units fetched by one fill and kept."""
    async with cache.fills.join("put", serving(units)) as follower:
        assert len(await read_all(follower)) == len(units)
    await settled(cache)


async def got(cache: Cache, key: UnitKey) -> bytes | None:
    """The bytes of a unit, or None for a miss."""
    async with cache.units.open(key) as unit:
        return None if unit is None else b"".join([chunk async for chunk in unit.read()])


async def describe(cache: Cache, study: str, *, upstream: str = "a", **attributes: str) -> None:
    """Have metadata of a study here: one row of one series, with these attributes by their keywords."""
    row = {
        f"{tag:08X}": {"vr": str(dictionary_VR(tag)), "Value": [value]}
        for keyword, value in attributes.items()
        if (tag := tag_for_keyword(keyword)) is not None
    }
    series = attributes.get("SeriesInstanceUID", SERIES)
    rows = [Row(series, f"{series}.1", msgspec.json.encode(row), time.time())]
    assert await cache.catalog.put_metadata(upstream, study, rows, cache.catalog.moment())


async def settled(cache: Cache) -> None:
    """Wait until no fetch is under way."""
    await until(lambda: cache.fills.live == 0)


async def until(condition: Callable[[], bool]) -> None:
    """Give others their turn until the condition holds."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError("It never came to that.")


async def all_of(work: Sequence[Awaitable[object]]) -> list[object]:
    return list(await asyncio.gather(*work))


def unit_files(path: Path) -> list[Path]:
    """The unit files of the cache in `path`/cache."""
    found = os.walk(path / "cache" / "units")  # unlike a glob, it does not mind what goes meanwhile
    return sorted(Path(folder, name) for folder, _, names in found for name in names if name.endswith(".val"))


def part_files(path: Path) -> list[Path]:
    return sorted((path / "cache" / "parts").iterdir())
