"""Names of PS3.10 parts: by what is in them (PS3.10 §7.1)."""

import logging
from collections.abc import Sequence

from edgerouter.cache.fill import Fill
from edgerouter.cache.listings import Member
from edgerouter.cache.unit import UnitKey, UnitKind
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import FACTS, native_pixels
from edgerouter.dicom.part10 import ROUTING_LIMIT, Header, read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicomweb.media import DICOM, Wish
from edgerouter.dicomweb.resource import Resource
from edgerouter.transactions.keeping import lawful, made_to_order
from edgerouter.transactions.naming import Label, instance_fields

logger = logging.getLogger(__name__)

STUDY_DATE = 0x00080020


class Instances:
    """Names PS3.10 parts by what is in them; `members` are those that were what was asked for."""

    def __init__(
        self, fill: Fill, upstream: str, base: str, resource: Resource, wanted: Sequence[Wish]
    ) -> None:
        self.validator = ""
        self.members: list[Member] = []
        self.unnamed = 0
        self.study_date = ""
        self._fill = fill
        self._upstream = upstream
        self._base = base
        self._resource = resource
        self._wishes = wanted
        self._label: Label | None = None
        self._head: bytearray | None = None
        self._wanted = 0
        self._size = 0
        self._key: UnitKey | None = None
        self._is_member = False
        self._table: FrameTable | None = None

    async def begin(self, label: Label) -> None:
        self._label, self._key, self._table, self._size = label, None, None, 0
        self._is_member = False
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
        key = self._key if self._is_member else None
        if key is None:
            self.unnamed += 1
        else:
            self.members.append((key.series, key.instance))
            key = None if made_to_order(key.syntax, self._wishes) else key
        # The validator of a series or study is none of its instances'.
        validator = self.validator if self._resource.instance else ""
        await self._fill.close_part(key, validator=validator, frame_table=self._frames())

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
        self._is_member = all(want in (None, got) for want, got in zip(asked, found, strict=True))
        if not self._is_member:
            logger.error("upstream %s sent an instance that was not asked for", self._upstream)
        return lawful(UnitKey(self._upstream, *found, UnitKind.INSTANCE, "", DICOM, header.syntax.uid))


def _header(head: bytes, *, complete: bool) -> Header:
    """All that is wanted of the head of a file, or where that is too much, its identity."""
    try:
        return read_header(head, (STUDY_DATE, *FACTS), complete=complete)
    except Part10Error:
        return read_header(head, (STUDY_DATE,), complete=complete)
