"""What passes between the two legs: request fields up, response fields and statuses down."""

import re

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import MediaType, parse
from edgerouter.dicomweb.resource import Kind, Resource, Transaction
from edgerouter.errors import ProtocolError, Received
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.inbound import Inbound
from edgerouter.upstream.seam import Answer

# Accept is written anew in the upstream's spelling; validators and Range depend on bytes that we rewrite.
_UP = ("accept-charset", "traceparent", "tracestate")
_RANGED = (Kind.BULKDATA, Kind.TOKEN, Kind.RENDERED, Kind.THUMBNAIL)
_DOWN = ("content-language", "content-disposition", "retry-after", "last-modified")
_OPAQUE = ("etag", "content-range", "accept-ranges")
_WARNING = re.compile(r'^(\d{3})\s+(.+?):?\s+("?(?:There are|The |Source ).*)$', re.DOTALL)

_DICOM = ("multipart/related", "application/dicom", "application/zip", "application/octet-stream")
_ACCEPTABLE: dict[Kind, tuple[str, ...]] = {
    Kind.COLLECTION: ("application/dicom+json", "application/json", "multipart/related"),
    Kind.METADATA: ("application/dicom+json", "application/json", "multipart/related", "application/zip"),
    Kind.DICOM: _DICOM,
    Kind.FRAMES: (*_DICOM, "image/", "video/"),
    Kind.PIXELDATA: (*_DICOM, "image/", "video/"),
}


def request_fields(inbound: Inbound, accept: str, *, coded: bool) -> Fields:
    """The end-to-end request fields for an upstream: an allow-list, never a copy (law 9).

    `coded` asks for gzip, worth it for JSON and XML only."""
    names = _UP + (("range",) if inbound.resource.kind in _RANGED else ())
    fields = inbound.fields.only(names)
    if inbound.bypass:
        fields = fields.set("cache-control", "no-cache")
    fields = fields.set("accept-encoding", "gzip" if coded else "identity")
    return fields.set("accept", accept) if accept else fields


def response_fields(answer: Answer, links: LinkMap, *, rewritten: bool) -> Fields:
    """The end-to-end response fields for the client; validators only when no byte was changed."""
    fields = answer.fields.only(_DOWN if rewritten else _DOWN + _OPAQUE)
    for name in ("location", "content-location"):
        value = answer.fields.get(name)
        mapped = links.location(value) if value else None
        if mapped:
            fields = fields.set(name, mapped)
    for line in answer.fields.all("warning"):
        fields = fields.add("warning", own_warning(line, links.public))
    return fields


def own_warning(line: str, public: str) -> str:
    """The same warning with us as its agent: PS3.18 §8.5 defines the agent as the origin's base URL."""
    match = _WARNING.match(line)
    return f"{match[1]} {public}: {match[3]}" if match else line


def check_type(resource: Resource, answer: Answer, upstream: str) -> MediaType | None:
    """The answer's media type; raises ProtocolError when a success is not of the kind asked for
    (a login page, an error page with status 200)."""
    media = parse(answer.fields.get("content-type") or "")
    wanted = _ACCEPTABLE.get(resource.kind)
    if answer.status == 204 or wanted is None:
        return media
    if media is None or not any(_is(media.essence, name) for name in wanted):
        raise ProtocolError(
            "The upstream answered with a media type that was not asked for.", upstream=upstream
        )
    return media


def _is(essence: str, name: str) -> bool:
    return essence.startswith(name) if name.endswith("/") else essence == name


def raise_for_status(answer: Answer, upstream: str, links: LinkMap) -> None:
    """Turn an upstream's refusal into ours; successes and mapped redirects pass.

    Raises Received with the upstream's status, ProtocolError for a redirect that leads elsewhere."""
    status = answer.status
    if 300 <= status < 400 and status != 304:
        location = answer.fields.get("location")
        if location is None or links.location(location) is None:
            raise ProtocolError("The upstream redirects outside its base URL.", upstream=upstream)
        return
    if status >= 400:
        kept = answer.fields.only(("retry-after", "www-authenticate", "warning", "allow"))
        raise Received(status, upstream=upstream, fields=kept)
    if status < 200 or status == 304:
        raise ProtocolError("The upstream answered with a status that was not asked for.", upstream=upstream)


def vary(fields: Fields) -> Fields:
    return fields.add("vary", "accept, accept-encoding")


def empty(status: int) -> Reply:
    return Reply(status, length=0)


def wants_gzip_upstream(transaction: Transaction, kind: Kind) -> bool:
    """JSON and XML shrink forty-fold, pixels do not (DESIGN: pixels never)."""
    return transaction is Transaction.SEARCH or kind is Kind.METADATA
