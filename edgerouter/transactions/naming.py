"""What the parts of an upstream's answer are: each is named by what it says of itself, never by the request
alone, and becomes a unit only when its end was seen and it is what was asked for (law 3).

A part that is not what was asked for is passed on, since the client would have got it from the archive, too;
it is never kept."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin

from edgerouter.cache.fill import Fill
from edgerouter.cache.listings import Member
from edgerouter.cache.unit import UnitKey, UnitKind
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import FACTS, native_pixels
from edgerouter.dicom.part10 import ROUTING_LIMIT, Header, read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicomweb.media import DICOM, Wish, part_content_type
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.transactions.keeping import lawful, syntax_of

logger = logging.getLogger(__name__)

STUDY_DATE = 0x00080020
_LOCATED = re.compile(r"(?:/instances/([0-9.]{1,64}))?/frames/([0-9]{1,9})\Z")
_KEPT = ("content-type", "content-encoding", "content-location")


@dataclass(frozen=True, slots=True)
class Label:
    """What a part says of itself before its bytes: fields as they came, canonical media type, the transfer
    syntax if one is named, and how many bytes it is to have, if that is said."""

    fields: Fields
    media: str
    syntax: str | None
    length: int | None

    @property
    def is_plain(self) -> bool:
        """Whether its bytes are those of the media type; coded ones are passed on as they are."""
        return (self.fields.get("content-encoding") or "identity").lower() == "identity"

    @property
    def as_it_came(self) -> Fields:
        """The fields of a part that gets none of ours."""
        fields = self.fields.only(_KEPT)
        label = part_content_type(self.media, self.syntax)
        return fields if "content-type" in fields else fields.set("content-type", label)

    def sized(self, fields: Fields) -> Fields:
        """The same with the length that was said: then every reader is told the same, early or late."""
        return fields if self.length is None else fields.set("content-length", str(self.length))


class Namer(Protocol):
    """Hands the parts of one answer to a fill, one after the other, with their names. `validator` is the
    answer's own, "" without one."""

    validator: str

    async def begin(self, label: Label) -> None: ...

    async def data(self, chunk: bytes) -> None: ...

    async def end(self) -> None:
        """The part's end was seen."""

    async def finish(self) -> None:
        """The answer is whole. Raises Cut when it is not what was asked for all the same."""


class Instances:
    """Names PS3.10 parts by what is in them; `members` are those that were what was asked for."""

    def __init__(self, fill: Fill, upstream: str, base: str, resource: Resource) -> None:
        self.validator = ""
        self.members: list[Member] = []
        self.unnamed = 0
        self.study_date = ""
        self._fill = fill
        self._upstream = upstream
        self._base = base
        self._resource = resource
        self._label: Label | None = None
        self._head: bytearray | None = None
        self._wanted = 0
        self._size = 0
        self._key: UnitKey | None = None
        self._table: FrameTable | None = None

    async def begin(self, label: Label) -> None:
        self._label, self._key, self._table, self._size = label, None, None, 0
        if label.media == DICOM and label.is_plain:
            self._head, self._wanted = bytearray(), 0
        else:
            await self._open(None)

    async def data(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._head is None:
            await self._fill.write(chunk)
            return
        self._head += chunk
        if len(self._head) >= self._wanted:
            await self._look(complete=False)

    async def end(self) -> None:
        if self._head is not None:
            await self._look(complete=True)
        if self._key is None:
            self.unnamed += 1
        else:
            self.members.append((self._key.series, self._key.instance))
        # The validator of a series or study is none of its instances'.
        validator = self.validator if self._resource.instance else ""
        await self._fill.close_part(self._key, validator=validator, frame_table=self._frames())

    async def finish(self) -> None:
        """What came is what there is."""

    def _frames(self) -> bytes:
        """The frame table, where the head of the file tells all of it: plain samples up to its end."""
        table = self._table
        if table is None or not table.end <= self._size <= table.end + 1:
            return b""
        return table.to_bytes()

    async def _look(self, *, complete: bool) -> None:
        """Open the part as soon as its head tells its name."""
        try:
            header = _header(bytes(self._head or b""), complete=complete)
        except NeedMore as more:
            self._wanted = min(more.wanted, ROUTING_LIMIT)
            return
        except Part10Error as error:
            logger.warning("upstream %s: an instance cannot be named: %s", self._upstream, error.reason)
            header = None
        await self._open(header)

    async def _open(self, header: Header | None) -> None:
        assert self._label is not None
        key = self._key = self._named(header) if header else None
        if key and header:
            self.study_date = self.study_date or header.first(STUDY_DATE)
            if header.pixels and not header.syntax.deflated:
                self._table = native_pixels(header.pixels, header.syntax, header.raw)
        fields = instance_fields(key, self._base) if key else self._label.as_it_came
        await self._fill.open_part(self._label.sized(fields), self._label.length)
        head, self._head = bytes(self._head or b""), None
        if head:
            await self._fill.write(head)

    def _named(self, header: Header) -> UnitKey | None:
        try:
            found = header.identity
        except Part10Error:
            return None
        asked = (self._resource.study, self._resource.series, self._resource.instance)
        if any(want and want != got for want, got in zip(asked, found, strict=True)):
            logger.error("upstream %s sent an instance that was not asked for", self._upstream)
            return None
        return lawful(UnitKey(self._upstream, *found, UnitKind.INSTANCE, "", DICOM, header.syntax.uid))


def _header(head: bytes, *, complete: bool) -> Header:
    """All that is wanted of the head of a file, or where that is too much, its identity."""
    try:
        return read_header(head, (STUDY_DATE, *FACTS), complete=complete)
    except Part10Error:
        return read_header(head, (STUDY_DATE,), complete=complete)


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
        await self._fill.close_part(self._key)

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
        resource = self._resource
        place = (resource.study or "", resource.series or "", resource.instance or "")
        return lawful(UnitKey(self._upstream, *place, UnitKind.FRAME, str(number), media, syntax))


class Rendition:
    """Names what stands alone; several parts are not one thing, and none of them is kept."""

    def __init__(self, fill: Fill, upstream: str, resource: Resource, name: str) -> None:
        self.validator = ""
        self._fill = fill
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
            await self._fill.close_part(self._key if self._parts == 1 else None, validator=self.validator)

    def _named(self, label: Label) -> UnitKey | None:
        resource = self._resource
        place = (resource.study or "", resource.series or "", resource.instance or "")
        kind = UnitKind.RENDITION
        return lawful(UnitKey(self._upstream, *place, kind, self._name, label.media, label.syntax or ""))


def _resolved(location: str, here: str) -> str:
    """An absolute URL, as far as it can be made one."""
    try:
        return urljoin(here, location) if location else ""
    except ValueError:
        return ""


def instance_fields(key: UnitKey, base: str) -> Fields:
    """The part fields of an instance: its own transfer syntax, its location below the DICOMweb root."""
    location = f"{base}/studies/{key.study}/series/{key.series}/instances/{key.instance}"
    return Fields([("content-type", part_content_type(DICOM, key.syntax)), ("content-location", location)])


def frame_fields(key: UnitKey, base: str) -> Fields:
    """The part fields of a frame, its location below the DICOMweb root."""
    instance = f"{base}/studies/{key.study}/series/{key.series}/instances/{key.instance}"
    media = part_content_type(key.media, key.syntax)
    return Fields([("content-type", media), ("content-location", f"{instance}/frames/{key.which}")])
