"""The Native DICOM Model (PS3.19 A.1) from DICOM JSON, by the mapping of PS3.18 F.3.

Tags of private attributes are written as they stand in the data set, with `privateCreator` beside them, and
the private creators are kept, so nothing is lost on the way back. The JSON may be an upstream's: hostile.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeVar
from xml.sax.saxutils import escape, quoteattr

import msgspec

from edgerouter.dicom.dictionary import creator_of, hex_tag, is_creator, is_private, keyword_of

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MAX_DEPTH = 64
T = TypeVar("T")
_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
_VR = re.compile(r"[A-Z]{2}\Z")
# What XML 1.0 cannot say at all becomes U+FFFD; what parsers would normalise is written as a reference.
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCES = {"\r": "&#13;"}
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def json_to_xml(row: bytes) -> bytes:
    """One DICOM JSON object (its text) as an application/dicom+xml document in UTF-8.

    Numbers keep their spelling. Raises ValueError when it is not DICOM JSON or nested too deeply.
    """
    try:
        model = _DECODER.decode(row)
    except (msgspec.DecodeError, RecursionError):
        raise _refusal() from None
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    )
    return f"{head}{''.join(_object(model, 0))}</NativeDicomModel>".encode()


def _object(model: object, depth: int) -> Iterator[str]:
    attributes = _as(dict, model)
    if depth > MAX_DEPTH:
        raise _refusal()
    for name in sorted(attributes):
        attribute = _as(dict, attributes[name])
        vr = _as(str, attribute.get("vr", "UN"))
        if not _TAG.match(name) or not _VR.match(vr):
            raise _refusal()
        tag = int(name, 16)
        yield f'<DicomAttribute tag="{hex_tag(tag)}" vr="{vr}"{_naming(tag, attributes)}>'
        yield from _content(attribute, vr, depth)
        yield "</DicomAttribute>"


def _naming(tag: int, attributes: dict[str, object]) -> str:
    if not is_private(tag):
        keyword = keyword_of(tag)
        return f' keyword="{keyword}"' if keyword else ""
    if is_creator(tag):
        return ""
    reservation = _as(dict, attributes.get(hex_tag(creator_of(tag)), {}))
    creator = next(iter(_as(list, reservation.get("Value", []))), None)
    return f" privateCreator={_quoted(creator)}" if isinstance(creator, str) else ""


def _content(attribute: dict[str, object], vr: str, depth: int) -> Iterator[str]:
    if "BulkDataURI" in attribute:
        yield f"<BulkData uri={_quoted(attribute['BulkDataURI'])}/>"
    elif "InlineBinary" in attribute:
        yield f"<InlineBinary>{_text(attribute['InlineBinary'])}</InlineBinary>"
    for number, value in enumerate(_as(list, attribute.get("Value", [])), start=1):
        if vr == "SQ":
            yield f'<Item number="{number}">' + "".join(_object(value, depth + 1)) + "</Item>"
        elif vr == "PN":
            yield f'<PersonName number="{number}">{_person_name(_as(dict, value or {}))}</PersonName>'
        elif value is None:
            yield f'<Value number="{number}"/>'
        else:
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _person_name(name: dict[str, object]) -> str:
    groups = ((group, _as(str, name[group])) for group in _GROUPS if name.get(group))
    return "".join(f"<{group}>{_components(value)}</{group}>" for group, value in groups)


def _components(group: str) -> str:
    named = zip(_COMPONENTS, group.split("^"), strict=False)
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in named if value)


def _text(value: object) -> str:
    text = str(value) if isinstance(value, int) else _as(str, value)
    return escape(_IMPOSSIBLE.sub("\ufffd", text), _REFERENCES)


def _quoted(value: object) -> str:
    return quoteattr(_IMPOSSIBLE.sub("\ufffd", _as(str, value)))


def _as(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise _refusal()
    return value


def _refusal() -> ValueError:
    return ValueError("Not a DICOM JSON object, or one nested too deeply.")
