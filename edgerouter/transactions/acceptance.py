"""Whether the head of an upstream's answer is one to pass on, decided before anything reaches the client."""

import logging
from collections.abc import Sequence

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import ANY, DICOM, JSON, OCTETS, RELATED, XML, ZIP, MediaType, Wish, parse
from edgerouter.dicomweb.resource import Kind
from edgerouter.errors import ProtocolError, Received, Refused
from edgerouter.transactions.warning import own_warnings
from edgerouter.upstream.seam import Answer

logger = logging.getLogger(__name__)

HTML = "text/html"
JSONS = (JSON, "application/json")
_PIXELS = (RELATED, OCTETS, "image/", "video/")
_EXPECTED: dict[Kind, tuple[str, ...]] = {
    Kind.COLLECTION: (*JSONS, RELATED, XML),
    Kind.METADATA: (*JSONS, RELATED, XML),
    Kind.DICOM: (RELATED, DICOM, OCTETS),
    Kind.FRAMES: _PIXELS,
    Kind.PIXELDATA: _PIXELS,
    Kind.THUMBNAIL: ("image/",),
}
# RFC 9110 §8.3: without a Content-Type, bytes are just bytes.
_BARE = (Kind.FRAMES, Kind.PIXELDATA, Kind.BULKDATA, Kind.TOKEN)
# The default rendering of a text object is HTML (PS3.18 Table 8.7.4-1).
_MAY_BE_TEXT = (Kind.RENDERED, Kind.WADO_URI)


def check_status(answer: Answer, links: LinkMap) -> None:
    """Let successes and redirects within our own tree pass.

    Raises Received with the upstream's status, Refused when it wants credentials that we do not have,
    ProtocolError for a redirect that leads elsewhere and for what was not asked."""
    status, upstream = answer.status, links.upstream
    if status in (401, 407):
        # Credentials of clients are never passed on, so none of theirs can help.
        logger.error("upstream %s wants credentials: status %d", upstream, status)
        raise Refused("The upstream refuses the router without credentials.", upstream=upstream)
    if status >= 400:
        raise Received(status, upstream=upstream, fields=_told(answer, links))
    if status == 304 or status < 200:
        raise ProtocolError("The upstream answered with a status that was not asked for.", upstream=upstream)
    if status >= 300 and links.location(answer.fields.get("location") or "") is None:
        raise ProtocolError("The upstream redirects outside its base URL.", upstream=upstream)


def _told(answer: Answer, links: LinkMap) -> list[tuple[str, str]]:
    """What of a refusal helps the client."""
    names = ("retry-after", "content-range") if answer.status == 416 else ("retry-after",)
    fields = list(answer.fields.only(names))
    if answer.status == 405:
        fields.append(("allow", "GET, HEAD"))
    warnings = (own_warnings(line, links.public) for line in answer.fields.all("warning"))
    return fields + [("warning", warning) for lines in warnings for warning in lines]


def check_range(answer: Answer, asked: bool, upstream: str) -> None:
    """Raise ProtocolError for a part of a representation that was asked for whole. A 206 without
    Content-Range is none: it says that some instances are missing (PS3.18 §10.4.3)."""
    if "content-range" in answer.fields and answer.status == 206 and not asked:
        raise ProtocolError("The upstream sent a range that was not asked for.", upstream=upstream)


def check_type(kind: Kind, answer: Answer, wanted: Sequence[Wish], upstream: str) -> MediaType:
    """The answer's media type. Raises ProtocolError when a success is not of the kind asked for: a login
    page, an error page with status 200."""
    media = parse(answer.fields.get("content-type") or "")
    if media is None and kind in _BARE and "content-type" not in answer.fields:
        media = MediaType(OCTETS)
    if media is None or not _is_expected(kind, media.essence, wanted):
        what = "The upstream answered with a media type that was not asked for."
        raise ProtocolError(what, upstream=upstream)
    return media


def _is_expected(kind: Kind, essence: str, wanted: Sequence[Wish]) -> bool:
    if essence == ZIP:
        return any(wish.media == ZIP for wish in wanted) or kind not in _EXPECTED
    if kind in _EXPECTED:
        return any(_is(essence, name) for name in _EXPECTED[kind])
    if essence == HTML:
        named = (HTML, "text/*", ANY) if kind in _MAY_BE_TEXT else (HTML, "text/*")
        return any(wish.media in named for wish in wanted)
    return essence == RELATED or not essence.startswith("multipart/")


def _is(essence: str, name: str) -> bool:
    return essence.startswith(name) if name.endswith("/") else essence == name
