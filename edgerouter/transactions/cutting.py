"""Frames out of an instance that is still arriving: plain samples as ranges of its bytes, as soon as its head
tells where they will stand; what is compressed when all of it is here, since nobody said where it ends."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from edgerouter.cache.follower import FollowedPart
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import FACTS, native_pixels, shape
from edgerouter.dicom.part10 import Header, read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicomweb.media import DICOM, best, part_type
from edgerouter.http.fields import Fields
from edgerouter.transactions.derived import cut_out
from edgerouter.transactions.naming import frame_fields
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.sending import HeldPart, Part

HEAD = 1 << 20  # bytes in which the pixels have to begin
STEP = 4096  # bytes more for which they are looked for again
SOON = 4 << 20  # bytes still to come for which a frame of a large instance is waited for


class Cutter:
    """Cuts the frames that a request wants out of its instance; `base` is whose location they have.

    `alone`: the instance is fetched for their sake, which is worth it only where it has no other frame."""

    def __init__(self, request: Request, base: str, *, alone: bool) -> None:
        self._request = request
        self._base = base
        self._alone = alone
        self._numbers = request.resource.frames

    async def frames(self, part: FollowedPart) -> list[Part]:
        """The frames as parts, in the order asked; none when they are not to be had so, or sooner otherwise.

        Raises errors.UpstreamError."""
        media, _ = part_type(part.fields.get("content-type"))
        head, header = await _head_of(part) if media == DICOM else (b"", None)
        if header is None or not self._is_asked_for(header):
            return []
        form = shape(header.raw) if header.pixels else None
        if header.pixels is None or form is None:
            return []
        if max(self._numbers) > form.frames or (self._alone and form.frames > 1):
            return []
        table = None if header.syntax.deflated else native_pixels(header.pixels, header.syntax, header.raw)
        if table is not None:
            return self._ranges(part, table, head)
        return await self._when_whole(part) if form.frames == 1 else []

    def _is_asked_for(self, header: Header) -> bool:
        """An archive that sends another instance than the one asked for must not have its frames pass for
        those of this one: they could be another patient's."""
        resource = self._request.resource
        try:
            return header.identity == (resource.study, resource.series, resource.instance)
        except Part10Error:
            return False

    def _ranges(self, part: FollowedPart, table: FrameTable, head: bytes) -> list[Part]:
        key = self._key(table)
        ascending = all(low < high for low, high in zip(self._numbers, self._numbers[1:], strict=False))
        if best(self._request.wanted, [(key.media, key.syntax)]) is None or not ascending:
            return []
        pieces = [table.pieces(number)[0] for number in self._numbers]
        offset, length = pieces[0]
        if not self._alone and offset + length > part.here + SOON:
            return []
        return [
            _Range(
                part,
                _fields(self._key(table, number), self._base, length),
                offset,
                length,
                head,
                through=self._alone,
            )
            for number, (offset, length) in zip(self._numbers, pieces, strict=True)
        ]

    async def _when_whole(self, part: FollowedPart) -> list[Part]:
        request = self._request
        unit = await part.unit()
        if unit is None:
            return []
        held = Held(unit.key, unit.meta.size, unit.meta.stored_at)
        table = (await request.larder.look_up.tables.of(held)).table
        frame = cut_out(held, table, 1) if table and table.frames == 1 else None
        if frame is None or best(request.wanted, [(frame.key.media, frame.key.syntax)]) is None:
            return []
        fields = _fields(frame.key, self._base, frame.size)
        return [HeldPart(frame, fields, request.cache, request.mender(), unit) for _ in self._numbers]

    def _key(self, table: FrameTable, number: int = 1) -> UnitKey:
        place = self._request.resource.place
        return UnitKey("-", *place, UnitKind.FRAME, str(number), table.media, table.transfer_syntax)


@dataclass(frozen=True, slots=True)
class _Range:
    """A range of a part that is still arriving, of which `head` was read already: what passes through the
    router without being kept can be read but once.

    `through`: what is behind the range is waited for, a few bytes and the end mark. An instance that was
    fetched for the sake of its frame is whole then, and is not given up when its only reader goes."""

    part: FollowedPart
    fields: Fields
    offset: int
    length: int
    head: bytes
    through: bool

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        begin = self.offset + start
        end = self.offset + (self.length if stop is None else min(stop, self.length))
        if piece := self.head[begin:end]:
            yield piece
        begin = max(begin, len(self.head))
        async for piece in self.part.read(begin, max(begin, end)):
            yield piece
        if self.through:
            async for _ in self.part.read(max(begin, end)):
                pass


async def _head_of(part: FollowedPart) -> tuple[bytes, Header | None]:
    """The first bytes of an instance that is still arriving, and what they tell of its frames."""
    head, wanted, header = bytearray(), 0, None
    try:
        async for piece in part.read(0, HEAD):
            head += piece
            if len(head) >= wanted:
                try:
                    header = read_header(bytes(head), FACTS, limit=HEAD)
                    break
                except NeedMore as more:
                    wanted = max(more.wanted, len(head) + STEP)
        else:
            header = read_header(bytes(head), FACTS, limit=HEAD, complete=True)
    except Part10Error:
        pass  # the archive may know better what it holds: it is asked for the frames
    return bytes(head), header


def _fields(key: UnitKey, base: str, length: int) -> Fields:
    """As of a held frame."""
    media, location = frame_fields(key, base)
    return Fields([media, ("content-length", str(length)), location])


async def each(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        yield part
