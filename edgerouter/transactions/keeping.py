"""What may be kept, and what is still fresh: decisions only (RFC 9111 §3, dicomweb 4.2)."""

from collections.abc import Sequence

from edgerouter.cache.freshness import Kept
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicomweb.media import Wish, best
from edgerouter.dicomweb.resource import Kind, Resource
from edgerouter.http.fields import Fields
from edgerouter.upstream.seam import Answer, Framing

_RENDITIONS = {Kind.RENDERED: Kept.RENDERED, Kind.THUMBNAIL: Kept.THUMBNAIL, Kind.VOLUME: Kept.VOLUME}


def may_keep(answer: Answer) -> bool:
    """Whether an answer may be kept at all. `private` is no hindrance: every hit is authorised by us.

    A 206 is part of something, or misses something (dcm4chee): never a whole."""
    directives = {word.strip().lower() for word in (answer.fields.get("cache-control") or "").split(",")}
    return answer.status == 200 and "no-store" not in directives and answer.fields.get("vary") != "*"


def proves_its_end(answer: Answer) -> bool:
    """Whether the connection itself tells that a body without an end mark of its own is whole."""
    return answer.framing is not Framing.CLOSE


def chosen(wanted: Sequence[Wish], held: Sequence[Held]) -> Held | None:
    """The representation that answers the client's wishes, if one does."""
    found = best(wanted, [(one.key.media, one.key.syntax or None) for one in held])
    if found is None:
        return None
    _, (media, syntax) = found
    return next(one for one in held if (one.key.media, one.key.syntax or None) == (media, syntax))


def lifetime_of(resource: Resource) -> Kept:
    """As what the units of a resource age."""
    if resource.kind is Kind.DICOM:
        return Kept.INSTANCE
    return _RENDITIONS.get(resource.kind, Kept.PIXELS)


def unit_kind(resource: Resource) -> UnitKind:
    if resource.kind is Kind.DICOM:
        return UnitKind.INSTANCE
    return UnitKind.FRAME if resource.kind is Kind.FRAMES else UnitKind.RENDITION


def cache_status(*, hit: bool, collapsed: bool = False, stored: bool = False, forwarded: str = "miss") -> str:
    """Our member of Cache-Status (RFC 9211)."""
    if hit:
        return "edgerouter; hit"
    words = ["edgerouter", f"fwd={forwarded}"]
    words += ["stored"] if stored else []
    words += ["collapsed"] if collapsed else []
    return "; ".join(words)


def refuses_memory(fields: Fields) -> bool:
    """RFC 9111 §5.2.1.5: nothing of this exchange is to be kept."""
    directives = {word.strip().lower() for word in (fields.get("cache-control") or "").split(",")}
    return "no-store" in directives
