"""Store (STOW-RS, PS3.18 §10.5), synchronous: the upload streams through to one upstream while our parser
checks its framing, and the upstream's own answer comes back with its links mapped."""

from collections.abc import AsyncGenerator, AsyncIterator

from edgerouter.dicomweb.json_links import store_links as json_store_links
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import content_type_of_multipart, multipart_content_type, parse
from edgerouter.dicomweb.multipart import MultipartError, MultipartReader
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.dicomweb.xml_links import store_links as xml_store_links
from edgerouter.errors import BadRequest, Cut, Received, UnsupportedMediaType, UpstreamError
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields, response_fields
from edgerouter.transactions.relay import wishes_of
from edgerouter.transactions.rewrite import faults_of, inflated
from edgerouter.upstream.profile import spell_accept
from edgerouter.upstream.seam import Answer, Archive, Outbound

MAX_ANSWER = 32 << 20  # a Store Instances Response Module for 20,000 instances is about 8 MB
_ROOTS = ("application/dicom", "application/dicom+json", "application/dicom+xml")


class CheckedUpload:
    """The client's body on its way up; `fault` keeps what was wrong with it.

    Each chunk leaves only after the next one came and parsed: so a body whose closing boundary is
    missing never reaches the upstream complete, even where Content-Length was met (F34)."""

    def __init__(self, body: AsyncIterator[bytes], reader: MultipartReader | None) -> None:
        self._body = body
        self._reader = reader
        self.fault: Exception | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        held = b""
        try:
            async for chunk in self._body:
                self._check(chunk)
                if held:
                    yield held
                held = chunk
            if not held:
                raise BadRequest("The upload has no body.")
            if self._reader:
                self._reader.close()
        except MultipartError as error:
            self.fault = BadRequest(f"The upload is not well-formed multipart/related: {error}.", close=True)
            raise self.fault from error
        except Exception as error:
            self.fault = error
            raise
        yield held

    def _check(self, chunk: bytes) -> None:
        if self._reader:
            self._reader.feed(chunk)


def upload_type(fields: Fields) -> tuple[str, MultipartReader | None]:
    """The Content-Type in the quoted spelling every archive takes, and a parser for the body.

    Raises UnsupportedMediaType for what Store does not define, BadRequest for a missing boundary."""
    value = fields.get("content-type") or ""
    if fields.get("content-encoding"):
        raise UnsupportedMediaType("Uploads must not carry a content coding; send the instances as they are.")
    media = parse(value)
    if media is not None and media.essence == "application/dicom":
        return "application/dicom", None
    if media is None or media.essence != "multipart/related":
        raise UnsupportedMediaType(
            'Store takes multipart/related; type="application/dicom" or application/dicom.'
        )
    parsed = content_type_of_multipart(value)
    if parsed is None:
        raise BadRequest("The Content-Type of the upload names no usable boundary.")
    root, boundary = parsed
    if root is None or root.essence not in _ROOTS:
        raise UnsupportedMediaType(f"Store takes multipart/related of {', '.join(_ROOTS)}.")
    return multipart_content_type(root.essence, boundary), MultipartReader(boundary)


async def store(inbound: Inbound, archive: Archive, box: TokenBox) -> Reply:
    """Send the upload on to one upstream and pass its answer back.

    Raises RequestError for an upload that is not one, UpstreamError when the upstream failed, Received
    when it refused without saying why per instance."""
    content_type, reader = upload_type(inbound.fields)
    wanted = wishes_of(inbound)
    if inbound.body is None or inbound.body_length == 0:
        raise BadRequest("The upload has no body.")
    upload = CheckedUpload(inbound.body, reader)
    accept = spell_accept(archive.profile, inbound.resource.kind, inbound.resource.level, wanted)
    fields = request_fields(inbound, accept, coded=False).set("content-type", content_type)
    outbound = Outbound(
        "POST",
        inbound.transaction,
        inbound.resource.path,
        fields=fields,
        body=upload.chunks(),
        length=inbound.body_length,
    )
    try:
        async with archive.open(outbound) as answer:
            return await _answered(
                answer, LinkMap(archive.name, archive.bases, inbound.public, box, archive.url(outbound))
            )
    except UpstreamError:
        if upload.fault:
            raise upload.fault from None
        raise


async def _answered(answer: Answer, links: LinkMap) -> Reply:
    body = await _whole(answer, links.upstream)
    media = parse(answer.fields.get("content-type") or "")
    essence = media.essence if media else ""
    if not body or essence not in _MODULES:
        if answer.status >= 300:
            raise Received(
                answer.status, upstream=links.upstream, fields=answer.fields.only(("retry-after",))
            )
        # 2xx without a module says nothing about any instance: the sender must not delete its copies.
        raise Cut("The upstream's answer does not say which instances it stored.", upstream=links.upstream)
    with faults_of(links.upstream):
        body = _MODULES[essence](body, links)
    fields = response_fields(answer, links, rewritten=True).set("content-type", essence)
    return Reply(answer.status, fields, body, length=len(body))


async def _whole(answer: Answer, upstream: str) -> bytes:
    coded = (answer.fields.get("content-encoding") or "").lower() == "gzip"
    chunks = inflated(answer.chunks(), upstream) if coded else answer.chunks()
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER:
            raise Cut("The upstream's answer to the upload is too large.", upstream=upstream)
    return bytes(body)


_MODULES = {
    "application/dicom+json": lambda body, links: json_store_links(body, links.map_here),
    "application/json": lambda body, links: json_store_links(body, links.map_here),
    "application/dicom+xml": lambda body, links: xml_store_links(body, links.map_here),
    "application/xml": lambda body, links: xml_store_links(body, links.map_here),
}
