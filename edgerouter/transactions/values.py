"""Bulk data values and documents inside held instances: where they stand, and as what they leave."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import transfer_syntax
from edgerouter.dicomweb.media import OCTETS, Wish, best
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE
from edgerouter.parsing.describer import Describer
from edgerouter.parsing.worker import Place
from edgerouter.transactions.derived import Derived
from edgerouter.transactions.describing import WORD
from edgerouter.transactions.noted import Noted

DOCUMENT = "00420011"  # Encapsulated Document
_PIXEL_DATA = "7FE00010"
_FEW = 64  # pieces of a place that is remembered

_Found = tuple[Place, str]  # where it stands, and its media type
_Find = Callable[[bytes], Awaitable[_Found | None]]


class Values:
    """Values of held instances, asked of the reading process; the last few places are remembered."""

    def __init__(self, cache: Cache, describer: Describer) -> None:
        self._cache = cache
        self._describer = describer
        self._known: Noted[tuple[object, float, str], _Found] = Noted(2048)

    async def value(self, held: Held, where: str, name: str) -> Derived | None:
        """The value at `where` (see dicom.describe.locate_bulk) of a held instance, as plain octets; `name`
        is the rendition's. None when nothing there is given by reference, or it cannot be read."""
        found = await self._located(held, where)
        return None if found is None else _cut(held, found, OCTETS, name, EXPLICIT_VR_LE)

    async def document(self, held: Held, name: str) -> Derived | None:
        """The encapsulated document of a held instance, as what it is and as long as it is; else None."""

        async def find(path: bytes) -> _Found | None:
            document = await self._describer.document(path)
            if document is None:
                return None
            return Place("OB", document.pieces, document.inflate_at), document.media

        found = await self._found(held, "document", find)
        return None if found is None else _cut(held, *found, name, "")

    async def stream(self, held: Sequence[Held], wanted: Sequence[Wish]) -> Derived | None:
        """The video that one of these representations of an instance is: its frames are not apart."""
        for one in held:
            syntax = transfer_syntax(one.key.syntax)
            if syntax.video and best(wanted, [(syntax.media, syntax.uid)]):
                found = await self._located(one, _PIXEL_DATA)
                if found is not None:
                    return _cut(one, found, syntax.media, f"{WORD}/{_PIXEL_DATA}", syntax.uid)
        return None

    async def _located(self, held: Held, where: str) -> Place | None:
        async def find(path: bytes) -> _Found | None:
            place = await self._describer.locate(path, where)
            return None if place is None else (place, OCTETS)

        found = await self._found(held, where, find)
        return found and found[0]

    async def _found(self, held: Held, what: str, find: _Find) -> _Found | None:
        """What `find` says of the file of a held instance, or said before; None when it cannot be read."""
        question = (held.key, held.stored_at, what)
        if (known := self._known.get(question)) is not None:
            return known
        with self._cache.readers.reading(held.key.upstream, held.key.study):
            unit = await self._cache.units.get(held.key)
            if unit is None or unit.meta.size != held.size:
                return None
            try:
                await unit.verify_all()
                found = await find(os.fsencode(unit.path))
            except (Part10Error, OSError):
                return None
        if found is not None and len(found[0].pieces) <= _FEW:
            self._known.note(question, found)
        return found


def _cut(held: Held, place: Place, media: str, name: str, syntax: str) -> Derived:
    key = replace(held.key, kind=UnitKind.RENDITION, which=name, media=media, syntax=syntax)
    size = sum(length for _, length in place.pieces)
    return Derived(
        key, size, held.stored_at, held.header_at, unit=held, ranges=place.pieces, inflate_at=place.inflate_at
    )
