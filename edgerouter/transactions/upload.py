"""An upload on its way up (PS3.18 §10.5): its type in one spelling, its framing checked while it streams."""

from collections.abc import AsyncGenerator, AsyncIterator

from edgerouter.dicomweb.media import DICOM, JSON, RELATED, XML, content_type_of_multipart, parse
from edgerouter.dicomweb.media import multipart_content_type as multipart_type
from edgerouter.dicomweb.multipart import (
    Event,
    Limits,
    MultipartError,
    MultipartReader,
    PartBegin,
    PartData,
    PartEnd,
)
from edgerouter.errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from edgerouter.http.fields import Fields

MAX_PARTS = 20_000
_ROOTS = (DICOM, JSON, XML)
_TAKEN = 'Store takes multipart/related; type="application/dicom", or one instance as application/dicom.'


def upload_type(fields: Fields, *, single_part: bool) -> tuple[str, MultipartReader | None]:
    """The Content-Type in the quoted spelling that every archive takes, and a parser for the body.

    `single_part`: the upstream takes one instance alone. Raises UnsupportedMediaType for what Store does
    not define, BadRequest for a missing boundary."""
    if fields.get("content-encoding"):
        raise UnsupportedMediaType("Uploads must not carry a content coding; send the instances as they are.")
    value = fields.get("content-type") or ""
    media = parse(value)
    if media is not None and media.essence == DICOM:
        if not single_part:
            raise UnsupportedMediaType("The archive takes instances as multipart/related only.")
        return DICOM, None
    if media is None or media.essence != RELATED:
        raise UnsupportedMediaType(_TAKEN)
    parsed = content_type_of_multipart(value)
    if parsed is None:
        raise BadRequest("The Content-Type of the upload names no usable boundary.")
    root, boundary = parsed
    if root is None or root.essence not in _ROOTS:
        raise UnsupportedMediaType(_TAKEN)
    return multipart_type(root.essence, boundary), MultipartReader(boundary, Limits(parts=MAX_PARTS + 1))


class Parts:
    """The parts of an upload as its bytes come. Without a `reader` the body is one part, of any framing."""

    def __init__(self, reader: MultipartReader | None) -> None:
        self._reader = reader
        self._begun = False

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete; raises BadRequest, and ContentTooLarge for too many parts."""
        first, self._begun = not self._begun, True
        if self._reader is None:
            return [*([PartBegin(Fields())] if first else []), PartData(data)]
        try:
            events = self._reader.feed(data)
        except MultipartError as error:
            raise _malformed(error) from error
        if self._reader.parts > MAX_PARTS:
            raise ContentTooLarge(f"The upload has more than {MAX_PARTS} parts.", close=True)
        return events

    def close(self) -> list[Event]:
        """What the end of the body completes; raises BadRequest where it may not end."""
        if not self._begun:
            raise BadRequest("The upload has no body.")
        if self._reader is None:
            return [PartEnd()]
        try:
            self._reader.close()
        except MultipartError as error:
            raise _malformed(error) from error
        if not self._reader.parts:
            raise BadRequest("The upload has no part.")
        return []


def _malformed(error: MultipartError) -> BadRequest:
    return BadRequest(f"The upload is not well-formed multipart/related: {error}.", close=True)


class Upload:
    """The client's body, to be sent on once; `fault` keeps what was wrong with it.

    Each chunk leaves only after the next one came and parsed: so a body whose closing boundary is
    missing never reaches the upstream complete, even where Content-Length was met (F34). `complete` is
    set when the last chunk, and with it all that was checked, is handed over."""

    def __init__(self, body: AsyncIterator[bytes], reader: MultipartReader | None) -> None:
        self.fault: Exception | None = None
        self.complete = False
        self._body = body
        self._parts = Parts(reader)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The same bytes. Raises RequestError for what is wrong with them, and what reading them raises."""
        held = b""
        try:
            async for chunk in self._body:
                self._parts.feed(chunk)
                if held:
                    yield held
                held = chunk
            self._parts.close()
        except Exception as error:
            self.fault = error
            raise
        self.complete = True
        yield held
