"""Frames through the cache: held as they are, cut out of held instances, or fetched: where that is cheaper
for what comes next, by way of the instance."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from edgerouter.cache.follower import FollowedPart
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import FACTS, native_pixels, shape
from edgerouter.dicom.part10 import ROUTING_LIMIT, Header, read_header
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicomweb.media import DICOM, best, part_type
from edgerouter.dicomweb.resource import Kind
from edgerouter.errors import Received
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.assembly import Assembly, Mixture
from edgerouter.transactions.derived import cut_out
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.held import Found, LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.jobs import Job
from edgerouter.transactions.naming import frame_fields
from edgerouter.transactions.promotion import instance_wishes
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.sending import HeldPart, Part
from edgerouter.transactions.upstreams import Upstream


class FramesRetrieval:
    """See retrieval.Retrieval. With `promote` a missing frame of a single-frame instance brings that."""

    def __init__(self, request: Request, *, promote: bool) -> None:
        self._request = request
        self._promote = promote
        self._found: dict[str, Found] = {}

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await look_up.units(upstream, request.resource, request.names, request.wanted)
        self._found[upstream] = found
        request.forwarded[upstream] = found.forwarded
        return await request.hit(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        if self._promote and (reply := await self._promoted(archive)) is not None:
            return reply
        errand = request.errand(archive, request.resource)
        found = self._found.get(archive.name)
        units = [request.trusted(unit) for unit in found.units] if found else []
        try:
            return await self._mixed(errand, units, again=request.again)
        except Mixture:
            return await self._mixed(errand, [], again=False)

    async def _mixed(self, errand: Errand, units: Sequence[Held | None], *, again: bool) -> Reply:
        """The frames, from disk where there is a unit. Raises Mixture for what does not belong together."""
        request, numbers = self._request, self._request.resource.frames
        units = units or [None] * len(numbers)
        missing = [number for number, unit in zip(numbers, units, strict=True) if unit is None]
        jobs = request.provisions.flying.jobs(request.larder, errand, missing, again=again)
        sources = [
            (number, request.part(unit, errand.base) if unit else jobs[number])
            for number, unit in zip(numbers, units, strict=True)
        ]
        async with AsyncExitStack() as stack:
            stack.enter_context(request.reading(errand))
            frames = Assembly(sources, request.cache.fills, uniform=True)
            stack.push_async_callback(frames.aclose)
            follower = await frames.begin(max(missing))
            frames.check_order(follower, {number: number for number in missing})
            return await request.following(errand).parts(follower, frames.parts(), stack)

    async def _promoted(self, archive: Upstream) -> Reply | None:
        """The frame out of its instance while that arrives; None where the frame itself has to be fetched."""
        request = self._request
        resource = request.resource
        if not await request.provisions.shapes.may_promote(request.cache.catalog, archive.name, resource):
            return None
        instance = replace(resource, kind=Kind.DICOM, frames=())
        errand = request.errand(archive, instance, instance_wishes(request.wanted))
        under_way = request.provisions.bringing(archive.name, resource) if request.again else None
        job = under_way or Job(request.larder, errand, "", again=request.again)
        async with AsyncExitStack() as stack:
            follower = await stack.enter_async_context(request.cache.fills.join(job.key, job))
            try:
                frame = await self._frame(job, follower.parts(), errand.base)
            except Received:  # the frame itself may be had all the same, or why not is for it to say
                return None
            if frame is None:
                request.provisions.shapes.note(archive.name, resource.series or "")
                return None
            return await request.following(errand).parts(follower, _only(frame), stack)

    async def _frame(self, job: Job, parts: AsyncIterator[FollowedPart], base: str) -> Part | None:
        """The frame as a part, as soon as it is known where it stands; None when it cannot be had so.

        Raises errors.UpstreamError."""
        resource = self._request.resource
        member = (resource.series, resource.instance)
        place = 0
        async for part in parts:
            if job.brings(member, place, part):
                return await self._cut(part, base)
            place += 1
        return None

    async def _cut(self, part: FollowedPart, base: str) -> Part | None:
        media, _ = part_type(part.fields.get("content-type"))
        head, header = await _head_of(part) if media == DICOM else (b"", None)
        form = shape(header.raw) if header and header.pixels else None
        if header is None or header.pixels is None or form is None or form.frames != 1:
            return None
        table = None if header.syntax.deflated else native_pixels(header.pixels, header.syntax, header.raw)
        if table is None:
            return await self._cut_when_whole(part, base)
        key = self._key(table)
        if not self._satisfies(key):
            return None
        (offset, length), *_ = table.pieces(1)
        return _Cutting(part, _fields(key, base, length), offset, length, head)

    async def _cut_when_whole(self, part: FollowedPart, base: str) -> Part | None:
        """What is compressed is cut out when all of it is here: where it ends is not known before."""
        unit = await part.unit()
        if unit is None:
            return None
        held = Held(unit.key, unit.meta.size, unit.meta.stored_at)
        table = (await self._request.larder.look_up.tables.of(held)).table
        frame = cut_out(held, table, 1) if table and table.frames == 1 else None
        if frame is None or not self._satisfies(frame.key):
            return None
        request = self._request
        fields = _fields(frame.key, base, frame.size)
        return HeldPart(frame, fields, request.cache, request.mender(), unit)

    def _key(self, table: FrameTable) -> UnitKey:
        resource = self._request.resource
        place = (resource.study or "", resource.series or "", resource.instance or "")
        return UnitKey("-", *place, UnitKind.FRAME, "1", table.media, table.transfer_syntax)

    def _satisfies(self, key: UnitKey) -> bool:
        return best(self._request.wanted, [(key.media, key.syntax)]) is not None


@dataclass(frozen=True, slots=True)
class _Cutting:
    """A range of a part that is still arriving, of which `head` was read already: what passes through the
    router without being kept can be read but once."""

    part: FollowedPart
    fields: Fields
    offset: int
    length: int
    head: bytes

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        begin = self.offset + start
        end = self.offset + (self.length if stop is None else min(stop, self.length))
        if piece := self.head[begin:end]:
            yield piece
        begin = max(begin, len(self.head))
        async for piece in self.part.read(begin, max(begin, end)):
            yield piece


async def _head_of(part: FollowedPart) -> tuple[bytes, Header | None]:
    """The first bytes of an instance that is still arriving, and what they tell of its frames."""
    head = bytearray()
    wanted = 1024
    async for piece in part.read(0, ROUTING_LIMIT):
        head += piece
        if len(head) < wanted:
            continue
        try:
            return bytes(head), read_header(bytes(head), FACTS)
        except NeedMore as more:
            wanted = more.wanted
        except Part10Error:
            break
    return bytes(head), None


def _fields(key: UnitKey, base: str, length: int) -> Fields:
    """As of a held frame."""
    media, location = frame_fields(key, base)
    return Fields([media, ("content-length", str(length)), location])


async def _only(part: Part) -> AsyncIterator[Part]:
    yield part
