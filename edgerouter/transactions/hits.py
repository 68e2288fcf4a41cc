"""Hits: everything is known beforehand, so they have a length, a validator and, where one thing leaves alone,
ranges."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.cache.units import Unit
from edgerouter.dicomweb import query
from edgerouter.dicomweb.media import Wish, multipart_content_type
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
        self._multipart = is_multipart(wanted, first.media, first.syntax or None)

    async def reply(self, now: float) -> Reply | None:
        """The reply, None when the first unit turns out not to be there: in doubt it is a miss (law 2)."""
        etag = await self._etag()
        age = max(0.0, now - min(max(unit.stored_at, unit.header_at) for unit in self._units))
        fields = Fields(
            [
                ("etag", str(etag)),
                ("age", str(int(age))),
                ("cache-control", cache_control(self._inbound)),
                ("vary", "accept"),
            ]
        )
        derived = any(isinstance(unit, Derived) for unit in self._units)
        fields = self._label.mark(fields, "derived" if derived else "")
        status = precondition(self._inbound.method, self._inbound.fields, etag)
        if status is not None:
            return Reply(status, fields, length=0)
        first = unit_of(self._units[0])
        unit = await self._cache.units.get(first.key)
        if unit is None or unit.meta.size != first.size:
            return None
        if self._multipart:
            return await self._parts(unit, fields)
        return self._alone(unit, fields, etag)

    async def _etag(self) -> ETag:
        """Strong: a unit kept at one moment has one content; an envelope also holds our public base."""
        digest = sha256(self._inbound.public.encode() if self._multipart else b"")
        for number, unit in enumerate(self._units, 1):
            digest.update(f"\n{unit.key.text}\n{unit.size}\n{unit.stored_at}".encode())
            if number % _STEP == 0:
                await asyncio.sleep(0)
        return ETag(digest.hexdigest()[:32])

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
        wanted = requested(self._inbound.method, self._inbound.fields, held.size, etag)
        fields = fields.set("content-type", part.fields.get("content-type") or held.key.media)
        fields = fields.set("accept-ranges", "bytes")
        if isinstance(wanted, Unsatisfiable):
            return Reply(416, fields.set("content-range", wanted.content_range), length=0)
        if wanted is None:
            return Reply(200, fields, part.read(), length=held.size)
        fields = fields.set("content-range", wanted.content_range)
        return Reply(206, fields, part.read(wanted.start, wanted.stop), length=wanted.length)

    def _fields(self, held: Held, unit: Unit) -> Fields:
        fields = unit_fields(held, self._inbound.public)
        if held.key.kind is not UnitKind.RENDITION:
            return fields
        own = Fields(unit.meta.fields).only(("content-type",))
        return Fields([*own, *fields, ("content-location", location_of(self._inbound))])


def location_of(inbound: Inbound) -> str:
    """The URL of what is asked, as metadata spells it: the choice of a representation is no part of it."""
    asked = query.clean(inbound.query, drop=("accept",))
    return f"{inbound.public}{inbound.resource.path}" + (f"?{asked}" if asked else "")
