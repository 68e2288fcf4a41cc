import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from edgerouter.dicom.json_model import to_json
from edgerouter.dicom.xml_model import NAMESPACE, json_to_xml
from tests.dicom.build import READABLE, oracle
from tests.dicom.test_dataset import read_file

NS = "{" + NAMESPACE + "}"


def parsed(model: object) -> Element:
    root = fromstring(json_to_xml(json.dumps(model).encode()))
    assert isinstance(root, Element)
    assert root.tag == NS + "NativeDicomModel"
    assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    return root


def back(node: Element) -> dict[str, Any]:
    """The DICOM JSON an XML model stands for, numbers as text."""
    return {one.attrib["tag"]: back_attribute(one) for one in node}


def back_attribute(node: Element) -> dict[str, Any]:
    found: dict[str, Any] = {"vr": node.attrib["vr"]}
    for child in node:
        kind = child.tag.removeprefix(NS)
        if kind == "BulkData":
            found["BulkDataURI"] = child.attrib["uri"]
        elif kind == "InlineBinary":
            found["InlineBinary"] = child.text
        else:
            values = found.setdefault("Value", [])
            assert int(child.attrib["number"]) == len(values) + 1
            values.append(
                back(child) if kind == "Item" else back_name(child) if kind == "PersonName" else child.text
            )
    return found


def back_name(node: Element) -> dict[str, str] | None:
    order = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"]
    groups = {}
    for group in node:
        parts = {part.tag.removeprefix(NS): part.text or "" for part in group}
        groups[group.tag.removeprefix(NS)] = "^".join(parts.get(name, "") for name in order).rstrip("^")
    return groups or None


def as_text(found: object) -> object:
    if isinstance(found, dict):
        if found.get("vr") == "PN":
            names = [
                (one and {group: text.rstrip("^") for group, text in one.items()}) or None
                for one in found.get("Value", [])
            ]
            return {"vr": "PN", "Value": names} if names else {"vr": "PN"}
        return {name: as_text(one) for name, one in found.items()}
    if isinstance(found, list):
        return [as_text(one) for one in found]
    return str(found) if isinstance(found, int | float) else found


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_the_xml_of_a_sample_says_what_its_json_says(path: Path) -> None:
    model = to_json(read_file(path), lambda where: f"http://edge/a?b&c={where}")
    with_text = json.loads(model, parse_float=str, parse_int=str)
    assert back(fromstring(json_to_xml(model))) == as_text(with_text)


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_the_xml_of_a_sample_says_what_pydicom_reads(path: Path) -> None:
    root = fromstring(json_to_xml(to_json(read_file(path), str)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = list(disagreements(root, oracle(path)))
    assert wrong == []


def disagreements(node: Element, data_set: Dataset) -> Iterator[str]:
    """The attributes of an XML data set, at any depth, that pydicom reads otherwise."""
    named = {one.attrib["tag"]: one for one in node}
    read = {f"{one.tag:08X}": one for one in data_set if one.tag & 0xFFFF and one.tag >> 16 != 2}
    yield from named.keys() ^ read.keys()
    for tag in named.keys() & read.keys() - {"00080005"}:  # the text is UTF-8 now, and says so
        found, element = named[tag], read[tag]
        if found.get("vr") == "SQ" and element.VR == "SQ":
            if len(found) != len(element.value):
                yield tag
            for item, inner in zip(found, element.value, strict=False):
                yield from (f"{tag}/{where}" for where in disagreements(item, inner))
        elif all(one.tag == NS + "Value" for one in found) and not isinstance(element.value, bytes):
            values = [plain(one.text or "") for one in found]
            if values != [plain(str(one)) for one in many(element.value)]:
                yield tag


def many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list) else [value]


def plain(text: str) -> str | float:
    """A number as a number, other text without padding; a tag as its digits."""
    if re.match(r"\([0-9A-F]{4},[0-9A-F]{4}\)\Z", text):
        text = text[1:5] + text[6:10]
    try:
        return float(text)
    except ValueError:
        return "" if text == "None" else text.strip(" \0")


def test_attributes_carry_tag_vr_and_keyword() -> None:
    node = parsed({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John^^Dr"}]}})[0]
    assert node.attrib == {"tag": "00100010", "vr": "PN", "keyword": "PatientName"}
    (name,) = node
    assert name.attrib == {"number": "1"}
    assert [(part.tag.removeprefix(NS), part.text) for part in name[0]] == [
        ("FamilyName", "Doe"),
        ("GivenName", "John"),
        ("NamePrefix", "Dr"),
    ]


def test_private_attributes_carry_their_creator() -> None:
    creator = {"vr": "LO", "Value": ['A "private" <one>']}
    root = parsed({"00090010": creator, "00091001": {"vr": "LO", "Value": ["x"]}, "00111001": {"vr": "UN"}})
    assert [node.get("privateCreator") for node in root] == [None, 'A "private" <one>', None]
    assert all(node.get("keyword") is None for node in root)
    nobody = {"vr": "LO", "Value": [None, "x"]}
    assert parsed({"00090010": nobody, "00091001": {"vr": "UN"}})[1].get("privateCreator") is None


def test_numbers_keep_their_spelling() -> None:
    document = json_to_xml(b'{"00281053":{"vr":"DS","Value":[1.0E2,-1024.00,7,"+1"]}}')
    assert [node.text for node in fromstring(document)[0]] == ["1.0E2", "-1024.00", "7", "+1"]


def test_empty_values_items_and_names_keep_their_place() -> None:
    root = parsed(
        {
            "00080008": {"vr": "CS", "Value": ["A", None, "B"]},
            "00101001": {"vr": "PN", "Value": [None, {"Alphabetic": "X"}]},
            "0040A730": {"vr": "SQ", "Value": [{}, {"00080100": {"vr": "SH"}}]},
        }
    )
    assert back(root) == {
        "00080008": {"vr": "CS", "Value": ["A", None, "B"]},
        "00101001": {"vr": "PN", "Value": [None, {"Alphabetic": "X"}]},
        "0040A730": {"vr": "SQ", "Value": [{}, {"00080100": {"vr": "SH"}}]},
    }


@given(st.text())
def test_any_text_is_escaped_and_nothing_else_comes_of_it(text: str) -> None:
    model = {"00104000": {"vr": "LT", "Value": [text]}, "7FE00010": {"vr": "OW", "BulkDataURI": text}}
    document = json_to_xml(json.dumps(model).encode("utf-8", "replace"))
    value, bulk = fromstring(document)
    said = value[0].text or ""
    assert len(said) == len(text.encode("utf-16", "replace").decode("utf-16"))
    assert all(one == two or one == "\ufffd" for one, two in zip(said, text, strict=False))
    assert [node.tag for node in bulk] == [NS + "BulkData"]


def nested(depth: int) -> bytes:
    return b'{"0040A730":{"vr":"SQ","Value":[' * depth + b"{}" + b"]}}" * depth


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"00100010":[]}',
        b'{"PatientName":{"vr":"PN"}}',
        b'{"00100010":{"vr":"PN\\" x=\\""}}',
        b'{"00100010":{"vr":7}}',
        b'{"00100010":{"vr":"PN","Value":["Doe"]}}',
        b'{"00100020":{"vr":"LO","Value":[{}]}}',
        b'{"00100020":{"vr":"LO","Value":7}}',
        b'{"0040A730":{"vr":"SQ","Value":["x"]}}',
        b'{"0040A730":{"vr":"SQ","Value":[{"00100010":"x"}]}}',
        b'{"7FE00010":{"vr":"OW","BulkDataURI":[]}}',
        b'{"7FE00010":{"vr":"OW","InlineBinary":{}}}',
        b'{"00090010":{"vr":"LO","Value":{}},"00091001":{"vr":"LO"}}',
        nested(100),
        nested(100_000),
    ],
)
def test_what_is_no_dicom_json_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError, match="Not a DICOM JSON object"):
        json_to_xml(row)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["vr", "Value", "00090010", "00091001", "0040A730", "BulkDataURI"]), inner
            )
        ),
    )
)
def test_any_other_json_is_refused_or_becomes_xml(model: object) -> None:
    try:
        document = json_to_xml(
            json.dumps({"0040A730": {"vr": "SQ", "Value": [model]}}).encode("utf-8", "replace")
        )
    except ValueError:
        return
    assert fromstring(document).tag == NS + "NativeDicomModel"
