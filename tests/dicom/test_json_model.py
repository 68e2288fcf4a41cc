import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.dataset import read_data_set
from edgerouter.dicom.json_model import to_json
from tests.dicom.build import READABLE, element, item, oracle, sequence
from tests.dicom.test_dataset import read_file


def model(data: bytes, *, explicit: bool = True) -> dict[str, Any]:
    found = json.loads(text(data, explicit=explicit))
    assert isinstance(found, dict)
    return found


def text(data: bytes, *, explicit: bool = True) -> bytes:
    return to_json(read_data_set(source.of_bytes(data), explicit=explicit), lambda path: "uri/" + path)


def value(vr: str, raw: bytes | str, tag: int = 0x00091010) -> dict[str, Any]:
    return dict(model(element(tag, vr, raw))[f"{tag:08X}"])


def comparable(found: object) -> object:
    """What pydicom and we agree on: bulk data by reference or not, spelling and empty values apart."""
    if isinstance(found, dict) and "vr" in found:
        if "BulkDataURI" in found or "InlineBinary" in found:
            return found["vr"]
        values = [comparable(one) for one in found.get("Value", [])]
        return found["vr"], [
            float(str(one)) if found["vr"] in ("DS", "IS") and one else one for one in values
        ]
    if isinstance(found, dict):
        return {tag: comparable(one) for tag, one in found.items() if tag != "00080005" and tag[4:] != "0000"}
    if isinstance(found, str):
        return found.strip() or None
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_a_sample_becomes_the_model_pydicom_makes_of_it(path: Path) -> None:
    found = json.loads(to_json(read_file(path), lambda where: where))
    expected = oracle(path).to_json_dict(
        bulk_data_threshold=64, bulk_data_element_handler=lambda _: "uri", suppress_invalid_tags=True
    )
    for tag in ("300C0002", "00280008"):
        # pydicom gives up on numbers that are none (1A, 1.2.3) and leaves the attribute out.
        if tag not in expected:
            found.pop(tag, None)
    assert comparable(found) == comparable(expected)
    assert list(found) == sorted(found)


@pytest.mark.parametrize("vr", ["DS", "IS"])
@pytest.mark.parametrize("spelling", ["1", "-1024.00", "1.50", "1.0E2", "1e-5", "0", "-0", "0.10", "16384"])
def test_the_spelling_of_a_number_survives(vr: str, spelling: str) -> None:
    assert b'"Value":[' + spelling.encode() + b"]" in text(element(0x00091010, vr, spelling))


@pytest.mark.parametrize("spelling", ["+1", ".5", "5.", "007", "1A", "1e999", "1 2", "0x10", "1" * 40, "NaN"])
def test_what_json_cannot_spell_is_a_string(spelling: str) -> None:
    assert value("DS", spelling) == {"vr": "DS", "Value": [spelling]}


@given(st.lists(st.text("0123456789+-.eE ", max_size=18), min_size=1, max_size=4))
def test_any_decimal_string_gives_json_that_says_the_same(spellings: list[str]) -> None:
    stripped = [spelling.strip() for spelling in spellings]
    found = value("DS", "\\".join(spellings)).get("Value", [])
    given_back = [one.encode() if isinstance(one, str) else one for one in found]
    for spelling, one in zip(stripped, given_back, strict=bool(given_back)):
        if one is None:
            assert spelling == ""
        else:
            assert one == (spelling.encode() if isinstance(one, bytes) else float(spelling))


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("US", struct.pack("<HH", 1, 65535), [1, 65535]),
        ("SS", struct.pack("<h", -1), [-1]),
        ("UL", struct.pack("<L", 2**32 - 1), [2**32 - 1]),
        ("SL", struct.pack("<l", -(2**31)), [-(2**31)]),
        ("SV", struct.pack("<qq", -5, -(2**60)), [-5, str(-(2**60))]),
        ("UV", struct.pack("<QQ", 2**53, 2**53 + 1), [2**53, str(2**53 + 1)]),
        ("FD", struct.pack("<d", 0.1), [0.1]),
        ("FL", struct.pack("<f", 0.5), [0.5]),
        (
            "FD",
            struct.pack("<3d", float("nan"), float("inf"), float("-inf")),
            ["NaN", "Infinity", "-Infinity"],
        ),
        ("AT", struct.pack("<HHHH", 0x0028, 0x0010, 0x7FE0, 0x00AB), ["00280010", "7FE000AB"]),
        ("CS", b"A\\\\B ", ["A", None, "B"]),
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("LT", b"a\\b ", ["a\\b"]),
        ("UR", b"http://x/?a=b ", ["http://x/?a=b"]),
        ("DA", b"20200101", ["20200101"]),
    ],
)
def test_each_vr_has_its_json_form(vr: str, raw: bytes, expected: list[object]) -> None:
    assert value(vr, raw) == {"vr": vr, "Value": expected}


@pytest.mark.parametrize("vr", ["US", "FD", "AT", "UV"])
def test_bytes_that_do_not_fit_their_vr_are_given_as_they_are(vr: str) -> None:
    assert (
        value(vr, b"abc\0ef") == {"vr": "UN", "InlineBinary": base64.b64encode(b"abc\0ef").decode()}
        or vr == "US"
    )
    assert model(element(0x00091010, vr, b"a", length=1))["00091010"]["vr"] == "UN"


@pytest.mark.parametrize("vr", ["LO", "PN", "SQ", "OB", "DS", "US", "UN"])
def test_an_empty_attribute_has_no_value(vr: str) -> None:
    assert value(vr, b"") == {"vr": vr}


def test_a_person_name_is_an_object_of_its_component_groups() -> None:
    raw = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\\Doe^^^Dr==X\\\\".encode()
    found = model(element(0x00080005, "CS", "ISO_IR 192") + element(0x00100010, "PN", raw))["00100010"]
    assert found["Value"] == [
        {
            "Alphabetic": "Yamada^Tarou",
            "Ideographic": "\u5c71\u7530^\u592a\u90ce",
            "Phonetic": "\u3084\u307e",
        },
        {"Alphabetic": "Doe^^^Dr", "Phonetic": "X"},
        None,
        None,
    ]


def test_text_is_utf_8_and_says_so_at_every_level() -> None:
    inner = element(0x00080005, "CS", "ISO_IR 144") + element(0x00100010, "PN", "\u0411".encode("iso8859_5"))
    bare = element(0x00081030, "LO", b"\xe9")
    data = element(0x00080005, "CS", "ISO_IR 100") + bare + sequence(0x00101002, item(inner), item(bare))
    found = model(data)
    assert found["00080005"]["Value"] == ["ISO_IR 192"]
    assert found["00081030"]["Value"] == ["\xe9"]
    first, second = found["00101002"]["Value"]
    assert first["00080005"]["Value"] == ["ISO_IR 192"]
    assert first["00100010"]["Value"] == [{"Alphabetic": "\u0411"}]
    assert second == {"00081030": {"vr": "LO", "Value": ["\xe9"]}}


def test_small_binary_values_are_inline_and_larger_ones_references() -> None:
    assert value("OB", b"abcd") == {"vr": "OB", "InlineBinary": "YWJjZA=="}
    assert value("OB", b"x" * 66) == {"vr": "OB", "BulkDataURI": "uri/00091010"}
    assert value("FD", b"\0" * 1032) == {"vr": "FD", "BulkDataURI": "uri/00091010"}
    assert value("UT", b"x" * 70_000) == {"vr": "UT", "BulkDataURI": "uri/00091010"}
    assert value("OW", b"ab", tag=0x7FE00010) == {"vr": "OW", "BulkDataURI": "uri/7FE00010"}


def test_a_reference_in_an_item_has_the_whole_path() -> None:
    icon = element(0x7FE00010, "OB", b"x" * 100)
    found = model(sequence(0x00880200, item(), item(sequence(0x00880200, item(icon)))))
    inner = found["00880200"]["Value"][1]["00880200"]["Value"][0]
    assert inner["7FE00010"]["BulkDataURI"] == "uri/00880200/2/00880200/1/7FE00010"


def test_group_lengths_and_file_meta_information_are_left_out() -> None:
    data = (
        element(0x00020010, "UI", "1.2")
        + element(0x00080000, "UL", b"abcd")
        + element(0x00080060, "CS", "CT")
    )
    assert model(data) == {"00080060": {"vr": "CS", "Value": ["CT"]}}


def test_names_ascend_though_the_file_does_not() -> None:
    data = element(0x00200010, "SH", "1") + element(0x00080060, "CS", "CT") + element(0x0009100A, "LO", "x")
    assert list(model(data)) == ["00080060", "0009100A", "00200010"]


def test_only_the_tags_asked_for_are_given() -> None:
    data = (
        element(0x00080005, "CS", "ISO_IR 100")
        + element(0x00081030, "LO", b"\xe9")
        + element(0x00080060, "CS", "CT")
    )
    found = to_json(read_data_set(source.of_bytes(data), explicit=True), str, tags=[0x00081030, 0x00101010])
    assert json.loads(found) == {"00081030": {"vr": "LO", "Value": ["\xe9"]}}


def test_empty_items_are_empty_objects() -> None:
    assert model(sequence(0x0040A730, item(), item()))["0040A730"] == {"vr": "SQ", "Value": [{}, {}]}
