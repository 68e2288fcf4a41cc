"""The Accept field that an archive understands: one product takes lists, another one exact spelling."""

from collections.abc import Sequence
from dataclasses import replace

from edgerouter.dicomweb.media import ANY, DICOM, JSON, OCTETS, RELATED, XML, ZIP, Wish
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE, media_of_syntax
from edgerouter.upstream.profiles.profile import Profile

_PIXELS = (Kind.FRAMES, Kind.PIXELDATA)
_VALUES = (Kind.BULKDATA, Kind.TOKEN)
_PICTURES = (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME)


def spell_accept(profile: Profile, kind: Kind, level: Level | None, wishes: Sequence[Wish]) -> str:
    """The Accept field that gets `wishes` (best first) of such a resource from such an archive.

    Where it takes no lists, one range: of the most wanted the one the archive can give as it is stored,
    else the first it can give at all.
    """
    if not profile.accept_lists:
        wishes = [replace(_chosen(profile, kind, wishes), q=1.0)] if wishes else []
    spelled: dict[str, str] = {}
    for wish in wishes:
        spelled.setdefault(_range(_fitted(profile, kind, wish)), _weight(wish.q))
    return ", ".join(media + weight for media, weight in spelled.items()) or ANY


def _chosen(profile: Profile, kind: Kind, wishes: Sequence[Wish]) -> Wish:
    possible = [wish for wish in wishes if _possible(profile, kind, wish)] or list(wishes)
    best = [wish for wish in possible if wish.q == possible[0].q]
    as_stored = (wish for wish in best if wish.transfer_syntax == "*" and wish.media in (DICOM, OCTETS))
    return next(as_stored, best[0])


def _possible(profile: Profile, kind: Kind, wish: Wish) -> bool:
    if kind in _PICTURES and profile.pictures:
        return wish.media.endswith("/*") or wish.media in profile.pictures
    return wish.media != ZIP and not (wish.media == XML and profile.documents == "json")


def _fitted(profile: Profile, kind: Kind, wish: Wish) -> Wish:
    """The same wish as this archive can understand it; the answer is taken apart or wrapped on our side."""
    if wish.media in (JSON, ZIP):
        return wish
    if wish.media == XML:
        as_one = kind is Kind.COLLECTION and not profile.multipart_xml_search
        return replace(wish, multipart=wish.multipart and not as_one)
    if kind in _PICTURES:
        wild = bool(profile.pictures) and wish.media.endswith("/*")
        return replace(wish, media=profile.pictures[0]) if wild else wish
    if kind is Kind.DICOM or kind in _PIXELS or kind in _VALUES:
        wish = replace(wish, multipart=wish.multipart or not profile.single_part)
    if kind in _VALUES and not profile.plain_values:
        return replace(wish, media=OCTETS, transfer_syntax=None)
    if kind in _PIXELS and not profile.tagged_octets:
        return _pixels(wish)
    return wish


def _pixels(wish: Wish) -> Wish:
    syntax = wish.transfer_syntax
    if wish.media != OCTETS:
        return replace(wish, transfer_syntax=None) if syntax == "*" else wish
    if syntax in (None, "*", EXPLICIT_VR_LE):
        return wish
    return replace(wish, media=media_of_syntax(syntax) or OCTETS)


def _range(wish: Wish) -> str:
    syntax = f"; transfer-syntax={wish.transfer_syntax}" if wish.transfer_syntax else ""
    return f'{RELATED}; type="{wish.media}"{syntax}' if wish.multipart else f"{wish.media}{syntax}"


def _weight(q: float) -> str:
    return "" if q >= 1 else f";q={q:.3g}"
