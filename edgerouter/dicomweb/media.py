"""Media types as DICOMweb writes them (PS3.18 §8.7): read tolerantly, written one way.

Archives and clients quote, order, repeat and nest parameters in every way there is; nothing of that
gets past this module. What is unusable is None here, and an error only where the caller knows whose.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from edgerouter.dicomweb.resource import is_uid
from edgerouter.dicomweb.syntaxes import PIXEL_MEDIA, canonical, default_syntax

DICOM = "application/dicom"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
ZIP = "application/zip"
RELATED = "multipart/related"
ANY = "*/*"
_RENDERED_DEFAULTS = ("image/jpeg", "text/html")
_DATASETS = frozenset({DICOM, JSON, XML, ZIP})

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ESSENCE = re.compile(rf"{_TOKEN}/{_TOKEN}\Z")
_NAME = re.compile(rf"{_TOKEN}\Z")
_QUOTED = r'"(?:[^"\\]|\\.)*+"?'
_ELEMENT = re.compile(rf'(?:[^,"]|{_QUOTED})++', re.DOTALL)
_SEGMENT = re.compile(rf'(?:[^;"]|{_QUOTED})++', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,199}[0-9A-Za-z'()+_,./:=?-]\Z")


@dataclass(frozen=True, slots=True)
class Wish:
    """One representation a client takes, in the order of its preference (PS3.18 §8.7.8).

    `media` is concrete, except for rendered resources, WADO-URI and the root, where `*/*` and `image/*`
    stay as they came: only the origin knows the category. For multipart it is the type of the parts.
    `transfer_syntax` is a UID, `*`, or None: the parameter was absent and the default is meant.
    """

    media: str
    transfer_syntax: str | None = None
    multipart: bool = False
    q: float = 1.0


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range: `essence` and parameter names in lower case, values unquoted."""

    essence: str
    pairs: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The parameter's first value."""
        return next((value for key, value in self.pairs if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    @property
    def transfer_syntaxes(self) -> list[str]:
        """The `transfer-syntax` values that are a UID or `*`, in order, each once: OHIF sends two."""
        values = (value.strip() for value in self.all("transfer-syntax"))
        return list(dict.fromkeys(value for value in values if value == "*" or is_uid(value)))


def parse(text: str) -> MediaType | None:
    """The media type or range `text` spells, or None when it spells none.

    A `type` value may carry parameters inside its quotes (Orthanc 1.7); they count as the outer one's.
    """
    segments = _SEGMENT.findall(text)
    essence = segments[0].strip().lower() if segments else ""
    essence = ANY if essence == "*" else essence  # java.net.HttpURLConnection sends a lone asterisk
    if text.lstrip().startswith(";") or not _ESSENCE.match(essence):
        return None
    pairs = [pair for segment in segments[1:] for pair in _pair(segment)]
    return MediaType(essence, tuple(pairs))


def _pair(segment: str) -> list[tuple[str, str]]:
    name, equals, value = segment.partition("=")
    name = name.strip().lower()
    if not equals or not _NAME.match(name):
        return []
    value = _unquoted(value.strip())
    if name == "type" and ";" in value and (inner := parse(value)):
        return [("type", inner.essence), *inner.pairs]
    return [(name, value)]


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    value = value[1:-1] if value.endswith('"') and len(value) > 1 else value[1:]
    return _ESCAPE.sub(r"\1", value)


def split_list(value: str, most: int | None = None) -> list[str]:
    """The elements of a comma-separated field value, commas inside quotes left alone; at most `most`."""
    elements = (match.group().strip() for match in _ELEMENT.finditer(value))
    return list(islice(filter(None, elements), most))


def is_boundary(text: str) -> bool:
    """RFC 2046 §5.1.1: its characters, the last no space; 1 to 200 of them, where the RFC has 70: Orthanc's
    Store client writes 73."""
    return _BOUNDARY.match(text) is not None


def part_type(content_type: str | None, root: MediaType | None = None) -> tuple[str, str | None]:
    """What an upstream's part is: canonical media type and transfer syntax, None when none is named.

    The part's own Content-Type counts; what it leaves out comes from the envelope's `root` type.
    """
    own = parse(content_type) if content_type else None
    named = own or root or MediaType(OCTETS)
    syntaxes = [uid for uid in named.transfer_syntaxes if uid != "*"]
    if not syntaxes and root and canonical(root.essence) == canonical(named.essence):
        syntaxes = [uid for uid in root.transfer_syntaxes if uid != "*"]
    return canonical(named.essence), syntaxes[0] if syntaxes else None


def content_type_of_multipart(value: str | None) -> tuple[MediaType | None, str] | None:
    """Root type and boundary of a multipart/related Content-Type, or None when it is not a usable one.

    The root type is None when `type` is missing; it has the parameters of the whole but `boundary`.
    """
    envelope = parse(value) if value else None
    boundary = envelope.get("boundary") if envelope else None
    if not envelope or envelope.essence != RELATED or not boundary or not is_boundary(boundary):
        return None
    root = parse(envelope.get("type") or "")
    if root is None:
        return None, boundary
    rest = tuple(pair for pair in envelope.pairs if pair[0] not in ("type", "boundary"))
    return MediaType(root.essence, rest), boundary


def part_content_type(media: str, transfer_syntax: str | None = None) -> str:
    """A part's Content-Type; the transfer syntax is never quoted (dicomweb-client for JavaScript)."""
    return f"{media}; transfer-syntax={transfer_syntax}" if transfer_syntax else media


def multipart_content_type(root: str, boundary: str, transfer_syntax: str | None = None) -> str:
    """The Content-Type of an answer of ours: quoted type, bare boundary (PS3.18 §8.6.1.2)."""
    syntax = f"; transfer-syntax={transfer_syntax}" if transfer_syntax else ""
    return f'{RELATED}; type="{root}"{syntax}; boundary={boundary}'


def satisfies(wish: Wish, media: str, transfer_syntax: str | None, *, any_pixels: bool = True) -> bool:
    """Whether bytes held as that media type and transfer syntax are exactly what the wish asks for.

    No syntax wished is the media type's default and nothing else; `*` is any; a UID is that one. Held
    without a syntax means the default, but for PS3.10 files, which name theirs inside: unknown, so only
    `*` takes them. `any_pixels`: octets asked for with a syntax may come as a compressed media type, as
    archives answer `application/octet-stream; transfer-syntax=*`.
    """
    if not _same_media(wish, media, transfer_syntax, any_pixels):
        return False
    if wish.transfer_syntax is not None:
        return wish.transfer_syntax in ("*", transfer_syntax)
    if transfer_syntax is None:
        return media != DICOM
    return transfer_syntax == default_syntax(media)


def _same_media(wish: Wish, media: str, transfer_syntax: str | None, any_pixels: bool) -> bool:
    if wish.media == media:
        return True
    if wish.media.endswith("/*"):
        # Only what the origin would have chosen itself for the wildcard (PS3.18 Table 8.7.4-1).
        return media in _RENDERED_DEFAULTS and (wish.media == ANY or media.startswith(wish.media[:-1]))
    if wish.media != OCTETS:
        return False
    if wish.transfer_syntax is not None:
        return any_pixels and media in PIXEL_MEDIA
    # The value of an encapsulated document is the same bytes under its own name.
    return transfer_syntax is None and media not in PIXEL_MEDIA and media not in _DATASETS


Held = tuple[str, str | None]  # media type and actual transfer syntax of something we have


def best(wishes: Sequence[Wish], held: Sequence[Held], *, lower_q: bool = False) -> tuple[Wish, Held] | None:
    """The first wish that something held satisfies, or None: then what is wished has to be fetched.

    Only wishes of the highest q count, because a fetch might still bring one of those; with `lower_q`
    (the upstream cannot, or is away) all do. Among several held, the first is taken.
    """
    for wish in wishes:
        if wish.q < wishes[0].q and not lower_q:
            return None
        for media, syntax in held:
            if satisfies(wish, media, syntax):
                return wish, (media, syntax)
    return None
