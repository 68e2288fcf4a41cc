"""Representations that stand in files, alone or as the parts of a multipart body (PS3.18 §8.6.1)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgerouter.dicomweb.media import multipart_content_type
from edgerouter.dicomweb.multipart import boundary_for, closing, delimiter, envelope_length, new_boundary
from edgerouter.http.conditional import ETag
from edgerouter.http.fields import Fields
from edgerouter.http.ranges import ByteRange, requested
from edgerouter.upstream.folder.answer import FolderAnswer, empty, etag, unchanged
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.reading import Extent, Material
from edgerouter.upstream.seam import Outbound


@dataclass(frozen=True, slots=True)
class Part:
    """One representation: its Content-Type, its URL, where its bytes are."""

    content_type: str
    location: str
    content: Extent

    @property
    def fields(self) -> Fields:
        return Fields(
            [
                ("content-type", self.content_type),
                ("content-length", str(self.content.length)),
                ("content-location", self.location),
            ]
        )


def single(outbound: Outbound, part: Part, holdings: Holdings) -> FolderAnswer:
    """One part alone, or the range of it that is asked for."""
    tag = _tag("alone", [part])
    if ended := unchanged(outbound, tag):
        return ended
    content = part.content
    fields = part.fields.without("content-length").set("etag", str(tag)).set("accept-ranges", "bytes")
    wanted = requested("GET", outbound.fields, content.length, tag)
    if wanted is None:
        return FolderAnswer(200, fields, holdings.stream([content]), content.length)
    fields = fields.set("content-range", wanted.content_range)
    if not isinstance(wanted, ByteRange):
        return empty(416, fields.without("content-type"))
    piece = content.cut(wanted.start, wanted.stop)
    return FolderAnswer(206, fields, holdings.stream([piece]), wanted.length)


def multipart(
    outbound: Outbound, parts: Sequence[Part], holdings: Holdings, *, missing: int = 0
) -> FolderAnswer:
    """All parts in one body whose length is known; see `partial` for what is `missing`."""
    tag = _tag("multipart", parts)
    if ended := unchanged(outbound, tag):
        return ended
    # The change time of each file is in the tag: no data can hold the boundary on purpose.
    boundary = boundary_for(tag.opaque.encode())
    fields = envelope(parts[0].content_type, boundary).set("etag", str(tag))
    length = envelope_length(boundary, ((part.fields, part.content.length) for part in parts))
    body = holdings.stream(materials(parts, boundary))
    return partial(FolderAnswer(200, fields, body, length), missing, holdings)


def streamed(
    content_type: str, parts: Iterable[Part], holdings: Holdings, *, missing: int = 0
) -> FolderAnswer:
    """As multipart, of parts that are made as they leave; `content_type` is that of the first."""
    boundary = new_boundary()
    body = holdings.stream(materials(parts, boundary))
    return partial(FolderAnswer(200, envelope(content_type, boundary), body), missing, holdings)


def materials(parts: Iterable[Part], boundary: str) -> Iterator[Material]:
    """A multipart body as what it is read from."""
    first = True
    for part in parts:
        yield delimiter(boundary, part.fields, first)
        yield part.content
        first = False
    yield closing(boundary)


def partial(answer: FolderAnswer, missing: int, holdings: Holdings) -> FolderAnswer:
    """206, in the sense of §10.4.3 and not of ranges, when some instances are `missing` from the answer."""
    if missing:
        text = f"There are {missing} instances that are not held in an acceptable transfer syntax"
        answer.status = 206
        answer.fields = answer.fields.add("warning", f"299 {holdings.base}: {text}")
    return answer


def envelope(content_type: str, boundary: str) -> Fields:
    """The fields of a multipart body whose first part is of that type."""
    root = content_type.partition(";")[0]
    return Fields([("content-type", multipart_content_type(root, boundary))])


def _tag(form: str, parts: Sequence[Part]) -> ETag:
    told = (text for part in parts for text in (part.content_type, part.location, part.content.stamp))
    return etag([form, *told])
