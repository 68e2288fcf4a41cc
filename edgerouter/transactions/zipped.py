"""Held instances as one zip archive (PS3.18 §8.6.1.3.2), its length known beforehand, any range of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import ZIP
from edgerouter.dicomweb.zip_archive import Layout, Slice, Writer, ZipError, instance_entry
from edgerouter.errors import Cut
from edgerouter.http.conditional import precondition
from edgerouter.http.reply import Reply
from edgerouter.transactions.hits import Label, hit_fields, in_range, opened, tag_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.jobs import unit_fields
from edgerouter.transactions.mending import Mender
from edgerouter.transactions.provisions import Provisions
from edgerouter.transactions.sending import HeldPart, closed


class ZipHit:
    """An answer in application/zip from units that are held, one entry each, in their order."""

    def __init__(
        self, provisions: Provisions, inbound: Inbound, units: Sequence[Held], mend: Mender, label: Label
    ) -> None:
        self._provisions = provisions
        self._inbound = inbound
        self._units = units
        self._mend = mend
        self._label = label

    async def reply(self, now: float) -> Reply | None:
        """The reply, None when the first unit turns out not to be there, or two have one name."""
        inbound, units = self._inbound, self._units
        etag = await tag_of("zip", units)
        fields = self._label.mark(hit_fields(inbound, units, etag, now), "derived")
        status = precondition(inbound.method, inbound.fields, etag)
        if status is not None:
            return Reply(status, fields, length=0)
        if await opened(self._provisions.cache, units[0]) is None:
            return None
        try:
            layout = await asyncio.to_thread(_layout, units)  # thousands of entries take a while
        except ZipError:
            return None

        def read(start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
            return self._body(layout, start, stop)

        return in_range(inbound, fields.set("content-type", ZIP), layout.size, etag, read)

    async def _body(self, layout: Layout, start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
        """Bytes of the archive; the study stays while it is being read."""
        first, crcs = self._units[0].key, self._provisions.crcs
        known = {
            index: crc
            for index, unit in enumerate(self._units)
            if (crc := crcs.get((unit.key, unit.stored_at))) is not None
        }
        writer = Writer(layout, start, stop, known)
        with self._provisions.cache.readers.reading(first.upstream, first.study):
            try:
                for step in writer.steps():
                    if not isinstance(step, Slice):
                        yield step
                        continue
                    async with closed(self._slice(writer, step)) as pieces:
                        async for piece in pieces:
                            yield piece
            except ZipError:
                raise Cut("What was held of it changed; ask again.") from None
        for index, crc in writer.crcs.items():
            unit = self._units[index]
            crcs.note((unit.key, unit.stored_at), crc)

    async def _slice(self, writer: Writer, step: Slice) -> AsyncGenerator[bytes, None]:
        """The bytes of an entry that are due, if they are to be sent."""
        held = self._units[step.entry]
        part = HeldPart(held, unit_fields(held, ""), self._provisions.cache, self._mend)
        async with closed(part.read(step.offset, step.offset + step.length)) as pieces:
            async for piece in pieces:
                writer.gather(piece)
                if step.sent:
                    yield piece


def _layout(units: Sequence[Held]) -> Layout:
    return Layout(instance_entry(unit.key.series, unit.key.instance, unit.size) for unit in units)
