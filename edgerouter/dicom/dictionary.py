"""The data dictionary (PS3.6) as this room asks it: tags, keywords, value representations, from pydicom."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, private_dictionary_VR, tag_for_keyword

_HEX = re.compile(r"[0-9A-Fa-f]{8}\Z")

Creators = Mapping[int, str]  # (gggg,00xx) -> who reserved the block, within one data set

# The VRs the dictionary leaves to the context (PS3.5 A.1), as they are once the context said no more.
_AMBIGUOUS = {"US or SS": "US", "US or OW": "OW", "US or SS or OW": "OW", "OB or OW": "OW"}


def tag_of(name: str) -> int | None:
    """The tag a keyword or eight hex digits name; None when they name none (PS3.18 §8.3.4.1)."""
    if _HEX.match(name):
        return int(name, 16)
    return tag_for_keyword(name)


def hex_tag(tag: int) -> str:
    """A tag as DICOM JSON writes it: eight upper-case hex digits."""
    return f"{tag:08X}"


@lru_cache(maxsize=4096)
def keyword_of(tag: int) -> str:
    """The keyword of a tag, "" when the dictionary has none."""
    return keyword_for_tag(tag)


@lru_cache(maxsize=4096)
def public_vr(tag: int) -> str:
    """The VR of a public attribute, ambiguous ones as the dictionary writes them; "UN" when unknown."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


@lru_cache(maxsize=4096)
def _private_vr(tag: int, creator: str) -> str:
    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return "UN"


def is_private(tag: int) -> bool:
    return bool(tag >> 16 & 1)


def is_creator(tag: int) -> bool:
    """True for (gggg,0010-00FF), gggg odd: the reservation of a private block (PS3.5 §7.8.1)."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def creator_of(tag: int) -> int:
    """The tag of the reservation that a private attribute stands under."""
    return tag & 0xFFFF0000 | tag >> 8 & 0xFF


def vr_of(tag: int, creators: Creators, *, signed: bool) -> str:
    """The VR of an attribute whose encoding does not tell it; "UN" when the dictionary does not either.

    `signed` is Pixel Representation (0028,0103) of the nearest data set that has it: it decides "US or SS".
    """
    if tag & 0xFFFF == 0:
        return "UL"  # a group length
    if is_creator(tag):
        return "LO"
    vr = _private_vr(tag, creators.get(creator_of(tag), "")) if is_private(tag) else public_vr(tag)
    if vr == "US or SS" and signed:
        return "SS"
    return _AMBIGUOUS.get(vr, vr)
