"""multipart/related answers on their way out: part by part, from the upstream's boundary to ours.

Every part keeps its bytes and its place; its location is mapped, and XML documents have their links mapped.
Only the upstream's closing boundary brings forth ours (law 3)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.multipart import (
    Event,
    MultipartError,
    MultipartReader,
    PartBegin,
    PartData,
    closing,
    delimiter,
)
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.fields import Fields
from edgerouter.transactions.bodies import Bytes, faults_of, pieces

_KEPT = ("content-type", "content-encoding")


class Document(Protocol):
    """A rewriter of one XML document that comes in pieces."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """How parts are packed anew: under `boundary`, `label` for a part without a Content-Type of its own;
    `documents` makes a rewriter for each part, None leaves the bytes alone."""

    boundary: str
    label: str
    links: LinkMap
    documents: Callable[[], Document] | None = None

    def fields(self, given: Fields) -> Fields:
        """A part's own fields: its type and location, and its length where no byte changes."""
        fields = given.only(_KEPT if self.documents else (*_KEPT, "content-length"))
        if "content-type" not in fields:
            fields = fields.set("content-type", self.label)
        if location := given.get("content-location"):
            fields = fields.set("content-location", self.links.map_here(location))
        return fields


class _Packer:
    """Turns the events of a reader into the bytes of the new body."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel
        self._first = True
        self._document: Document | None = None

    def pack(self, event: Event) -> bytes:
        if isinstance(event, PartBegin):
            return self._begin(event.fields)
        if isinstance(event, PartData):
            return self._document.feed(event.data) if self._document else event.data
        return self._document.finish() if self._document else b""

    def _begin(self, fields: Fields) -> bytes:
        if self._parcel.documents:
            if "content-encoding" in fields:
                raise MultipartError("a part that is to be rewritten has a content coding")
            self._document = self._parcel.documents()
        opening = delimiter(self._parcel.boundary, self._parcel.fields(fields), self._first)
        self._first = False
        return opening


async def repacked(chunks: Bytes, theirs: str, parcel: Parcel) -> Bytes:
    """A multipart body whose upstream boundary is `theirs`, packed anew."""
    reader, packer, upstream = MultipartReader(theirs), _Packer(parcel), parcel.links.upstream
    async with aclosing(chunks):
        async for chunk in chunks:
            for piece in pieces(chunk) if parcel.documents else (chunk,):
                with faults_of(upstream):
                    events = reader.feed(piece)
                for event in events:
                    with faults_of(upstream):
                        out = packer.pack(event)
                    if out:
                        yield out
    with faults_of(upstream):
        reader.close()
        if not reader.parts and not parcel.documents:
            # A search in XML may find nothing; of what was to be retrieved there is at least one.
            raise MultipartError("the body has no part")
    yield closing(parcel.boundary)


async def packed(chunks: Bytes, given: Fields, parcel: Parcel) -> Bytes:
    """A body that came alone, as the only part of a multipart one; `given` are its fields."""
    document = parcel.documents() if parcel.documents else None
    yield delimiter(parcel.boundary, parcel.fields(given), True)
    async with aclosing(chunks):
        async for chunk in chunks:
            for piece in pieces(chunk) if document else (chunk,):
                with faults_of(parcel.links.upstream):
                    out = document.feed(piece) if document else piece
                if out:
                    yield out
    if document:
        with faults_of(parcel.links.upstream):
            rest = document.finish()
        yield rest
    yield closing(parcel.boundary)


async def unpacked(chunks: Bytes, theirs: str, upstream: str) -> tuple[Fields, Bytes]:
    """The fields and bytes of the only part of a multipart body, out of its envelope.

    Raises ProtocolError when the body ends before its first part; a second part cuts the body."""
    reader = MultipartReader(theirs)
    early: list[Event] = []
    async for chunk in chunks:
        with faults_of(upstream):
            early += reader.feed(chunk)
        if early:
            break
    if not early or not isinstance(early[0], PartBegin):
        raise ProtocolError("The upstream's multipart answer holds no part.", upstream=upstream)
    return early[0].fields, _alone(chunks, upstream, reader, early[1:])


async def _alone(chunks: Bytes, upstream: str, reader: MultipartReader, early: Sequence[Event]) -> Bytes:
    async with aclosing(chunks):
        for data in _only_data(early, upstream):
            yield data
        async for chunk in chunks:
            with faults_of(upstream):
                events = reader.feed(chunk)
            for data in _only_data(events, upstream):
                yield data
    with faults_of(upstream):
        reader.close()


def _only_data(events: Sequence[Event], upstream: str) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, PartBegin):
            raise Cut("The upstream sent several parts where one was asked for.", upstream=upstream)
        if isinstance(event, PartData):
            yield event.data
