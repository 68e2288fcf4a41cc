"""Hits: everything is known beforehand, so they have a length, a validator and, where one thing leaves alone,
ranges."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.cache.units import Unit
from edgerouter.dicomweb import query
from edgerouter.dicomweb.media import Wish, multipart_content_type, part_content_type
from edgerouter.dicomweb.multipart import envelope_length
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.ranges import Unsatisfiable, requested
from edgerouter.http.reply import Reply
from edgerouter.transactions.derived import Derived, unit_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.jobs import unit_fields
from edgerouter.transactions.keeping import own_status
from edgerouter.transactions.sending import HeldPart, Mend, boundary_of, enveloped, is_multipart
from edgerouter.transactions.viewing import Viewed

_STEP = 256  # parts looked at before others have their turn


def cache_control(inbound: Inbound) -> str:
    """What the client itself may keep: a study or series may grow at any time, its parts hardly change."""
    resource = inbound.resource
    growing = resource.kind is Kind.DICOM and resource.level is not Level.INSTANCE
    return "private, no-cache" if growing else "private, max-age=300"


@dataclass(frozen=True, slots=True)
class Label:
    """How an answer from what is held is called in Cache-Status (RFC 9211 §2), and a warning with it."""

    status: str = "hit"
    detail: str = ""
    warning: str = ""

    def mark(self, fields: Fields, detail: str = "") -> Fields:
        """The fields with it; `detail` where it has none."""
        fields = fields.set("cache-status", own_status(self.status, self.detail or detail))
        return fields.add("warning", self.warning) if self.warning else fields


FRESH = Label()
VALIDATED = Label("fwd=stale", "validated")  # the upstream said that what is held is still right


async def tag_of(seed: str, units: Sequence[Held]) -> ETag:
    """Strong: a unit kept at one moment has one content; `seed` is what else the bytes hang on, as our
    public base, which an envelope holds."""
    digest = sha256(seed.encode())
    for number, unit in enumerate(units, 1):
        said = f"\n{unit.key.text}\n{unit.size}\n{unit.stored_at}"
        digest.update(f"{said}\nviewed".encode() if isinstance(unit, Viewed) else said.encode())
        if number % _STEP == 0:
            await asyncio.sleep(0)
    return ETag(digest.hexdigest()[:32])


def hit_fields(inbound: Inbound, units: Sequence[Held], etag: ETag, now: float) -> Fields:
    """What every answer made of units says of itself: as old as the oldest of them."""
    age = max(0.0, now - min(max(unit.stored_at, unit.header_at) for unit in units))
    return Fields(
        [
            ("etag", str(etag)),
            ("age", str(int(age))),
            ("cache-control", cache_control(inbound)),
            ("vary", "accept"),
        ]
    )


async def opened(cache: Cache, held: Held) -> Unit | None:
    """The unit that a representation is of, unless it is not there, or another by now."""
    whole = unit_of(held)
    unit = await cache.units.get(whole.key)
    return unit if unit is not None and unit.meta.size == whole.size else None


def in_range(
    inbound: Inbound,
    fields: Fields,
    size: int,
    etag: ETag,
    read: Callable[[int, int | None], AsyncIterator[bytes]],
) -> Reply:
    """What leaves alone, or the range of it that is asked for; `read` gives the bytes of one."""
    fields = fields.set("accept-ranges", "bytes")
    wanted = requested(inbound.method, inbound.fields, size, etag)
    if isinstance(wanted, Unsatisfiable):
        return Reply(416, fields.set("content-range", wanted.content_range), length=0)
    if wanted is None:
        return Reply(200, fields, read(0, None), length=size)
    fields = fields.set("content-range", wanted.content_range)
    return Reply(206, fields, read(wanted.start, wanted.stop), length=wanted.length)


class Hit:
    """An answer from units that are held; `units` are all of it, in its order."""

    def __init__(
        self,
        inbound: Inbound,
        wanted: Sequence[Wish],
        units: Sequence[Held],
        cache: Cache,
        mend: Mend,
        label: Label = FRESH,
    ) -> None:
        first = units[0].key
        self._inbound = inbound
        self._units = units
        self._cache = cache
        self._mend = mend
        self._label = label
        self._multipart = len(units) > 1 or is_multipart(wanted, first.media, first.syntax or None)

    async def reply(self, now: float) -> Reply | None:
        """The reply, None when the first unit turns out not to be there: in doubt it is a miss (law 2)."""
        etag = await tag_of(self._inbound.public if self._multipart else "", self._units)
        derived = any(isinstance(unit, Derived) for unit in self._units)
        fields = hit_fields(self._inbound, self._units, etag, now)
        fields = self._label.mark(fields, "derived" if derived else "")
        status = precondition(self._inbound.method, self._inbound.fields, etag)
        if status is not None:
            return Reply(status, fields, length=0)
        unit = await opened(self._cache, self._units[0])
        if unit is None:
            return None
        if self._multipart:
            return await self._parts(unit, fields)
        return self._alone(unit, fields, etag)

    async def _parts(self, unit: Unit, fields: Fields) -> Reply:
        boundary = boundary_of(self._inbound.resource, self._cache.secret)
        length = envelope_length(boundary, [])
        for at in range(0, len(self._units), _STEP):
            some = [(self._fields(held, unit), held.size) for held in self._units[at : at + _STEP]]
            # Only the very first delimiter lacks its line break.
            length += envelope_length(boundary, some) - envelope_length(boundary, []) + (2 if at else 0)
            await asyncio.sleep(0)
        media = multipart_content_type(self._units[0].key.media, boundary)
        body = enveloped(self._held_parts(unit), boundary, lambda fields: fields)
        return Reply(200, fields.set("content-type", media), body, length=length)

    async def _held_parts(self, unit: Unit) -> AsyncGenerator[HeldPart, None]:
        """Every part; the study stays while it is being read."""
        key = self._units[0].key
        with self._cache.readers.reading(key.upstream, key.study):
            first = unit_of(self._units[0]).key
            for held in self._units:
                opened = unit if unit_of(held).key == first else None
                yield HeldPart(held, self._fields(held, unit), self._cache, self._mend, opened)

    def _alone(self, unit: Unit, fields: Fields, etag: ETag) -> Reply:
        held = self._units[0]
        part = HeldPart(held, self._fields(held, unit), self._cache, self._mend, unit)
        fields = fields.set("content-type", part.fields.get("content-type") or held.key.media)
        return in_range(self._inbound, fields, held.size, etag, part.read)

    def _fields(self, held: Held, unit: Unit) -> Fields:
        fields = unit_fields(held, self._inbound.public)
        if held.key.kind is not UnitKind.RENDITION:
            return fields
        if isinstance(held, Derived):
            return derived_fields(held, self._inbound.public)
        own = Fields(unit.meta.fields).only(("content-type",))
        return Fields([*own, *fields, ("content-location", location_of(self._inbound))])


def derived_fields(held: Derived, base: str) -> Fields:
    """The part fields of a value that is cut out of an instance; `base` is whose location it has."""
    key = held.key
    media = part_content_type(key.media, key.syntax or None)
    location = f"{base}/studies/{key.study}/series/{key.series}/instances/{key.instance}/{key.which}"
    return Fields(
        [("content-type", media), ("content-length", str(held.size)), ("content-location", location)]
    )


def location_of(inbound: Inbound) -> str:
    """The URL of what is asked, as metadata spells it: the choice of a representation is no part of it."""
    asked = query.clean(inbound.query, drop=("accept",))
    return f"{inbound.public}{inbound.resource.path}" + (f"?{asked}" if asked else "")
