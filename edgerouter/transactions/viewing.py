"""Held instances in Explicit VR Little Endian though they are held in another form (see dicom.explicit_view):
only the heads of elements are new, and made when they leave."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import Held
from edgerouter.cache.units import Damaged, Unit
from edgerouter.dicom import pieces
from edgerouter.dicom.explicit_view import VIEWED
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE
from edgerouter.errors import Cut
from edgerouter.parsing.describer import Describer
from edgerouter.parsing.worker import View
from edgerouter.transactions.derived import Derived
from edgerouter.transactions.inflating import inflated
from edgerouter.transactions.noted import Noted

_FLUSH = 64 << 10  # bytes that leave together
_FEW = 4096  # pieces of a view that is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed(Derived):
    """An instance as `views` can write it."""

    views: "Views"


class Views:
    """Which held instances can be written so, and how; the sizes of many and the last few views stay in
    memory."""

    def __init__(self, cache: Cache, describer: Describer) -> None:
        self._cache = cache
        self._describer = describer
        self._sizes: Noted[tuple[object, float], int] = Noted(100_000)  # 0 for what has no view
        self._views: Noted[tuple[object, float], View] = Noted(16)

    async def of(self, held: Sequence[Held]) -> Viewed | None:
        """The view of one of these representations of an instance, if one has one for certain."""
        for one in held:
            size = await self._size(one) if one.key.syntax in VIEWED else 0
            if size:
                key = replace(one.key, syntax=EXPLICIT_VR_LE)
                return Viewed(key, size, one.stored_at, one.header_at, unit=one, ranges=(), views=self)
        return None

    async def read(self, held: Viewed, unit: Unit, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `stop` of the view of an open unit. Raises Cut."""
        view = await self._view(held.unit, unit)
        if view is None or view.length != held.size:
            raise Cut("What was held of it changed; ask again.")
        parts = list(pieces.cut(view.pieces, start, stop))
        wanted = [(part[0], part[0] + part[1]) for part in parts if isinstance(part, tuple)]
        source = inflated(unit, view.inflate_at, wanted) if view.inflate_at else _plain(unit, wanted)
        out = bytearray()
        try:
            async with aclosing(source):
                for part in parts:
                    if isinstance(part, bytes):
                        out += part
                    else:
                        left = part[1]
                        while left:
                            chunk = await anext(source)
                            left -= len(chunk)
                            out += chunk
                            if len(out) >= _FLUSH:
                                yield bytes(out)
                                out.clear()
                    if len(out) >= _FLUSH:
                        yield bytes(out)
                        out.clear()
        except Damaged:
            raise Cut("What was held of it is damaged; ask again.") from None
        if out:
            yield bytes(out)

    async def _size(self, held: Held) -> int:
        name = (held.key, held.stored_at)
        size = self._sizes.get(name)
        if size is None:
            with self._cache.readers.reading(held.key.upstream, held.key.study):
                unit = await self._cache.units.get(held.key)
                if unit is None or unit.meta.stored_at != held.stored_at:
                    return 0
                try:
                    view = await self._view(held, unit)
                except (Damaged, OSError):
                    return 0
            size = view.length if view else 0
            self._sizes.note(name, size)
        return size

    async def _view(self, held: Held, unit: Unit) -> View | None:
        """How it is written, None when that is not certain. Raises OSError."""
        name = (held.key, held.stored_at)
        view = self._views.get(name)
        if view is None:
            await unit.verify_all()
            try:
                view = await self._describer.view(os.fsencode(unit.path))
            except Part10Error:
                return None
            if view and len(view.pieces) <= _FEW:
                self._views.note(name, view)
        return view


async def _plain(unit: Unit, ranges: Sequence[tuple[int, int]]) -> AsyncGenerator[bytes, None]:
    """The bytes of ascending (start, stop) ranges of a unit, none across two of them. Raises Damaged."""
    held, at = b"", 0  # bytes of the unit, and where they begin
    end = ranges[-1][1] if ranges else 0
    for start, stop in ranges:
        while start < stop:
            if not at <= start < at + len(held):
                held, at = await unit.piece(start, end), start
            chunk = held[start - at : stop - at]
            yield chunk
            start += len(chunk)
