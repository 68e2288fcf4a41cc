"""What is particular about an archive product: its spelling of Accept, its lists, its limits.

The orthanc profile was tried on Orthanc 1.10.1 with its DICOMweb plugin 1.7 (Debian 12):

- frames: one media range, no list (a list is a 500, a weight on the one range is harmless); octets only
  with `transfer-syntax=*`, uncompressed, or none, so a compressed syntax goes by its own image type; an
  image type with `*` is a 400; what it cannot transcode is a 500. Big endian frames fail under `*`.
- studies, series, instances: multipart only, `application/dicom` alone is a 400.
- metadata: XML as multipart, without `transfer-syntax`. Searches and Store answers: XML only for a lone
  `application/dicom+xml`, which a search then answers as multipart; anything else is answered with JSON.
- bulk data: `multipart/related; type="application/octet-stream"` or nothing, and no Range.
- rendered: `image/jpeg` or `image/png`, one of them, no `image/*`; no thumbnails, no zip, no `/pixeldata`.
- it gzips pixels, too, for whoever accepts gzip; HEAD and OPTIONS are 404; a Store is multipart or 415;
  kept connections end after one second; WADO-URI wants `contentType=application/dicom` unencoded.

Newer plugins (1.16 and later) differ: rendered types and thumbnails grow, frames stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from edgerouter.dicomweb.media import ANY, DICOM, JSON, OCTETS, RELATED, XML, ZIP, Wish
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.dicomweb.syntaxes import EXPLICIT_VR_LE, media_of_syntax

_PIXELS = (Kind.FRAMES, Kind.PIXELDATA)
_VALUES = (Kind.BULKDATA, Kind.TOKEN)
_PICTURES = (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME)


@dataclass(frozen=True, slots=True)
class Profile:
    """One product's ways. The defaults are the standard's (PS3.18)."""

    name: str
    accept_lists: bool = True
    """Takes several media ranges with weights; otherwise it gets the one that serves best."""
    single_part: bool = True
    """Answers with a single instance, frame or bulk value alone, not only as multipart."""
    tagged_octets: bool = True
    """Frames as octets may name a compressed transfer syntax; otherwise its image type does."""
    plain_values: bool = True
    """Bulk values may be asked for by their own type and transfer syntax."""
    multipart_xml_search: bool = True
    """XML search results are asked for as multipart/related."""
    pictures: tuple[str, ...] = ()
    """The rendered types it has, its default first; empty for whatever it may have."""
    value_separator: Literal[",", "%2C", "%5C"] = ","
    """Between the values of a list in a query; `%2C` and `,` are not the same to everybody."""
    repeats_includefield: bool = False
    """includefield once per attribute instead of as a list."""
    slow_fields: Mapping[Level, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Attributes not worth asking for at a level, by their tags."""
    limit_min: int = 0
    limit_max: int | None = None
    """The bounds of `limit`."""
    offset_needs_limit: bool = False
    """An offset without a limit may be ignored."""
    no_match: int = 204
    """The status of a search without results."""
    missing_is_206: bool = False
    """206 without Content-Range says that some objects are missing."""
    frames_batch: int | None = None
    """How many frames are best asked for in one request; None for as many as wanted."""
    validators: bool = True
    """Its ETags may be relied on."""
    gzips_pixels: bool = False
    """It compresses pixels for whoever accepts gzip."""
    answers_head: bool = True
    derive_metadata: bool = False
    """Its metadata says what its instances do, so that one may be made of the other."""
    single_part_store: bool = True
    """Takes one instance as a lone `application/dicom` body."""
    plain_content_type: bool = False
    """WADO-URI's contentType must not be percent-encoded."""
    forward: tuple[str, ...] = ()
    """Request fields that shape its links; sent only if configured, since we map links ourselves."""


STANDARD = Profile("standard")
ORTHANC = Profile(
    "orthanc",
    accept_lists=False,
    single_part=False,
    tagged_octets=False,
    plain_values=False,
    multipart_xml_search=False,
    pictures=("image/jpeg", "image/png"),
    slow_fields=MappingProxyType({Level.STUDY: frozenset({"00080060"})}),
    offset_needs_limit=True,
    no_match=200,
    frames_batch=1,
    validators=False,
    gzips_pixels=True,
    answers_head=False,
    derive_metadata=True,
    single_part_store=False,
    plain_content_type=True,
    forward=("x-forwarded-host", "x-forwarded-proto"),
)
DCM4CHEE = Profile(
    "dcm4chee",
    single_part=False,
    repeats_includefield=True,
    limit_min=1,
    limit_max=99999,
    missing_is_206=True,
)
PROFILES: Mapping[str, Profile] = MappingProxyType({one.name: one for one in (STANDARD, ORTHANC, DCM4CHEE)})


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
    return wish.media != ZIP


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
