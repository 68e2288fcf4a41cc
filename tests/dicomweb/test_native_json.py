"""The Native DICOM Model as DICOM JSON: all of a dataset, and nothing that a hostile document wants."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.xml_model import json_to_xml
from edgerouter.dicomweb.native_json import xml_to_json
from edgerouter.dicomweb.xml_scan import XmlError


def model(attributes: str) -> Any:
    return json.loads(xml_to_json(f"<NativeDicomModel>{attributes}</NativeDicomModel>".encode()))


def one(vr: str, content: str, tag: str = "00100010") -> Any:
    return model(f'<DicomAttribute tag="{tag}" vr="{vr}">{content}</DicomAttribute>')[tag]


@pytest.mark.parametrize(
    ("vr", "content", "expected"),
    [
        ("CS", '<Value number="1">CT</Value>', {"vr": "CS", "Value": ["CT"]}),
        ("CS", "", {"vr": "CS"}),
        ("CS", "<Value/>", {"vr": "CS", "Value": [None]}),
        (
            "CS",
            '<Value number="3">C</Value><Value number="1">A</Value>',
            {"vr": "CS", "Value": ["A", None, "C"]},
        ),
        ("US", "<Value> 512 </Value>", {"vr": "US", "Value": [512]}),
        ("FD", "<Value>1.5e3</Value>", {"vr": "FD", "Value": [1500.0]}),
        ("FD", "<Value>NaN</Value>", {"vr": "FD", "Value": ["NaN"]}),
        ("DS", "<Value>1.50</Value>", {"vr": "DS", "Value": ["1.50"]}),
        ("LT", "<Value> kept \n</Value>", {"vr": "LT", "Value": [" kept \n"]}),
        ("LO", "<Value>a &lt; b</Value>", {"vr": "LO", "Value": ["a < b"]}),
        ("OW", '<BulkData uri="http://h/b"/>', {"vr": "OW", "BulkDataURI": "http://h/b"}),
        ("OW", '<BulkData uuid="1"/>', {"vr": "OW"}),
        ("OB", "<InlineBinary>AA\n==</InlineBinary>", {"vr": "OB", "InlineBinary": "AA=="}),
        ("PN", '<PersonName number="1"/>', {"vr": "PN", "Value": [None]}),
        (
            "PN",
            "<PersonName><Alphabetic><FamilyName>Doe</FamilyName><NameSuffix>Jr</NameSuffix></Alphabetic>"
            "<Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic></PersonName>",
            {"vr": "PN", "Value": [{"Alphabetic": "Doe^^^^Jr", "Ideographic": "山田^太郎"}]},
        ),
        (
            "SQ",
            '<Item number="1"><DicomAttribute tag="00080060" vr="CS"><Value>CT</Value></DicomAttribute>'
            '</Item><Item number="2"/>',
            {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}, {}]},
        ),
    ],
)  # fmt: skip
def test_every_kind_of_value_is_carried_over(vr: str, content: str, expected: Any) -> None:
    assert one(vr, content) == expected


def test_private_attributes_get_a_block_of_their_creator() -> None:
    found = model(
        '<DicomAttribute tag="00290010" vr="LO"><Value>OTHER</Value></DicomAttribute>'
        '<DicomAttribute tag="00290001" vr="LO" privateCreator="ACME"><Value>x</Value></DicomAttribute>'
        '<DicomAttribute tag="00290002" vr="LO" privateCreator="ACME"><Value>y</Value></DicomAttribute>'
        '<DicomAttribute tag="00291003" vr="LO" privateCreator="OTHER"><Value>z</Value></DicomAttribute>'
    )

    assert {tag: attribute["Value"] for tag, attribute in found.items()} == {
        "00290010": ["OTHER"],
        "00290011": ["ACME"],
        "00291003": ["z"],
        "00291101": ["x"],
        "00291102": ["y"],
    }


@pytest.mark.parametrize(
    "attributes",
    [
        '<DicomAttribute vr="CS"/>',
        '<DicomAttribute tag="0010001" vr="CS"/>',
        '<DicomAttribute tag="00100010" vr="C"/>',
        '<DicomAttribute tag="00100010" vr="CS"/><DicomAttribute tag="00100010" vr="CS"/>',
        '<DicomAttribute tag="00100010" vr="CS"><Value number="1"/><Value number="1"/></DicomAttribute>',
        '<DicomAttribute tag="00100010" vr="CS"><Value number="99999"/></DicomAttribute>',
        "<NativeDicomModel/>",
        "<DicomAttribute",
    ],
)
def test_what_is_no_dataset_is_refused(attributes: str) -> None:
    with pytest.raises(XmlError):
        model(attributes)


@pytest.mark.parametrize(
    "document", [b"", b"<html/>", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><NativeDicomModel/>']
)
def test_what_is_no_native_model_is_refused(document: bytes) -> None:
    with pytest.raises(XmlError):
        xml_to_json(document)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
_VALUE = st.one_of(st.none(), _TEXT.map(str.strip).filter(bool))
_PLAIN = st.tuples(st.sampled_from(["LO", "UT"]), st.lists(_VALUE, min_size=1, max_size=3))
_NUMBERS = st.tuples(st.just("US"), st.lists(st.integers(0, 65535), min_size=1, max_size=3))
_PUBLIC = st.integers(0x00080000, 0x7FDFFFFF).filter(lambda tag: not (tag >> 16) % 2)
_TAGS = _PUBLIC.map(lambda tag: f"{tag:08X}")


@given(st.dictionaries(_TAGS, st.one_of(_PLAIN, _NUMBERS), max_size=5))
def test_what_we_write_as_xml_we_read_back(given_attributes: dict[str, tuple[str, list[Any]]]) -> None:
    row = {tag: {"vr": vr, "Value": found} for tag, (vr, found) in given_attributes.items()}

    assert json.loads(xml_to_json(json_to_xml(json.dumps(row).encode()))) == row
