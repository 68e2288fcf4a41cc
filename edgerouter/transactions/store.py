"""Store (STOW-RS, PS3.18 §10.5), synchronous: the upload streams through to one upstream while our parser
checks its framing, and the upstream's own answer comes back with its links mapped."""

import asyncio
from collections.abc import Callable, Sequence

from edgerouter.dicomweb import json_links, xml_links
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import JSON, XML, parse
from edgerouter.dicomweb.store_merge import status_of
from edgerouter.dicomweb.store_response import read_store_response
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import BadRequest, Cut, ProtocolError, UpstreamError
from edgerouter.http.reply import Reply
from edgerouter.transactions.acceptance import check_status
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.bodies import PIECE, decoded, faults_of, whole
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields, response_fields
from edgerouter.transactions.upload import Upload, upload_type
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.seam import Answer, Archive, Outbound

MAX_ANSWER = 32 << 20  # bytes; a Store Instances Response Module for 20,000 instances has about 8 MB

_MODULES: dict[str, tuple[str, Callable[[bytes, Callable[[str], str]], bytes]]] = {
    "application/dicom+json": (JSON, json_links.store_links),
    "application/json": (JSON, json_links.store_links),
    "application/dicom+xml": (XML, xml_links.store_links),
    "application/xml": (XML, xml_links.store_links),
    "text/xml": (XML, xml_links.store_links),
}


async def store(inbound: Inbound, archive: Archive, box: TokenBox) -> Reply:
    """Send the upload on to one upstream and pass its answer back.

    Raises RequestError for an upload that is not one, UpstreamError when the upstream failed, Received
    when it refused without saying why per instance."""
    content_type, reader = upload_type(inbound.fields, single_part=archive.profile.single_part_store)
    wanted = wishes_of(inbound)
    if inbound.body is None or inbound.body_length == 0:
        raise BadRequest("The upload has no body.")
    upload = Upload(inbound.body, reader)
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
    links = LinkMap(archive.name, archive.bases, inbound.public, box, archive.url(outbound))
    try:
        async with archive.open(outbound) as answer:
            _check_order(answer, upload, archive.name)
            # Who names no type takes the archive's own.
            takes = [wish.media for wish in wanted] if "accept" in inbound.fields else []
            return await _answered(answer, links, takes)
    except UpstreamError:
        if upload.fault:
            raise upload.fault from None
        raise


def _check_order(answer: Answer, upload: Upload, upstream: str) -> None:
    """Nothing can be stored that was not yet sent; to refuse it early is the upstream's right."""
    if answer.status < 300 and not upload.complete:
        raise ProtocolError("The upstream answered before it had the whole upload.", upstream=upstream)


async def _answered(answer: Answer, links: LinkMap, wanted: Sequence[str]) -> Reply:
    if 300 <= answer.status < 400:
        raise ProtocolError("The upstream redirects an upload.", upstream=links.upstream)
    try:
        status, media, body = await _mapped_module(answer, links, wanted)
    except Cut:
        check_status(answer, links)  # a refusal is one even where its reasons got lost
        raise
    if not body:
        check_status(answer, links)
        # 2xx without a module says nothing about any instance: the sender must not delete its copies.
        what = "The upstream's answer does not say which instances it stored."
        raise ProtocolError(what, upstream=links.upstream)
    fields = response_fields(answer, links, rewritten=True)
    fields = fields.set("content-type", media).set("vary", "accept").set("cache-control", "no-store")
    return Reply(status, fields, body, length=len(body))


async def module_of(answer: Answer, upstream: str) -> tuple[str, bytes]:
    """The Store Instances Response Module of an upstream's answer as it came, and its media type as
    media.JSON or XML; empty when there is none. Raises Cut when it breaks off."""
    labelled = answer.fields.get("content-type")
    media = parse(labelled or "")
    if labelled and (media is None or media.essence not in _MODULES):
        return "", b""
    body = await whole(decoded(answer, upstream), MAX_ANSWER, upstream)
    essence = media.essence if media else _sniffed(body)
    return (_MODULES[essence][0], body) if body and essence else ("", b"")


_Module = tuple[int, str, bytes]
"""Status, media type and body of what the client gets."""


async def _mapped_module(answer: Answer, links: LinkMap, wanted: Sequence[str]) -> _Module:
    """The module with its links mapped, in the form the client takes; raises Cut when it is malformed or
    broken off."""
    media, body = await module_of(answer, links.upstream)
    with faults_of(links.upstream):
        if len(body) <= PIECE:
            return _mapped(answer.status, media, body, links, wanted)
        # Some 20,000 instances take a second of many small steps: between those, others get their turn.
        return await asyncio.to_thread(_mapped, answer.status, media, body, links, wanted)


def _mapped(said: int, media: str, body: bytes, links: LinkMap, wanted: Sequence[str]) -> _Module:
    """No body for what says of no instance what became of it; raises JsonError or XmlError.

    In the archive's own form it keeps all it has; in another, its outcomes."""
    response = read_store_response(body, media) if body else None
    if response is None or not response.outcomes:
        return said, "", b""
    if wanted and media not in wanted:
        media, body = wanted[0], response.write(wanted[0])
    return status_of(said, response.outcomes), media, _MODULES[media][1](body, links.map_here)


def _sniffed(body: bytes) -> str:
    """What a module without a Content-Type is: Orthanc labels its refusals not at all."""
    return {b"{": JSON, b"[": JSON, b"<": XML}.get(body.lstrip()[:1], "")
