"""Replies made of parts, held or growing: the same envelope for both, so that a hit is what the miss was."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.follower import FollowedPart, Follower
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.cache.units import Damaged, Unit
from edgerouter.dicomweb.media import Wish, best, multipart_content_type, part_type
from edgerouter.dicomweb.multipart import boundary_for, closing, delimiter, envelope_length
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.ranges import ByteRange, Unsatisfiable, requested
from edgerouter.http.reply import Reply
from edgerouter.transactions.fetch import frame_fields, instance_fields
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import cache_status
from edgerouter.transactions.streams import OwnedBody

_PRIVATE = "private, max-age=300"


def unit_fields(resource: Resource, key: UnitKey) -> Fields:
    """The part fields of a held unit: what it had when it came."""
    if key.kind is UnitKind.FRAME:
        return frame_fields(resource, int(key.which), key.media, key.syntax)
    return instance_fields(key)


def located(fields: Fields, public: str) -> Fields:
    """The same with our own public location."""
    location = fields.get("content-location")
    return fields.set("content-location", public + location) if location else fields


def boundary_of(resource: Resource, secret: bytes) -> str:
    """The same body for the same request, hit or miss: the boundary hangs on what is asked."""
    return boundary_for(resource.path.encode(), secret[:64])


def is_multipart(wanted: Sequence[Wish], media: str, syntax: str | None) -> bool:
    """Whether the representation chosen leaves in an envelope."""
    found = best(wanted, [(media, syntax)], lower_q=True)
    return (found[0] if found else wanted[0]).multipart


def held_reply(
    inbound: Inbound, wanted: Sequence[Wish], units: Sequence[Held], cache: Cache, age: float
) -> Reply:
    """A hit: everything is known beforehand, so it has a length, a validator and, alone, ranges."""
    first = units[0].key
    multipart = is_multipart(wanted, first.media, first.syntax or None)
    etag = _etag(inbound, units, multipart)
    common = Fields(
        [
            ("etag", str(etag)),
            ("age", str(int(age))),
            ("cache-control", _PRIVATE),
            ("cache-status", cache_status(hit=True)),
            ("vary", "accept"),
        ]
    )
    status = precondition(inbound.method, inbound.fields, etag)
    if status is not None:
        return Reply(status, common, length=0)
    if multipart:
        return _held_parts(inbound, units, cache, common)
    return _held_alone(inbound, units[0], cache, common, etag)


def _etag(inbound: Inbound, units: Sequence[Held], multipart: bool) -> ETag:
    """Strong: a unit kept at one moment has one content; the envelope also names our public base."""
    digest = sha256(inbound.public.encode() if multipart else b"")
    for unit in units:
        digest.update(f"\n{unit.key.text}\n{unit.size}\n{unit.stored_at}".encode())
    return ETag(digest.hexdigest()[:32])


def _held_parts(inbound: Inbound, units: Sequence[Held], cache: Cache, fields: Fields) -> Reply:
    boundary = boundary_of(inbound.resource, cache.secret)
    heads = [located(unit_fields(inbound.resource, unit.key), inbound.public) for unit in units]
    parts = list(zip(heads, units, strict=True))

    async def body() -> AsyncGenerator[bytes, None]:
        for place, (head, held) in enumerate(parts):
            async with cache.units.open(held.key) as unit:
                if unit is None or unit.meta.size != held.size:
                    raise Cut("What is held of it was damaged or went away meanwhile.")
                yield delimiter(boundary, head, place == 0)
                async for piece in _pieces(unit, 0, held.size):
                    yield piece
        yield closing(boundary)

    length = envelope_length(boundary, [(head, unit.size) for head, unit in parts])
    media = multipart_content_type(units[0].key.media, boundary)
    return Reply(200, fields.set("content-type", media), body(), length=length)


def _held_alone(inbound: Inbound, held: Held, cache: Cache, fields: Fields, etag: ETag) -> Reply:
    media = unit_fields(inbound.resource, held.key).get("content-type") or held.key.media
    wanted = requested(inbound.method, inbound.fields, held.size, etag)
    fields = fields.set("content-type", media).set("accept-ranges", "bytes")
    if isinstance(wanted, Unsatisfiable):
        return Reply(416, fields.set("content-range", wanted.content_range), length=0)
    part = wanted or ByteRange(0, held.size, held.size)

    async def body() -> AsyncGenerator[bytes, None]:
        async with cache.units.open(held.key, part.start) as unit:
            if unit is None:
                raise Cut("What is held of it was damaged or went away meanwhile.")
            async for piece in _pieces(unit, part.start, part.stop):
                yield piece

    if wanted is not None:
        fields = fields.set("content-range", wanted.content_range)
    return Reply(206 if wanted else 200, fields, body(), length=part.stop - part.start)


async def _pieces(unit: Unit, start: int, stop: int) -> AsyncIterator[bytes]:
    try:
        async for piece in unit.read(start, stop):
            yield piece
    except Damaged as error:
        raise Cut("What is held of it is damaged; ask again.") from error


async def followed_reply(
    inbound: Inbound, wanted: Sequence[Wish], follower: Follower, stack: AsyncExitStack, cache: Cache
) -> Reply:
    """A miss: the parts of a fill as they come. Waits for the first part, so that an upstream which fails
    before it is an error and not a cut. Raises errors.UpstreamError."""
    head = await follower.head()
    parts = follower.parts()
    first = await anext(parts, None)
    if first is None:
        raise ProtocolError("The upstream's answer holds no part.")
    status = cache_status(hit=False, collapsed=follower.collapsed, stored=follower.stored)
    fields = Fields([("cache-control", _PRIVATE), ("cache-status", status), ("vary", "accept")])
    media, syntax = part_type(first.fields.get("content-type"))
    if is_multipart(wanted, media, syntax):
        boundary = boundary_of(inbound.resource, cache.secret)
        fields = fields.set("content-type", multipart_content_type(media, boundary))
        body = _enveloped(first, parts, boundary, inbound.public)
        return Reply(head.status, fields, OwnedBody(body, stack.pop_all()))
    fields = fields.set("content-type", first.fields.get("content-type") or media)
    return Reply(head.status, fields, OwnedBody(_alone(first, parts), stack.pop_all()), length=first.length)


async def _enveloped(
    first: FollowedPart, parts: AsyncIterator[FollowedPart], boundary: str, public: str
) -> AsyncGenerator[bytes, None]:
    yield delimiter(boundary, located(first.fields, public), True)
    async for chunk in first.read():
        yield chunk
    async for part in parts:
        yield delimiter(boundary, located(part.fields, public), False)
        async for chunk in part.read():
            yield chunk
    yield closing(boundary)


async def _alone(first: FollowedPart, parts: AsyncIterator[FollowedPart]) -> AsyncGenerator[bytes, None]:
    async for chunk in first.read():
        yield chunk
    async for _ in parts:
        raise Cut("The upstream sent several parts where one was asked for.")
