"""Retrieve from a folder (PS3.18 §10.4): instances as they stand in their files, and their metadata."""

from collections.abc import Sequence

from edgerouter.dicomweb.accept import wishes
from edgerouter.dicomweb.media import DICOM, JSON, Wish, part_content_type
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.dicomweb.wado_uri import read_wado_uri
from edgerouter.errors import Cut, NotAcceptable, NotFound, RequestError
from edgerouter.http.fields import Fields
from edgerouter.upstream.folder.answer import FolderAnswer, etag, unchanged
from edgerouter.upstream.folder.datasets import Batches, datasets
from edgerouter.upstream.folder.fit import fitting
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Index, Member
from edgerouter.upstream.folder.parts import Part, multipart, single
from edgerouter.upstream.folder.pixels import Pixels
from edgerouter.upstream.folder.values import Values
from edgerouter.upstream.seam import Outbound

_BATCH = 32  # metadata objects taken from the index at a time
_NOT_HELD = "The folder does not hold it."
_TRANSCODED = "It cannot be had without transcoding; ask for transfer-syntax=*."


class NotImplementedHere(RequestError):
    """501: what would need a codec (PS3.18 §8.5)."""

    status = 501


class Retrieve:
    """The Retrieve transaction over one folder."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._pixels = Pixels(holdings)
        self._values = Values(holdings, self._pixels)

    async def answer(self, outbound: Outbound, resource: Resource) -> FolderAnswer:
        """The answer. Raises RequestError for what cannot be asked, or had; ConnectError, ProtocolError."""
        if resource.kind in (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME):
            raise NotImplementedHere("This archive does not decode pixels: it has nothing rendered.")
        wanted = wishes(resource, Transaction.RETRIEVE, outbound.fields.all("accept"))
        members = await self._holdings.members(resource)
        if not members:
            raise NotFound(_NOT_HELD)
        match resource.kind:
            case Kind.DICOM:
                return self._instances(outbound, members, wanted)
            case Kind.METADATA:
                return self._metadata(outbound, members, wanted)
            case Kind.FRAMES:
                return await self._pixels.frames(outbound, members[0], resource.frames, wanted)
            case Kind.PIXELDATA:
                return await self._pixels.all(members, wanted)
            case Kind.BULKDATA if resource.tail == "bulkdata":
                return await self._values.all(members, wanted)
            case Kind.BULKDATA if resource.level is Level.INSTANCE:
                return await self._values.one(outbound, members[0], resource, wanted)
        raise NotFound(_NOT_HELD)

    async def wado_uri(self, outbound: Outbound) -> FolderAnswer:
        """One instance by the URI service (PS3.18 §9), as a PS3.10 file. Raises as `answer` does."""
        asked = read_wado_uri(outbound.query)
        if DICOM not in asked.content_types or asked.anonymize:
            raise NotImplementedHere("This archive has application/dicom only, as it is.")
        resource = Resource(Kind.DICOM, Level.INSTANCE, asked.study, asked.series, asked.instance)
        members = await self._holdings.members(resource)
        if not members:
            raise NotFound(_NOT_HELD)
        return self._instances(outbound, members, [Wish(DICOM, asked.transfer_syntax)])

    def _instances(
        self, outbound: Outbound, members: Sequence[Member], wanted: Sequence[Wish]
    ) -> FolderAnswer:
        """PS3.10 files: 206 when some, NotAcceptable when all would need transcoding."""
        fits = [(member, wish) for member in members if (wish := fitting(wanted, DICOM, member.syntax))]
        if not fits:
            raise NotAcceptable(_TRANSCODED)
        parts = [self._part(member) for member, _ in fits]
        if not fits[0][1].multipart:
            return single(outbound, parts[0], self._holdings)
        missing = len(members) - len(fits)
        return multipart(outbound, parts, self._holdings, missing=missing)

    def _part(self, member: Member) -> Part:
        resource = Resource(Kind.DICOM, Level.INSTANCE, member.study, member.series, member.instance)
        content = self._holdings.extent(member, [(0, member.size)])
        return Part(part_content_type(DICOM, member.syntax), self._holdings.url(resource), content)

    def _metadata(
        self, outbound: Outbound, members: Sequence[Member], wanted: Sequence[Wish]
    ) -> FolderAnswer:
        media = wanted[0].media
        tag = etag([media, *(member.stamp for member in members)])
        if ended := unchanged(outbound, tag):
            return ended
        # XML documents get a boundary that is new each time.
        fields = Fields([("etag", str(tag))] if media == JSON else [])
        return datasets(self._holdings, self._texts(members), media, fields)

    async def _texts(self, members: Sequence[Member]) -> Batches:
        for at in range(0, len(members), _BATCH):
            ids = [member.id for member in members[at : at + _BATCH]]
            texts = await self._holdings.ask(Index.metadata, ids)
            if len(texts) < len(ids):
                raise Cut("A file vanished while it was described.", upstream=self._holdings.name)
            yield texts
