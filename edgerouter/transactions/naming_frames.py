"""Names of frames by their order, and of what stands alone by what was asked for."""

import re
from collections.abc import Sequence
from urllib.parse import urljoin

from edgerouter.cache.fill import Fill
from edgerouter.cache.unit import UnitKey, UnitKind
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut
from edgerouter.transactions.keeping import lawful, made_to_order, syntax_of
from edgerouter.transactions.naming import Label, frame_fields

_LOCATED = re.compile(r"(?:/instances/([0-9.]{1,64}))?/frames/([0-9]{1,9})\Z")


class Frames:
    """Names frames by their order, one part for each number asked (PS3.18 §10.4.3.3.5), and checks the order
    where the parts have locations. Of several without locations none is kept: one might have been left out.
    """

    def __init__(
        self, fill: Fill, upstream: str, base: str, resource: Resource, wanted: Sequence[Wish]
    ) -> None:
        self.validator = ""
        self.unlocated = False
        self._fill = fill
        self._upstream = upstream
        self._base = base
        self._here = base + resource.path
        self._resource = resource
        self._wanted = wanted
        self._next = 0
        self._key: UnitKey | None = None

    async def begin(self, label: Label) -> None:
        numbers = self._resource.frames
        if self._next == len(numbers):
            raise Cut("The upstream sent more frames than were asked for.", upstream=self._upstream)
        number = numbers[self._next]
        self._next += 1
        located = self._check(label, number)
        syntax = syntax_of(label.media, label.syntax, self._wanted)
        sure = label.is_plain and syntax is not None and (located or len(numbers) == 1)
        key = self._key = self._named(number, label.media, syntax or "") if sure else None
        fields = frame_fields(key, self._base) if key else label.as_it_came
        await self._fill.open_part(label.sized(fields), label.length)

    async def data(self, chunk: bytes) -> None:
        await self._fill.write(chunk)

    async def end(self) -> None:
        key = self._key
        made = bool(key and made_to_order(key.media, key.syntax, self._wanted))
        await self._fill.close_part(key, made=made)

    async def finish(self) -> None:
        if self._next < len(self._resource.frames):
            raise Cut("The upstream sent fewer frames than were asked for.", upstream=self._upstream)

    def _check(self, label: Label, number: int) -> bool:
        """Whether the part says which frame it is; raises Cut when it says another."""
        said = _LOCATED.search(_resolved(label.fields.get("content-location") or "", self._here))
        if said is None:
            self.unlocated = True
            return False
        if int(said[2]) != number or said[1] not in (None, self._resource.instance):
            raise Cut("The upstream sent another frame than the one asked for.", upstream=self._upstream)
        return True

    def _named(self, number: int, media: str, syntax: str) -> UnitKey | None:
        place = self._resource.place
        return lawful(UnitKey(self._upstream, *place, UnitKind.FRAME, str(number), media, syntax))


class Rendition:
    """Names what stands alone; several parts are not one thing, and none of them is kept."""

    def __init__(
        self, fill: Fill, upstream: str, resource: Resource, name: str, wanted: Sequence[Wish]
    ) -> None:
        self.validator = ""
        self._fill = fill
        self._wanted = wanted
        self._upstream = upstream
        self._resource = resource
        self._name = name
        self._key: UnitKey | None = None
        self._parts = 0

    async def begin(self, label: Label) -> None:
        if self._parts:
            await self._fill.close_part(None)
        self._parts += 1
        self._key = self._named(label) if label.is_plain else None
        await self._fill.open_part(label.sized(label.as_it_came), label.length)

    async def data(self, chunk: bytes) -> None:
        await self._fill.write(chunk)

    async def end(self) -> None:
        """Closed when the next begins, or the answer ends: only then it is known whether it is alone."""

    async def finish(self) -> None:
        if self._parts:
            key = self._key if self._parts == 1 else None
            made = bool(key and key.syntax and made_to_order(key.media, key.syntax, self._wanted))
            await self._fill.close_part(key, validator=self.validator, made=made)

    def _named(self, label: Label) -> UnitKey | None:
        place, kind = self._resource.place, UnitKind.RENDITION
        return lawful(UnitKey(self._upstream, *place, kind, self._name, label.media, label.syntax or ""))


def _resolved(location: str, here: str) -> str:
    """An absolute URL, as far as it can be made one."""
    try:
        return urljoin(here, location) if location else ""
    except ValueError:
        return ""
