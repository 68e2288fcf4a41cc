"""DICOM JSON (PS3.18 §F.2) from the Native DICOM Model (PS3.19 §A.1), by the mapping of PS3.18 §F.3.1.

The way back from edgerouter.dicom.xml_model. Numbers keep their spelling, text its spaces; private
attributes that share a tag are brought into blocks of their own. The document may be an upstream's: hostile.
"""

import re
from dataclasses import dataclass, field

from edgerouter.dicom.dataset import BINARY, NUMERIC
from edgerouter.dicom.dictionary import hex_tag, is_creator
from edgerouter.dicom.json_model import Row, encode, spelled
from edgerouter.dicomweb.private_blocks import BlockError, assigned
from edgerouter.dicomweb.xml_scan import XmlError, read

MAX_VALUES = 1 << 20  # of one attribute: more would be bulk data
_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
_VR = re.compile(r"[A-Z]{2}\Z")
_NUMBER = re.compile(r"[1-9][0-9]{0,6}\Z")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_EXACT = 2**53  # integers beyond it are strings: a reader's doubles do not hold them
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# The edition of 2011 said SingleByte.
_GROUPS = {
    "Alphabetic": "Alphabetic",
    "SingleByte": "Alphabetic",
    "Ideographic": "Ideographic",
    "Phonetic": "Phonetic",
}
_VALUES = ("Value", "PersonName", "Item")


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list["_Node"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def xml_to_json(document: bytes) -> bytes:
    """An application/dicom+xml document as one DICOM JSON object in UTF-8, attributes ascending.

    Raises XmlError when it is not the Native DICOM Model.
    """
    return encode(_object(_tree(document)))


def _tree(document: bytes) -> _Node:
    top = _Node("", {})
    opened = [top]

    def start(name: str, attributes: dict[str, str], offset: int) -> None:
        node = _Node(name, attributes)
        opened[-1].children.append(node)
        opened.append(node)

    def end(name: str, offset: int) -> None:
        opened.pop()

    read(document, start, end, lambda text: opened[-1].texts.append(text))
    (root,) = top.children
    if root.name != "NativeDicomModel":
        raise _refusal()
    return root


def _object(data_set: _Node) -> Row:
    nodes = [node for node in data_set.children if node.name == "DicomAttribute" and _belongs(node)]
    named = [(_tag(node), node.attributes.get("privateCreator", "")) for node in nodes]
    pairs = zip(nodes, named, strict=True)
    held = {tag: _creator(node) for node, (tag, of) in pairs if is_creator(tag) and not of}
    try:
        tags, added = assigned(named, held)
    except BlockError as error:
        raise XmlError(str(error)) from error
    if len(set(tags)) != len(tags):
        raise _refusal()
    row: Row = {hex_tag(tag): {"vr": "LO", "Value": [creator]} for tag, creator in added.items()}
    row |= {hex_tag(tag): _attribute(node) for tag, node in zip(tags, nodes, strict=True)}
    return dict(sorted(row.items()))


def _tag(node: _Node) -> int:
    tag = node.attributes.get("tag", "")
    if not _TAG.match(tag):
        raise _refusal()
    return int(tag, 16)


def _belongs(node: _Node) -> bool:
    """Neither a group length nor File Meta Information (PS3.18 §10.4)."""
    tag = _tag(node)
    return bool(tag & 0xFFFF) and tag >> 16 != 2


def _creator(node: _Node) -> str:
    return next((child.text.strip() for child in node.children if child.name == "Value"), "")


def _attribute(node: _Node) -> dict[str, object]:
    vr = node.attributes.get("vr", "")
    if not _VR.match(vr):
        raise _refusal()
    found: dict[str, object] = {"vr": vr}
    bulk = [child for child in node.children if child.name in ("BulkData", "InlineBinary")]
    values = [child for child in node.children if child.name in _VALUES and not _is_filler(vr, child)]
    if len(bulk) > 1 or (bulk and values):
        raise _refusal()
    for child in bulk:
        if child.name == "InlineBinary":
            found["InlineBinary"] = "".join(child.text.split())
        else:
            # PS3.19 writes uri, PS3.18 printed URI.
            found["BulkDataURI"] = child.attributes.get("uri") or child.attributes.get("URI", "")
    if values:
        found["Value"] = _numbered(vr, values)
    return found


def _is_filler(vr: str, node: _Node) -> bool:
    """An empty Value beside items: Orthanc writes one into each sequence."""
    return vr == "SQ" and node.name == "Value" and not node.text.strip()


def _numbered(vr: str, nodes: list[_Node]) -> list[object]:
    """The values in their places; one that is not there is null."""
    placed: dict[int, object] = {}
    for node in nodes:
        place = node.attributes.get("number", "")
        if not _NUMBER.match(place) or int(place) in placed or int(place) > MAX_VALUES:
            raise _refusal()
        placed[int(place)] = _value(vr, node)
    last = max(placed)
    if last > 2 * len(placed) + 64:  # a gap costs as much as a value
        raise _refusal()
    empty: object = {} if vr == "SQ" else None
    return [placed.get(place, empty) for place in range(1, last + 1)]


def _value(vr: str, node: _Node) -> object:
    if (vr == "SQ") != (node.name == "Item") or (vr == "PN") != (node.name == "PersonName") or vr in BINARY:
        raise _refusal()
    if vr == "SQ":
        return _object(node)
    if vr == "PN":
        return _person_name(node)
    if vr in NUMERIC:
        return _number(vr, node.text.strip())
    return node.text or None


def _person_name(node: _Node) -> dict[str, str] | None:
    groups = {}
    for group in node.children:
        parts = {part.name: part.text for part in group.children}
        if group.name not in _GROUPS or not parts.keys() <= set(_COMPONENTS):
            raise _refusal()
        groups[_GROUPS[group.name]] = "^".join(parts.get(name, "") for name in _COMPONENTS).rstrip("^")
    return {name: text for name, text in groups.items() if text} or None


def _number(vr: str, spelling: str) -> object:
    """A number in its spelling where JSON and its readers hold it, else the text."""
    if not spelling:
        return None
    if (
        vr in ("SV", "UV")
        and _INTEGER.match(spelling)
        and (len(spelling) > 20 or abs(int(spelling)) > _EXACT)
    ):
        return spelling
    return spelled(spelling)


def _refusal() -> XmlError:
    return XmlError("The XML is not a Native DICOM Model.")
