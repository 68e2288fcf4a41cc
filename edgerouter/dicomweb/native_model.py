"""Small datasets between XML and JSON: the Native DICOM Model (PS3.19 §A.1) as PS3.18 §F would say it.

For answers about datasets, whose attributes are text, numbers and sequences; person names and bulk data
are passed over.
"""

from collections.abc import Iterator
from typing import Any

from pydicom.datadict import keyword_for_tag

from edgerouter.dicomweb.xml_scan import XmlError, escaped, read

Model = dict[str, Any]  # tag -> {"vr": …, "Value": […]}, as JSON decodes

_ROOT = "NativeDicomModel"
_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def read_model(document: bytes) -> Model:
    """The dataset of a document, every value as text; raises XmlError."""
    reader = _Reader()
    read(document, reader.start, reader.end, reader.text.append)
    return reader.model


def write_model(model: Model) -> bytes:
    """The dataset as a document."""
    body = "".join(_attributes(model))
    root = f'<{_ROOT} xmlns="{_NAMESPACE}" xml:space="preserve">{body}</{_ROOT}>'
    return b'<?xml version="1.0" encoding="UTF-8"?>' + root.encode()


class _Reader:
    """Builds the model from tags: what is open is a dataset, an attribute, or something passed over."""

    def __init__(self) -> None:
        self.model: Model = {}
        self.text: list[str] = []
        self._open: list[tuple[str, Model]] = []

    def start(self, name: str, values: dict[str, str], offset: int) -> None:
        self.text.clear()
        parent, inside = self._open[-1] if self._open else ("", self.model)
        if not self._open and name != _ROOT:
            raise XmlError("The XML is not a Native DICOM Model.")
        child: Model = {}
        if not self._open:
            child = self.model
        elif name == "DicomAttribute" and parent in (_ROOT, "Item"):
            child = {"vr": values.get("vr", ""), "Value": []}
            inside[values.get("tag", "").upper()] = child
        elif name == "Item" and parent == "DicomAttribute":
            inside["Value"].append(child)
        self._open.append((name, child))

    def end(self, name: str, offset: int) -> None:
        self._open.pop()
        if name == "Value" and self._open and self._open[-1][0] == "DicomAttribute":
            self._open[-1][1]["Value"].append("".join(self.text))


def _attributes(model: Model) -> Iterator[str]:
    for tag, attribute in model.items():
        head = f'tag="{tag}" vr="{attribute["vr"]}" keyword="{keyword_for_tag(int(tag, 16))}"'
        values = attribute.get("Value", ())
        body = "".join(_value(number, value) for number, value in enumerate(values, 1))
        yield f"<DicomAttribute {head}>{body}</DicomAttribute>"


def _value(number: int, value: object) -> str:
    if isinstance(value, dict):
        return f'<Item number="{number}">{"".join(_attributes(value))}</Item>'
    return f'<Value number="{number}">{escaped(str(value)).decode()}</Value>'
