"""What may be kept, under which name, and what that satisfies: decisions only (RFC 9111 §3, RFC 9211)."""

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Literal
from urllib.parse import quote, urlencode

from edgerouter.cache.freshness import Kept
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicomweb import query
from edgerouter.dicomweb.media import DICOM, JSON, XML, ZIP, Wish, satisfies
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE, default_syntax
from edgerouter.dicomweb.wado_uri import NAMING, read_wado_uri
from edgerouter.errors import BadRequest
from edgerouter.http.fields import Fields
from edgerouter.transactions.inbound import Inbound
from edgerouter.upstream.seam import Answer, Framing

Form = tuple[str, str | None]  # media type and transfer syntax of what is held
# Why an upstream was asked (RFC 9211 §2.2).
Forwarded = Literal["miss", "partial", "stale", "request", "bypass"]

_RENDITIONS = {
    Kind.RENDERED: Kept.RENDERED,
    Kind.WADO_URI: Kept.RENDERED,
    Kind.THUMBNAIL: Kept.THUMBNAIL,
    Kind.VOLUME: Kept.VOLUME,
    Kind.BULKDATA: Kept.PIXELS,
}
ALL_BULKDATA = "bulkdata"


def is_kept(inbound: Inbound, wanted: Sequence[Wish]) -> bool:
    """Whether what is asked for is something that is kept, in a form that is kept.

    A query may name another thing than the path does (AWS: `imageSetId`), so only renditions, whose names
    hold it, may have one."""
    kind = inbound.resource.kind
    if "no-store" in directives(inbound.fields):
        return False
    if kind is Kind.BULKDATA and inbound.resource.tail == ALL_BULKDATA:
        return inbound.resource.level is Level.INSTANCE and not query.clean(inbound.query, drop=("accept",))
    if kind in _RENDITIONS:
        return "accept-charset" not in inbound.fields and rendition(inbound) is not None
    if query.clean(inbound.query, drop=("accept",)):
        return False
    if kind is Kind.METADATA:
        return wanted[0].media in (JSON, XML)
    return kind in (Kind.FRAMES, Kind.PIXELDATA) or (kind is Kind.DICOM and wanted[0].media in (DICOM, ZIP))


def is_rendition(kind: Kind) -> bool:
    return kind in _RENDITIONS


def names(inbound: Inbound) -> tuple[str, ...]:
    """The names of the units of an answer within their instance: "" for PS3.10."""
    if inbound.resource.kind is Kind.FRAMES:
        return tuple(str(number) for number in inbound.resource.frames)
    return (rendition(inbound) or "",) if is_rendition(inbound.resource.kind) else ("",)


def rendition(inbound: Inbound) -> str | None:
    """The name of a rendition: its path below its instance and its parameters, sorted by name, decoded and
    encoded in one way. None for what has no such name."""
    resource = inbound.resource
    if resource.study is None or resource.tail == ALL_BULKDATA:
        return None
    if resource.kind is Kind.WADO_URI:
        return _wado_uri(inbound.query)
    try:
        given = [pair for pair in query.pairs(inbound.query) if pair[0] != "accept"]
    except BadRequest:
        return None
    path = resource.path.removeprefix(f"{resource.parent}/")
    return f"{path}?{urlencode(sorted(given, key=itemgetter(0)), quote_via=quote)}" if given else path


def _wado_uri(query: str) -> str | None:
    """The name of what the URI service renders (PS3.18 §9.1); None for what is new each time."""
    asked = read_wado_uri(query)
    rest = [pair for pair in asked.parameters if pair[0] not in NAMING]
    return None if asked.anonymize else f"wado?{urlencode(rest, quote_via=quote)}"


def unit_kind(kind: Kind) -> UnitKind:
    """Which kind of unit answers a kind of resource."""
    if kind is Kind.DICOM:
        return UnitKind.INSTANCE
    return UnitKind.FRAME if kind is Kind.FRAMES else UnitKind.RENDITION


def lifetime_of(kind: Kind) -> Kept:
    """As what the units of a resource age."""
    return Kept.INSTANCE if kind is Kind.DICOM else _RENDITIONS.get(kind, Kept.PIXELS)


def may_keep(answer: Answer) -> bool:
    """Whether an answer may be kept at all. `private` is no hindrance: every hit is authorised by us.

    A 206 is part of something, or misses something (dcm4chee): never a whole."""
    varies = {name.strip() for name in (answer.fields.get("vary") or "").split(",")}
    return answer.status == 200 and "no-store" not in directives(answer.fields) and "*" not in varies


def proves_its_end(answer: Answer) -> bool:
    """Whether the connection itself tells that a body without an end mark of its own is whole."""
    return answer.framing is not Framing.CLOSE


def directives(fields: Fields) -> set[str]:
    """The Cache-Control directives without arguments."""
    return {word.strip().lower() for word in (fields.get("cache-control") or "").split(",")}


def chosen(wanted: Sequence[Wish], held: Sequence[Held]) -> Held | None:
    """The representation that answers the client's wishes, if one does."""
    return uniform(wanted, [held])[0]


def uniform(wanted: Sequence[Wish], held: Sequence[Sequence[Held]]) -> list[Held | None]:
    """Of each of several things the same representation, where it is held: clients take the first part of a
    frame list for the model of all.

    Where any transfer syntax will do, a compressed one is what the archive has; the other may have been
    made of it."""
    each = [{(one.key.media, one.key.syntax or None): one for one in some} for some in held]
    of_all = set.intersection(*(set(some) for some in each if some)) if any(each) else set()
    made = {form for some in each for form, one in some.items() if one.made}
    found = fitting(wanted, sorted(of_all, key=lambda form: (form[1] == EXPLICIT_VR_LE, str(form))), made)
    return [some.get(found) if found else None for some in each]


def fitting(wanted: Sequence[Wish], forms: Sequence[Form], made: Collection[Form]) -> Form | None:
    """As media.best; what was made to order is not what any transfer syntax means."""
    for wish in wanted:
        if wish.q < wanted[0].q:
            return None
        for form in forms:
            if (form not in made or wish.transfer_syntax != "*") and satisfies(wish, *form):
                return form
    return None


def syntax_of(media: str, said: str | None, wanted: Sequence[Wish]) -> str | None:
    """The transfer syntax of a frame: the one it names, else the only one that was asked for under its
    media type; None when it may be any."""
    if said:
        return said
    if any(wish.transfer_syntax == "*" for wish in wanted):
        return None
    asked = {wish.transfer_syntax for wish in wanted if wish.media == media}
    if asked == {None}:
        return default_syntax(media)
    return asked.pop() if len(asked) == 1 else None


def made_to_order(media: str, syntax: str, wanted: Sequence[Wish]) -> bool:
    """Whether pixels may have been compressed because just that was asked for: they do not answer who takes
    any transfer syntax in the place of what the archive has. Explicit VR Little Endian does (PS3.18 §8.7.3).
    """
    named = (wish for wish in wanted if wish.transfer_syntax != "*")
    return syntax != EXPLICIT_VR_LE and any(satisfies(wish, media, syntax) for wish in named)


def lawful(key: UnitKey) -> UnitKey | None:
    """The key, unless it cannot be written down: then what it would name is not kept."""
    try:
        return key if key.text else None
    except ValueError:
        return None


def own_status(status: str, detail: str = "") -> str:
    """Our member of Cache-Status (RFC 9211) for an answer from what is held."""
    return f"edgerouter; {status}; detail={detail}" if detail else f"edgerouter; {status}"


def forward_status(forwarded: Forwarded, *, stored: bool = False, collapsed: bool = False) -> str:
    """Our member of Cache-Status for an answer, or part of one, that came from an upstream."""
    words = ["edgerouter", f"fwd={forwarded}"]
    words += ["stored"] if stored else []
    words += ["collapsed"] if collapsed else []
    return "; ".join(words)
