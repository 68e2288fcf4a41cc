"""Store into a folder (PS3.18 §10.5): each instance becomes a file of its own before it counts as stored.

The first copy of an instance wins: the same bytes again are a success, other bytes under the same SOP
Instance UID are refused as a duplicate. Nothing in the folder is ever overwritten by an upload.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.accept import wishes
from edgerouter.dicomweb.media import DICOM, RELATED, content_type_of_multipart, parse
from edgerouter.dicomweb.multipart import MultipartError, MultipartReader, PartBegin, PartData
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.dicomweb.store_response import CANNOT_UNDERSTAND, StoreOutcome, StoreResponse
from edgerouter.errors import BadRequest, RequestError, UnsupportedMediaType
from edgerouter.http.fields import Fields
from edgerouter.parsing.worker import Entry
from edgerouter.upstream.folder.answer import FolderAnswer, document, refusal
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.incoming import Incoming
from edgerouter.upstream.folder.index import Index, Member
from edgerouter.upstream.folder.landing import path_of
from edgerouter.upstream.folder.reading import Changed
from edgerouter.upstream.seam import Outbound

log = logging.getLogger(__name__)

OUT_OF_RESOURCES = 0xA700  # the folder is full, or may not be written to
OTHER_STUDY = 0xA901  # the instance is not of the study that the path names
DUPLICATE = 0x0111  # PS3.7 §C.5.7: another instance has this SOP Instance UID


class Store:
    """The Store transaction into one folder."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._settling = asyncio.Lock()

    async def answer(
        self, outbound: Outbound, resource: Resource, sent: Callable[[int], object]
    ) -> FolderAnswer:
        """What became of each instance; `sent` is told the size of each piece of the body. What reading it
        raises is raised."""
        try:
            media = wishes(resource, Transaction.STORE, outbound.fields.all("accept"))[0].media
            reader = _reader(outbound.fields)
        except RequestError as error:
            return refusal(error)
        try:
            outcomes = await self._outcomes(_chunks(outbound, sent), reader, resource.study)
        except MultipartError as error:
            return refusal(BadRequest(f"The upload is not well-formed multipart/related: {error}."))
        if not outcomes:
            return refusal(BadRequest("The upload has no part."))
        studies = {one.retrieve_url.partition("/series/")[0] for one in outcomes if one.stored}
        response = StoreResponse(tuple(outcomes), studies.pop() if len(studies) == 1 else "")
        return document(_status(outcomes), media, response.write(media))

    async def _outcomes(
        self, body: AsyncIterator[bytes], reader: MultipartReader | None, study: str | None
    ) -> list[StoreOutcome]:
        incoming = Incoming(self._holdings)
        outcomes: list[StoreOutcome] = []
        try:
            async for chunk in body:
                for event in reader.feed(chunk) if reader else [PartData(chunk)]:
                    if isinstance(event, PartBegin):
                        incoming.foreign = not _is_dicom(event.fields)
                    elif isinstance(event, PartData):
                        await incoming.add(event.data)
                    else:
                        outcomes.append(await self._kept(incoming, study))
            if reader:
                reader.close()
            else:
                outcomes.append(await self._kept(incoming, study))
        finally:
            await incoming.discard()
        return outcomes

    async def _kept(self, incoming: Incoming, study: str | None) -> StoreOutcome:
        """The outcome of one part, which is then done with."""
        try:
            if incoming.foreign or incoming.empty:
                return StoreOutcome("", "", failure=CANNOT_UNDERSTAND)
            path = await incoming.finish()
            entry = await self._holdings.describer.describe(path, self._holdings.base)
            failure = OTHER_STUDY if study and entry.study != study else await self._settled(incoming, entry)
            return _outcome(entry, failure, self._holdings)
        except Part10Error:
            return StoreOutcome("", "", failure=CANNOT_UNDERSTAND)
        except OSError as error:
            log.error("upstream %s cannot store: %s", self._holdings.name, error.strerror)
            return StoreOutcome("", "", failure=OUT_OF_RESOURCES)
        finally:
            await incoming.discard()

    async def _settled(self, incoming: Incoming, entry: Entry) -> int | None:
        """Store it unless it is there; the failure reason when it is there with other bytes."""
        async with self._settling:
            path = path_of(entry.instance)
            held = await self._held(entry.instance, path)
            if held:
                return None if await self._any_same(incoming, held) else DUPLICATE
            found = await incoming.settle(path)
            await self._holdings.ask(Index.put, found, entry)
        return None

    async def _held(self, instance: str, path: bytes) -> list[Member]:
        """The files that hold an instance of that UID now."""
        await self._holdings.refresh(path)
        held = await self._holdings.ask(Index.named, instance)
        for stale in await self._holdings.stale(held):
            await self._holdings.refresh(stale)
        return await self._holdings.ask(Index.named, instance)

    async def _any_same(self, incoming: Incoming, held: Sequence[Member]) -> bool:
        extents = [self._holdings.extent(member, [(0, member.size)]) for member in held]
        try:
            return any([await incoming.same_as(extent) for extent in extents])
        except Changed:
            return False


async def _chunks(outbound: Outbound, sent: Callable[[int], object]) -> AsyncIterator[bytes]:
    """The body, however it was given."""
    if outbound.body is None or isinstance(outbound.body, bytes):
        sent(len(outbound.body or b""))
        yield outbound.body or b""
        return
    async for chunk in outbound.body:
        sent(len(chunk))
        yield chunk


def _reader(fields: Fields) -> MultipartReader | None:
    """The parser for the body, None for one instance alone.

    Raises UnsupportedMediaType for anything but PS3.10 files, BadRequest for a missing boundary."""
    value = fields.get("content-type") or ""
    media = parse(value)
    if media is not None and media.essence == DICOM:
        return None
    parsed = content_type_of_multipart(value)
    if media is not None and media.essence == RELATED and parsed is None:
        raise BadRequest("The Content-Type of the upload names no usable boundary.")
    if parsed is None or parsed[0] is None or parsed[0].essence != DICOM:
        raise UnsupportedMediaType("This archive stores PS3.10 files: application/dicom.")
    return MultipartReader(parsed[1])


def _is_dicom(fields: Fields) -> bool:
    """Whether a part is a PS3.10 file, as parts without a type of their own are."""
    media = parse(fields.get("content-type") or DICOM)
    return media is not None and media.essence == DICOM


def _outcome(entry: Entry, failure: int | None, holdings: Holdings) -> StoreOutcome:
    resource = Resource(Kind.DICOM, Level.INSTANCE, entry.study, entry.series, entry.instance)
    url = "" if failure else holdings.url(resource)
    return StoreOutcome(entry.sop_class, entry.instance, url, failure=failure)


def _status(outcomes: Sequence[StoreOutcome]) -> int:
    """PS3.18 §10.5.3: by what was stored, and by why it was not."""
    stored = [outcome.stored for outcome in outcomes]
    if any(stored):
        return 200 if all(stored) else 202
    return 400 if all(outcome.failure == CANNOT_UNDERSTAND for outcome in outcomes) else 409
