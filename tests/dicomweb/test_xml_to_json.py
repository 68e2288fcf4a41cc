import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom.json_model import to_json
from edgerouter.dicom.xml_model import json_to_xml
from edgerouter.dicomweb.same_header import same_header
from edgerouter.dicomweb.xml_scan import XmlError
from edgerouter.dicomweb.xml_to_json import xml_to_json
from tests.dicom.build import READABLE
from tests.dicom.test_dataset import read_file

HEAD = '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xml:space="preserve">'


def said(body: str) -> Any:
    return json.loads(xml_to_json(f"{HEAD}{body}</NativeDicomModel>".encode()))


def normal(model: Any) -> Any:
    """A model without the delimiters that may be left off at the end of a person name."""
    if isinstance(model, dict):
        names = {"Alphabetic", "Ideographic", "Phonetic"}
        made = {key: value.rstrip("^") if key in names else normal(value) for key, value in model.items()}
        return {key: value for key, value in made.items() if key not in names or value}
    return [normal(value) or None for value in model] if isinstance(model, list) else model


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_a_sample_comes_back_from_xml_in_every_spelling(path: Path) -> None:
    row = to_json(read_file(path), lambda where: f"http://edge/a?b&c={where}")
    back = xml_to_json(json_to_xml(row))
    one, other = (json.loads(text, parse_int=str, parse_float=str) for text in (row, back))
    assert normal(other) == normal(one)
    assert same_header(row, back)


def test_values_keep_place_spelling_and_spaces() -> None:
    assert said(
        '<DicomAttribute tag="00081190" vr="UR"><Value number="1"> http://a </Value></DicomAttribute>'
        '<DicomAttribute tag="00080008" vr="CS" keyword="ImageType">\n'
        '  <Value number="3">C</Value>\n  <Value number="1">A</Value>\n</DicomAttribute>'
        '<DicomAttribute tag="00101001" vr="PN"><PersonName number="2"><Alphabetic>'
        "<FamilyName>Doe</FamilyName><NamePrefix>Dr</NamePrefix></Alphabetic><Phonetic><GivenName>J</GivenName></Phonetic></PersonName>"
        "</DicomAttribute>"
        '<DicomAttribute tag="0040a730" vr="SQ"><Item number="2"><DicomAttribute tag="00080100" vr="SH"/>'
        '</Item></DicomAttribute><DicomAttribute tag="00080000" vr="UL"><Value number="1">9</Value>'
        "</DicomAttribute>"
        '<DicomAttribute tag="00020010" vr="UI"/>'
        '<DicomAttribute tag="7FE00010" vr="OW"><BulkData URI="http://a?b&amp;c"/></DicomAttribute>'
        '<DicomAttribute tag="00420011" vr="OB"><InlineBinary> QUJD\n RA== </InlineBinary></DicomAttribute>'
    ) == {
        "00080008": {"vr": "CS", "Value": ["A", None, "C"]},
        "00081190": {"vr": "UR", "Value": [" http://a "]},
        "00101001": {"vr": "PN", "Value": [None, {"Alphabetic": "Doe^^^Dr", "Phonetic": "^J"}]},
        "0040A730": {"vr": "SQ", "Value": [{}, {"00080100": {"vr": "SH"}}]},
        "00420011": {"vr": "OB", "InlineBinary": "QUJDRA=="},
        "7FE00010": {"vr": "OW", "BulkDataURI": "http://a?b&c"},
    }


@pytest.mark.parametrize(
    ("vr", "text", "written"),
    [
        ("DS", "1.0E2", b"1.0E2"),
        ("DS", "-1024.00", b"-1024.00"),
        ("DS", "+1", b'"+1"'),
        ("DS", " 7 ", b"7"),
        ("IS", "007", b'"007"'),
        ("FD", "NaN", b'"NaN"'),
        ("FL", "0.1", b"0.1"),
        ("UV", "18446744073709551615", b'"18446744073709551615"'),
        ("SV", "-9007199254740992", b"-9007199254740992"),
        ("SV", "1" * 5000, b'"' + b"1" * 5000 + b'"'),
        ("DS", "1e400", b'"1e400"'),
        ("US", "", b"null"),
        ("LO", "7", b'"7"'),
    ],
)
def test_a_number_keeps_its_spelling(vr: str, text: str, written: bytes) -> None:
    body = f'<DicomAttribute tag="00189999" vr="{vr}"><Value number="1">{text}</Value></DicomAttribute>'
    document = f"{HEAD}{body}</NativeDicomModel>".encode()
    assert xml_to_json(document) == b'{"00189999":{"vr":"' + vr.encode() + b'","Value":[' + written + b"]}}"


def test_private_attributes_of_one_tag_get_blocks_of_their_own() -> None:
    def attribute(creator: str, text: str) -> str:
        return (
            f'<DicomAttribute tag="00090010" vr="LO" privateCreator="{creator}">'
            f'<Value number="1">{text}</Value></DicomAttribute>'
        )

    inner = f'<Item number="1">{attribute("B", "in")}</Item>'
    item = f'<DicomAttribute tag="0040A730" vr="SQ">{inner}</DicomAttribute>'
    assert said(attribute("A", "of A") + attribute("B", "of B") + item) == {
        "00090010": {"vr": "LO", "Value": ["A"]},
        "00090011": {"vr": "LO", "Value": ["B"]},
        "00091010": {"vr": "LO", "Value": ["of A"]},
        "00091110": {"vr": "LO", "Value": ["of B"]},
        "0040A730": {
            "vr": "SQ",
            "Value": [
                {"00090010": {"vr": "LO", "Value": ["B"]}, "00091010": {"vr": "LO", "Value": ["in"]}},
            ],
        },
    }


VALUE = '<Value number="1">x</Value>'


@pytest.mark.parametrize(
    "body",
    [
        '<DicomAttribute vr="LO"/>',
        '<DicomAttribute tag="PatientID" vr="LO"/>',
        '<DicomAttribute tag="00100020"/>',
        '<DicomAttribute tag="00100020" vr="l"/>',
        '<DicomAttribute tag="00100020" vr="LO"/>' * 2,
        '<DicomAttribute tag="00091001" vr="LO" privateCreator="A"/>' * 2,
        f'<DicomAttribute tag="00100020" vr="LO">{VALUE * 2}</DicomAttribute>',
        '<DicomAttribute tag="00100020" vr="LO"><Value>x</Value></DicomAttribute>',
        '<DicomAttribute tag="00100020" vr="LO"><Value number="0">x</Value></DicomAttribute>',
        '<DicomAttribute tag="00100020" vr="LO"><Value number="1000000">x</Value></DicomAttribute>',
        '<DicomAttribute tag="00100020" vr="LO"><Value number="9999999">x</Value></DicomAttribute>',
        f'<DicomAttribute tag="0040A730" vr="SQ">{VALUE}</DicomAttribute>',
        f'<DicomAttribute tag="00100010" vr="PN">{VALUE}</DicomAttribute>',
        f'<DicomAttribute tag="00420011" vr="OB">{VALUE}</DicomAttribute>',
        '<DicomAttribute tag="00100020" vr="LO"><Item number="1"/></DicomAttribute>',
        f'<DicomAttribute tag="00420011" vr="OB"><BulkData uri="a"/>{VALUE}</DicomAttribute>',
        '<DicomAttribute tag="00420011" vr="OB"><BulkData uri="a"/><InlineBinary/></DicomAttribute>',
        '<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Other/></PersonName>'
        "</DicomAttribute>",
        '<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><Name/></Alphabetic>'
        "</PersonName></DicomAttribute>",
        "".join(
            f'<DicomAttribute tag="000900{block:02X}" vr="LO">{VALUE}</DicomAttribute>'
            for block in range(0x10, 0x100)
        )
        + '<DicomAttribute tag="00090001" vr="LO" privateCreator="another"/>',
    ],
)
def test_what_is_no_native_model_is_refused(body: str) -> None:
    with pytest.raises(XmlError):
        said(body)


@pytest.mark.parametrize(
    "document",
    [b"", b"<a/>", b"{}", b"<NativeDicomModel>", b'<!DOCTYPE a><NativeDicomModel xml:space="preserve"/>'],
)
def test_what_is_no_document_is_refused(document: bytes) -> None:
    with pytest.raises(XmlError):
        xml_to_json(document)


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["00080050", "00081030", "00091001"]), st.lists(TEXTS, max_size=4)))
def test_any_text_comes_back(values: dict[str, list[str]]) -> None:
    row = {tag: {"vr": "LO", "Value": each} if each else {"vr": "LO"} for tag, each in values.items()}
    back = json.loads(xml_to_json(json_to_xml(json.dumps(row).encode())))
    expected = {
        tag: {"vr": "LO", "Value": [one or None for one in each]} if each else {"vr": "LO"}
        for tag, each in values.items()
    }
    assert back == expected
