"""What a client accepts, decided before any upstream is asked (PS3.18 §8.7.8).

The `accept` query parameter comes first, then Accept by q; a wildcard stands for the default type of the
resource's category. What nobody could serve is refused here with 406.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from edgerouter.dicomweb.media import ANY, DICOM, OCTETS, RELATED, ZIP, MediaType, Wish, parse, split_list
from edgerouter.dicomweb.offers import Asked, Category, category
from edgerouter.dicomweb.resource import Resource, Transaction
from edgerouter.dicomweb.syntaxes import canonical
from edgerouter.errors import BadRequest, NotAcceptable

MAX_RANGES = 64  # what is listed beyond is not looked at
_Q = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\Z")
_RENDERED = re.compile(r"(?:(?:image|video|text)/[^*]+|application/pdf)\Z")
# Pictures and texts that never are the bulk data of a frame, whatever else shares the name image/….
_NEVER_PIXELS = re.compile(r"(?:image/(?:png|gif|webp|avif|apng|svg\+xml)|text/[^*]+|application/pdf)\Z")


class _Range(NamedTuple):
    """One element of Accept, with its weight and how specific it is (RFC 9110 §12.5.1)."""

    asked: Asked
    q: float

    @property
    def rank(self) -> int:
        if self.asked.media == ANY:
            return 0
        if self.asked.wildcard:
            return 1
        return 3 if self.asked.tagged else 2


def wishes(
    resource: Resource,
    transaction: Transaction,
    accept_lines: Sequence[str],
    accept_query: str | None = None,
    *,
    strict: bool = False,
) -> tuple[Wish, ...]:
    """What the client takes of `resource`, best first; never empty.

    `accept_query` is the `accept` parameter (of WADO-URI: `contentType`), percent-decoded once; when any of
    it fits, Accept does not count. Raises BadRequest where DICOM and rendered types are mixed,
    NotAcceptable where nothing fits, or, if `strict`, where neither parameter nor field is there.
    """
    served = category(resource, transaction)
    if accept_query:
        explicit = [one for one in _ranges([accept_query]) if not one.asked.wildcard]
        if found := _fitting(served, explicit):
            return found
    lines = [line for line in accept_lines if line.strip()]
    if not lines and strict:
        raise NotAcceptable("The request has no Accept field (PS3.18 §8.4.2).")
    if found := _fitting(served, _ranges(lines or [ANY])):
        return found
    raise NotAcceptable(f"None of the acceptable media types fits. Available: {served.available}.")


def any_syntax(wanted: Sequence[Wish]) -> tuple[Wish, ...]:
    """The wishes of a client that takes any transfer syntax unless it names one. By the standard it would
    mean Explicit VR Little Endian, but some (3D Slicer) can decode what is stored, and do not say so."""
    if any(wish.transfer_syntax for wish in wanted):
        return tuple(wanted)
    tagged = (wish if wish.media == ZIP else replace(wish, transfer_syntax="*") for wish in wanted)
    return tuple(tagged)


def _fitting(served: Category, ranges: Sequence[_Range]) -> tuple[Wish, ...]:
    taken = [one for one in ranges if one.q > 0]
    _refuse_mixture(served, [one.asked for one in taken])
    refused = [one for one in ranges if one.q == 0]
    # RFC 9110 leaves ties open: a type that was named comes before one that a wildcard lets in.
    taken.sort(key=lambda one: (-one.q, one.asked.wildcard))
    found: dict[tuple[str, str | None, bool], Wish] = {}
    for one in taken:
        for media, syntax, multipart in served.offer(one.asked):
            wish = Wish(media, syntax, multipart, one.q)
            if not any(_excludes(no, one, wish) for no in refused):
                found.setdefault((media, syntax, multipart), wish)
    return tuple(found.values())


def _excludes(refused: _Range, taken: _Range, wish: Wish) -> bool:
    """Whether a range with q=0 takes back what a less specific range let in."""
    asked = refused.asked
    return (
        refused.rank >= taken.rank
        and asked.multipart == wish.multipart
        and asked.covers(wish.media)
        and (not asked.tagged or wish.transfer_syntax in asked.syntaxes)
    )


def _refuse_mixture(served: Category, asked: Sequence[Asked]) -> None:
    """PS3.18 §8.7.5: acceptable types are DICOM types or rendered types, not both.

    An untagged image/jpeg beside octets is bulk data where frames are asked for, and no mixture.
    """
    if not served.mixture:
        return
    plain = [one for one in asked if not one.tagged and not one.multipart and _RENDERED.match(one.media)]
    never_pixels = any(_NEVER_PIXELS.match(one.media) for one in plain)
    octets = served.pixels and any(one.tagged or one.media == OCTETS for one in asked)
    if (plain and any(one.media == DICOM for one in asked)) or (never_pixels and octets):
        raise BadRequest("The acceptable media types mix DICOM and rendered types (PS3.18 §8.7.5).")


def _ranges(lines: Sequence[str]) -> list[_Range]:
    return [one for one in _elements(lines) if one is not None]


def _elements(lines: Sequence[str]) -> Iterator[_Range | None]:
    left = MAX_RANGES
    for line in lines:
        for element in split_list(line, left):
            left -= 1
            media = parse(element)
            yield _range(media) if media else None


def _range(media: MediaType) -> _Range | None:
    q = media.get("q") or "1"
    if not _Q.match(q) or len(q) > 16:
        return None
    essence = media.essence
    multipart = essence in (RELATED, "multipart/*")
    if multipart:
        root = parse(media.get("type") or ANY)
        essence = root.essence if root else ""
    if not essence or essence.startswith("multipart/"):
        return None
    syntaxes = tuple(media.transfer_syntaxes)
    asked = Asked(canonical(essence), syntaxes or (None,), multipart, bool(syntaxes))
    return _Range(asked, min(float(q), 1.0))
