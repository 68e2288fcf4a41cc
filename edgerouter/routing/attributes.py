"""Attribute names as a query spells them (PS3.18 §8.3.4): keyword or tag, also inside sequences, made one."""

import re

from pydicom.datadict import dictionary_VR, keyword_dict, keyword_for_tag

from edgerouter.dicom import dictionary, text

_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
_FIRST_GROUP = 0x0008  # what stands before is about the file or the message, not the instance
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_READ = text.MULTIPLE | text.SINGLE | _NUMBERS


def attribute(name: str) -> str | None:
    """The attribute's one name: keywords joined by dots, upper-case hex for tags outside PS3.6; else None."""
    steps = [_step(step) for step in name.split(".")]
    known = [step for step in steps if step is not None]
    return ".".join(known) if len(known) == len(steps) else None


def is_person_name(name: str) -> bool:
    """Whether the attribute's VR is PN, whose matching may ignore case (PS3.4 §C.2.2.2.1.1)."""
    keyword = name.rpartition(".")[2]
    return keyword in keyword_dict and dictionary_VR(keyword) == "PN"


def unreadable(name: str) -> str | None:
    """Why rules cannot look at an attribute of an instance, for people; None when they can."""
    if "." in name:
        return "is inside a sequence"
    tag = dictionary.tag_of(name) or 0
    if tag >> 16 < _FIRST_GROUP:
        return "is not in the dataset"
    if dictionary.is_private(tag):
        return "is private"
    vr = dictionary.vr_of(tag, {}, signed=False)
    if vr == "SQ":
        return "is a sequence"
    return None if vr in _READ else "has no value as text"


def keywords() -> tuple[str, ...]:
    """Every keyword of PS3.6, for suggestions."""
    return tuple(keyword for keyword in keyword_dict if keyword)


def _step(text: str) -> str | None:
    if _TAG.match(text):
        return keyword_for_tag(int(text, 16)) or text.upper()
    return text if text and text in keyword_dict else None  # PS3.6 has retired elements without one
