"""Parts on their way to a client: units from disk, mended where they turn out to be damaged, or parts of a
fill while it grows; in one envelope, so that a hit is what the miss was (law 1: locations are ours)."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held
from edgerouter.cache.units import Damaged, Unit
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import Wish, best
from edgerouter.dicomweb.multipart import boundary_for, closing, delimiter
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.transactions.derived import Derived, unit_of
from edgerouter.transactions.inflating import inflated
from edgerouter.transactions.viewing import Viewed

T = TypeVar("T")
_NOT_THERE = "What was held of it is not there any more; ask again."
Bytes = AsyncGenerator[bytes, None]
# The bytes of a unit from an offset to another, fetched anew; with its digests, only if they are the same.
Mend = Callable[[Held, bytes | None, int, int], AsyncIterator[bytes]]


class Part(Protocol):
    """What leaves as one part of an answer, or alone."""

    @property
    def fields(self) -> Fields:
        """Its fields, its location not mapped yet."""

    def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a range; ends cleanly only when they are whole. Raises Cut."""


class HeldPart:
    """A unit as a part; it is fetched anew when it went away or was damaged since the look-up."""

    def __init__(
        self, held: Held, fields: Fields, cache: Cache, mend: Mend, unit: Unit | None = None
    ) -> None:
        self.held = held
        self.fields = fields
        self._cache = cache
        self._mend = mend
        self._unit = unit  # opened already

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        key = self.held.key
        with self._cache.readers.reading(key.upstream, key.study):
            stop = self.held.size if stop is None else stop
            ranges = ranges_of(self.held, start, stop)
            if isinstance(self.held, Viewed):
                pieces = self._viewed(self.held, start, stop)
            elif isinstance(self.held, Derived) and self.held.inflate_at:
                pieces = self._inflated(self.held, ranges)
            else:
                pieces = self._plain(ranges)
            async with closed(pieces):
                async for piece in pieces:
                    yield piece

    async def _plain(self, ranges: Sequence[tuple[int, int]]) -> Bytes:
        """The bytes of the unit between some starts and stops."""
        held, digests = unit_of(self.held), None
        unit = self._unit
        for start, stop in ranges:
            unit = unit or await self._cache.units.get(held.key, start)
            if unit is not None and unit.meta.size == held.size:
                digests = unit.meta.digests
                try:
                    async for piece in unit.read(start, stop):
                        yield piece
                        start += len(piece)
                except Damaged:
                    unit = None
            if start < stop:
                async with closed(self._mend(held, digests, start, stop)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _viewed(self, held: Viewed, start: int, stop: int) -> Bytes:
        unit = self._unit or await self._cache.units.get(held.unit.key)
        if unit is None or unit.meta.size != held.unit.size:
            raise Cut(_NOT_THERE)
        async with closed(held.views.read(held, unit, start, stop)) as pieces:
            async for piece in pieces:
                yield piece

    async def _inflated(self, held: Derived, ranges: Sequence[tuple[int, int]]) -> Bytes:
        unit = self._unit or await self._cache.units.get(held.unit.key)
        if unit is None or unit.meta.size != held.unit.size:
            raise Cut(_NOT_THERE)
        try:
            async with closed(inflated(unit, held.inflate_at, ranges)) as pieces:
                async for piece in pieces:
                    yield piece
        except Damaged:
            raise Cut("What was held of it is damaged; ask again.") from None


def ranges_of(held: Held, start: int, stop: int) -> list[tuple[int, int]]:
    """Which bytes of its unit are the bytes from `start` to `stop` of a representation: starts and stops."""
    if not isinstance(held, Derived):
        return [(start, stop)]
    found, at = [], 0
    for offset, length in held.ranges:
        low, high = max(start - at, 0), min(stop - at, length)
        if low < high:
            found.append((offset + low, offset + high))
        at += length
    return found


def boundary_of(resource: Resource, secret: bytes) -> str:
    """The same body for the same request, hit or miss: the boundary hangs on what is asked."""
    return boundary_for(resource.path.encode(), secret[:64])


def is_multipart(wanted: Sequence[Wish], media: str, syntax: str | None) -> bool:
    """Whether the representation chosen leaves in an envelope."""
    found = best(wanted, [(media, syntax)], lower_q=True)
    return (found[0] if found else wanted[0]).multipart


def mapped(fields: Fields, links: LinkMap) -> Fields:
    """The part fields for the client: type, length, coding, and a location that names us."""
    kept = fields.only(("content-type", "content-length", "content-encoding"))
    location = links.location(fields.get("content-location") or "")
    return kept.set("content-location", location) if location else kept


async def enveloped(parts: AsyncIterator[Part], boundary: str, change: Callable[[Fields], Fields]) -> Bytes:
    """The parts in one multipart body; `change` makes a part's fields the client's."""
    first = True
    async with closed(parts):
        async for part in parts:
            yield delimiter(boundary, change(part.fields), first)
            first = False
            async with closed(part.read()) as chunks:
                async for chunk in chunks:
                    yield chunk
    yield closing(boundary)


async def alone(parts: AsyncIterator[Part]) -> Bytes:
    """The only part, as it is; a second one cuts the body."""
    async with closed(parts):
        part = await anext(parts)
        async with closed(part.read()) as chunks:
            async for chunk in chunks:
                yield chunk
        async for _ in parts:
            raise Cut("The upstream sent several parts where one was asked for.")


async def after(first: T, rest: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """What was taken off the front, put back."""
    yield first
    async with closed(rest):
        async for item in rest:
            yield item


@asynccontextmanager
async def closed(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The same items; their generator, if they come from one, is closed with the block and not some time."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
