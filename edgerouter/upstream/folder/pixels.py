"""Pixel data from a folder (PS3.18 §10.4): frames as they stand in their files, found by frame tables."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.syntaxes import transfer_syntax
from edgerouter.dicomweb.media import Wish, part_content_type
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import NotAcceptable, NotFound
from edgerouter.upstream.folder.answer import FolderAnswer
from edgerouter.upstream.folder.fit import fitting
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Index, Member
from edgerouter.upstream.folder.parts import Part, multipart, single, streamed
from edgerouter.upstream.seam import Outbound

PIXEL_DATA = "7FE00010"
_TABLES = 8
_NO_PIXELS = "There are no pixels."
_UNDIVIDED = "The frames cannot be had without a codec, or not be told apart."


class Images(NamedTuple):
    """All pixel data of an instance: the Content-Type of its parts, and the parts."""

    content_type: str
    parts: Iterable[Part]


class Pixels:
    """Frames of one folder's instances; it remembers the frame tables used last."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._tables: OrderedDict[tuple[int, str], FrameTable | None] = OrderedDict()

    async def frames(
        self, outbound: Outbound, member: Member, numbers: Sequence[int], wanted: Sequence[Wish]
    ) -> FolderAnswer:
        """The frames of these numbers, in this order, each as often as it was named.

        Raises NotFound for a number beyond the last, NotAcceptable for what would need a codec."""
        table = await self.table(member)
        if table is None:
            raise NotAcceptable(_UNDIVIDED) if member.has_pixels else NotFound(_NO_PIXELS)
        if max(numbers) > table.frames:
            raise NotFound(f"The number of frames is {table.frames}.")
        wish = fitting(wanted, table.media, table.transfer_syntax)
        if wish is None:
            raise NotAcceptable(f"The frames are {_content_type(table)}, and are not transcoded.")
        parts = [self._frame(member, table, number) for number in numbers]
        if len(parts) == 1 and not wish.multipart:
            return single(outbound, parts[0], self._holdings)
        return multipart(outbound, parts, self._holdings)

    async def all(self, members: Sequence[Member], wanted: Sequence[Wish]) -> FolderAnswer:
        """Every frame of every instance, and videos whole; 206 when some would need a codec.

        Raises NotFound when there are no pixels, NotAcceptable when all of them would need a codec."""
        bearers = [member for member in members if member.has_pixels]
        if not bearers:
            raise NotFound(_NO_PIXELS)
        found = [images for member in bearers if (images := await self.images(member, wanted))]
        if not found:
            raise NotAcceptable(_UNDIVIDED)
        parts = (part for images in found for part in images.parts)
        missing = len(bearers) - len(found)
        return streamed(found[0].content_type, parts, self._holdings, missing=missing)

    async def images(self, member: Member, wanted: Sequence[Wish]) -> Images | None:
        """All pixel data of an instance, None when it cannot be had as wished."""
        table = await self.table(member)
        if table is None:
            return await self._video(member, wanted)
        wish = fitting(wanted, table.media, table.transfer_syntax)
        if wish is None or not wish.multipart:
            return None
        numbers = range(1, table.frames + 1)
        return Images(_content_type(table), (self._frame(member, table, number) for number in numbers))

    async def table(self, member: Member) -> FrameTable | None:
        """The frame table of an instance, None when its frames cannot be told apart."""
        key = (member.id, member.stamp)
        if key not in self._tables:
            form = await self._holdings.ask(Index.text, member.id, "frames")
            self._tables[key] = FrameTable.from_bytes(form) if form else None
            if len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return self._tables[key]

    def _frame(self, member: Member, table: FrameTable, number: int) -> Part:
        content = self._holdings.extent(member, table.pieces(number), table.inflate_at)
        return Part(_content_type(table), self._url(member, Kind.FRAMES, frames=(number,)), content)

    async def _video(self, member: Member, wanted: Sequence[Wish]) -> Images | None:
        syntax = transfer_syntax(member.syntax)
        if not syntax.video or not fitting(wanted, syntax.media, syntax.uid):
            return None
        stream = await self._holdings.locate(member, PIXEL_DATA)
        if stream is None:
            return None
        content_type = part_content_type(syntax.media, syntax.uid)
        url = self._url(member, Kind.BULKDATA, tail=f"bulkdata/{PIXEL_DATA}")
        return Images(content_type, [Part(content_type, url, stream)])

    def _url(self, member: Member, kind: Kind, *, frames: tuple[int, ...] = (), tail: str = "") -> str:
        uids = (member.study, member.series, member.instance)
        return self._holdings.url(Resource(kind, Level.INSTANCE, *uids, frames=frames, tail=tail))


def _content_type(table: FrameTable) -> str:
    return part_content_type(table.media, table.transfer_syntax)
