"""DICOM JSON (PS3.18 §F) from the Native DICOM Model (PS3.19 §A.1), for archives that answer in XML only.

Everything of a dataset is carried over: person names, items, bulk data by reference or in line, empty values
at their place, and private attributes under a block of their creator's. The XML is an upstream's: hostile.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edgerouter.dicomweb.xml_scan import XmlError, read

MAX_VALUES = 65_536  # of one attribute: their numbers are the document's word
_TAG = re.compile(r"[0-9A-F]{8}\Z")
_VR = re.compile(r"[A-Z]{2}\Z")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}\Z")
_INTEGERS = frozenset({"SL", "SS", "SV", "UL", "US", "UV"})
_FLOATS = frozenset({"FD", "FL"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}\Z")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?\Z")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

Model = dict[str, Any]


def xml_to_json(document: bytes) -> bytes:
    """One document as a DICOM JSON object, its tags ascending; raises XmlError."""
    reader = _Reader()
    read(document, reader.start, reader.end, reader.text.append)
    return msgspec.json.encode(reader.root)


@dataclass(slots=True)
class _Attribute:
    """A DicomAttribute being read, or the dataset (`values` unused) it is in."""

    name: str
    model: Model = field(default_factory=dict)
    tag: str = ""
    vr: str = ""
    creator: str = ""
    values: dict[int, Any] = field(default_factory=dict)
    number: int = 0
    person: dict[str, list[str]] = field(default_factory=dict)
    blocks: dict[tuple[str, str], int] = field(default_factory=dict)


class _Reader:
    """Builds the model from tags; `_open` are the elements that are open, outermost first."""

    def __init__(self) -> None:
        self.root: Model = {}
        self.text: list[str] = []
        self._open: list[_Attribute] = []

    def start(self, name: str, values: dict[str, str], offset: int) -> None:
        self.text.clear()
        parent = self._open[-1].name if self._open else ""
        if (not self._open) is not (name == "NativeDicomModel"):
            raise XmlError("The XML is not a Native DICOM Model.")
        node = _Attribute(name)
        if name == "DicomAttribute" and parent in ("NativeDicomModel", "Item"):
            node.tag, node.vr = values.get("tag", "").upper(), values.get("vr", "UN")
            node.creator = values.get("privateCreator", "")
            if not _TAG.match(node.tag) or not _VR.match(node.vr):
                raise XmlError("The XML has an attribute without a tag or with an odd VR.")
        elif parent == "DicomAttribute" and name in ("Value", "Item", "PersonName"):
            node.number = _placed(values.get("number", ""), self._open[-1].values)
        elif parent == "DicomAttribute" and name == "BulkData" and (uri := values.get("uri")):
            self._open[-1].model["BulkDataURI"] = uri
        self._open.append(node)

    def end(self, name: str, offset: int) -> None:
        node = self._open.pop()
        text, parent = "".join(self.text), self._open[-1] if self._open else None
        self.text.clear()
        if parent is None:
            self.root = dict(sorted(node.model.items()))
        elif name == "DicomAttribute" and node.tag:
            _add(parent, node)
        elif parent.name == "DicomAttribute":
            self._value(parent, node, text)
        elif parent.name in _GROUPS and name in _COMPONENTS:
            parent.person[name] = [text]
        elif parent.name == "PersonName" and name in _GROUPS:
            parent.model[name] = "^".join(node.person.get(one, [""])[0] for one in _COMPONENTS).rstrip("^")

    def _value(self, attribute: _Attribute, node: _Attribute, text: str) -> None:
        if node.name == "Value":
            attribute.values[node.number] = _typed(attribute.vr, text) if text else None
        elif node.name == "Item":
            attribute.values[node.number] = dict(sorted(node.model.items()))
        elif node.name == "PersonName":
            attribute.values[node.number] = {group: one for group, one in node.model.items() if one} or None
        elif node.name == "InlineBinary":
            attribute.model["InlineBinary"] = "".join(text.split())


def _placed(text: str, values: dict[int, Any]) -> int:
    """The number of a value, by default the next."""
    number = int(text) if _NUMBER.match(text) else len(values) + 1
    if number > MAX_VALUES or number in values:
        raise XmlError("The XML has a value twice, or too many.")
    values[number] = None
    return number


def _typed(vr: str, text: str) -> Any:
    """Numbers are numbers where JSON wants them so (§F.2.3); what is none stays the text it is."""
    text = text if vr in ("LT", "ST", "UT", "UC") else text.strip()
    if vr in _INTEGERS and _INTEGER.match(text):
        return int(text)
    return float(text) if vr in _FLOATS and _FLOAT.match(text) else text


def _add(dataset: _Attribute, attribute: _Attribute) -> None:
    tag = _private(dataset, attribute)
    if tag in dataset.model:
        raise XmlError("The XML has an attribute twice.")
    made: Model = {"vr": attribute.vr}
    if attribute.values:
        made["Value"] = [attribute.values.get(number) for number in range(1, max(attribute.values) + 1)]
    made |= attribute.model
    dataset.model[tag] = made


def _private(dataset: _Attribute, attribute: _Attribute) -> str:
    """The tag in the dataset: XML names a private attribute by its creator, with no block (gggg00ee)."""
    tag, creator = attribute.tag, attribute.creator
    if not creator or tag[4:6] != "00":
        return tag
    group = tag[:4]
    block = dataset.blocks.get((group, creator))
    if block is None:
        block = next(one for one in range(0x10, 0x100) if f"{group}00{one:02X}" not in dataset.model)
        dataset.blocks[group, creator] = block
        dataset.model[f"{group}00{block:02X}"] = {"vr": "LO", "Value": [creator]}
    return f"{group}{block:02X}{tag[6:]}"
