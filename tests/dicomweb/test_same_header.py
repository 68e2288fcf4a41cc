import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom.describe import describe
from edgerouter.dicomweb.same_header import same_header
from tests.dicom.build import READABLE
from tests.dicom.test_describe import NAMELESS

ROW: dict[str, Any] = {
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
    "00080090": {"vr": "PN"},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "ド^エ"}]},
    "00100020": {"vr": "LO", "Value": ["PAT-1"]},
    "00200011": {"vr": "IS", "Value": [7]},
    "00200032": {"vr": "DS", "Value": [-158.135803, "1.50", 0.00001]},
    "00189306": {"vr": "FD", "Value": [0.1]},
    "00280010": {"vr": "US", "Value": [512]},
    "00091010": {"vr": "UN", "InlineBinary": "QUJD"},
    "00204000": {"vr": "LT", "Value": [" indented"]},
    "00400275": {
        "vr": "SQ",
        "Value": [{"00400009": {"vr": "SH", "Value": ["STEP"]}, "00321060": {"vr": "LO", "Value": ["HEAD"]}}],
    },
}


def same(one: Any, other: Any) -> bool:
    forwards, backwards = (
        same_header(json.dumps(left).encode(), json.dumps(right).encode())
        for left, right in ((one, other), (other, one))
    )
    assert forwards == backwards
    return forwards


def only(attribute: Any) -> dict[str, Any]:
    return {"00100020": {"vr": "LO", "Value": ["PAT-1"]}, "00400275": {"vr": "SQ", "Value": [attribute]}}


def test_a_row_is_the_header_it_is() -> None:
    assert same(ROW, ROW)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"vr": "DS", "Value": [1.5]}, {"vr": "DS", "Value": ["1.50"]}),
        ({"vr": "DS", "Value": [-158.135803]}, {"vr": "DS", "Value": [-158.13580300000001]}),
        ({"vr": "DS", "Value": ["1E-5"]}, {"vr": "DS", "Value": [0.00001]}),
        ({"vr": "IS", "Value": [7]}, {"vr": "IS", "Value": ["+07 "]}),
        ({"vr": "FL", "Value": [0.1]}, {"vr": "FL", "Value": [0.10000000149011612]}),
        ({"vr": "FL", "Value": [1.4e-45]}, {"vr": "FL", "Value": [0]}),
        ({"vr": "FD", "Value": ["NaN"]}, {"vr": "FD", "Value": ["NaN"]}),
        ({"vr": "UV", "Value": [18446744073709551615]}, {"vr": "UV", "Value": ["18446744073709551615"]}),
        ({"vr": "US", "Value": [5]}, {"vr": "SS", "Value": [5]}),
        ({"vr": "LO"}, {"vr": "LO", "Value": []}),
        ({"vr": "LO"}, {"vr": "LO", "Value": [None]}),
        ({"vr": "PN", "Value": [{}]}, {"vr": "PN", "Value": [None]}),
        ({"vr": "PN", "Value": [{"Alphabetic": "^^^^"}]}, {"vr": "PN"}),
        ({"vr": "SQ"}, {"vr": "SQ", "Value": []}),
        ({"vr": "CS", "Value": ["A", None]}, {"vr": "CS", "Value": ["A ", ""]}),
        (
            {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^^"}]},
            {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Phonetic": ""}]},
        ),
        ({"vr": "OB", "InlineBinary": "QUI="}, {"vr": "OB", "BulkDataURI": "http://a/b"}),
        ({"vr": "OW", "BulkDataURI": "http://a/1"}, {"vr": "OB", "BulkDataURI": "http://b/2"}),
        ({"vr": "US", "Value": [1, 2]}, {"vr": "OW", "InlineBinary": "AQACAA=="}),
        ({"vr": "DS", "Value": [1, 2]}, {"vr": "DS", "BulkDataURI": "x"}),
        ({"vr": "OB", "InlineBinary": "QUI="}, {"vr": "OB", "InlineBinary": "QUIA"}),
        ({"vr": "OB"}, {"vr": "OB", "InlineBinary": ""}),
    ],
)
def test_spelling_is_no_difference(one: Any, other: Any) -> None:
    assert same({"00189999": one}, {"00189999": other})
    assert same(only({"00189999": one}), only({"00189999": other}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"vr": "DS", "Value": [1.5]}, {"vr": "DS", "Value": [1.51]}),
        ({"vr": "DS", "Value": ["9007199254740993"]}, {"vr": "DS", "Value": ["9007199254740992"]}),
        ({"vr": "IS", "Value": [7]}, {"vr": "IS", "Value": [8]}),
        ({"vr": "IS", "Value": [7]}, {"vr": "IS", "Value": [7, 7]}),
        ({"vr": "IS", "Value": ["7A"]}, {"vr": "IS", "Value": [7]}),
        ({"vr": "IS", "Value": ["7A"]}, {"vr": "IS"}),
        ({"vr": "FD", "Value": [0.1]}, {"vr": "FD", "Value": [0.10000000000000002]}),
        ({"vr": "FL", "Value": [1e300]}, {"vr": "FL", "Value": [1e301]}),
        ({"vr": "LO", "Value": ["1.0"]}, {"vr": "LO", "Value": ["1"]}),
        ({"vr": "LO", "Value": ["A"]}, {"vr": "LO", "Value": ["a"]}),
        ({"vr": "LO", "Value": ["A"]}, {"vr": "SH", "Value": ["A"]}),
        ({"vr": "LT", "Value": [" A"]}, {"vr": "LT", "Value": ["A"]}),
        ({"vr": "UT", "BulkDataURI": "x"}, {"vr": "UT", "BulkDataURI": "x"}),
        ({"vr": "UN", "BulkDataURI": "x"}, {"vr": "LO", "Value": ["x"]}),
        ({"vr": "UN", "InlineBinary": "QUI="}, {"vr": "LO", "Value": ["AB"]}),
        ({"vr": "UN", "InlineBinary": "QUI="}, {"vr": "UN", "InlineBinary": "QUJD"}),
        ({"vr": "UN", "InlineBinary": "QUI="}, {"vr": "UN", "Value": ["AB"]}),
        ({"vr": "UN", "InlineBinary": "?"}, {"vr": "UN", "InlineBinary": "!"}),
        ({"vr": "UN", "InlineBinary": 5}, {"vr": "UN", "InlineBinary": 6}),
        ({"vr": "LO", "Value": ["x"]}, {"vr": "LO"}),
        ({"vr": "LO", "Value": "x"}, {"vr": "LO", "Value": "x"}),
        ({"vr": "LO", "Value": [["x"]]}, {"vr": "LO", "Value": [["x"]]}),
        ({"vr": "PN", "Value": ["Doe"]}, {"vr": "PN", "Value": ["Doe"]}),
        ({"vr": "PN", "Value": [{"Name": "Doe"}]}, {"vr": "PN", "Value": [{"Name": "Doe"}]}),
        ({"vr": "PN", "Value": [{"Alphabetic": "^Doe"}]}, {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}),
        ({"vr": "SQ", "Value": [{}]}, {"vr": "SQ"}),
        ({"vr": "SQ", "Value": [None]}, {"vr": "SQ", "Value": [None]}),
        ("text", "text"),
    ],
)
def test_what_differs_or_is_doubtful_is_another_header(one: Any, other: Any) -> None:
    assert not same({"00189999": one}, {"00189999": other})
    assert not same(only({"00189999": one}), only({"00189999": other}))


NO_HEADER = (
    "00081190 00080056 00083002 00080054 00201208 00020010 00080000 00080005 00080201 7FE00010 7FE00001"
)


@pytest.mark.parametrize("tag", [*NO_HEADER.split(), "FFFCFFFC"])
def test_what_is_computed_or_about_the_encoding_is_not_of_the_header(tag: str) -> None:
    assert same(ROW, ROW | {tag: {"vr": "SH", "Value": ["x"]}})


def test_two_timezones_are_a_difference_and_one_is_not() -> None:
    one, other = ({"00080201": {"vr": "SH", "Value": [value]}} for value in ("+0100", "+0200"))
    assert not same(ROW | one, ROW | other)
    assert same(ROW | one, ROW)


def test_what_is_computed_at_the_top_is_data_in_a_sequence() -> None:
    assert not same(only({"00081190": {"vr": "UR", "Value": ["http://a"]}}), only({}))
    assert not same(only({"7FE00010": {"vr": "OW", "BulkDataURI": "http://a"}}), only({}))


def test_tags_in_lower_case_are_the_same_tags() -> None:
    assert same({"0009101a": {"vr": "LO"}}, {"0009101A": {"vr": "LO"}})


NO_ROWS = [
    b"",
    b"[]",
    b"null",
    b"{",
    b"\xff",
    b"[" * 100_000,
    b'{"00100010":' * 50_000,
    b'{"00100020":{"vr":"LO"},"00100020":{"vr":"LO"}}',
    b'{"0009101A":{"vr":"LO"},"0009101a":{"vr":"LO"}}',
    b'{"00100020":{"vr":"LO","vr":"LO"}}',
    b'{"00100020":5}',
]


@pytest.mark.parametrize("text", NO_ROWS, ids=range(len(NO_ROWS)))
def test_what_is_no_row_is_the_same_as_nothing_not_even_itself(text: bytes) -> None:
    assert not same_header(text, text)


Place = tuple[dict[str, Any], str]


def places(row: dict[str, Any]) -> Iterator[Place]:
    """Every attribute of a row at any depth, with the object it stands in."""
    for tag, attribute in row.items():
        yield row, tag
        if attribute["vr"] == "SQ":
            for item in attribute.get("Value", []):
                yield from places(item)


SAMPLES = [path for path in READABLE if path.name not in NAMELESS]


def is_nobody(attribute: dict[str, Any]) -> bool:
    """Whether it is a name of delimiters only, which says what an empty one does (PS3.5 §6.2.1)."""
    names = attribute.get("Value", ()) if attribute["vr"] == "PN" else ()
    return bool(names) and all(set("".join(name.values())) <= set("^= ") for name in names if name)


@settings(deadline=None)
@given(st.data())
def test_an_attribute_changed_added_or_removed_anywhere_is_seen(data: st.DataObject) -> None:
    row = json.loads(describe(str(data.draw(st.sampled_from(SAMPLES)))).metadata)
    changed = copy.deepcopy(row)
    counted = [
        (parent, tag)
        for parent, tag in places(changed)
        if tag not in ("00080005", "00080201", "00083002", "7FE00010")
        and "BulkDataURI" not in parent[tag]
        and not is_nobody(parent[tag])
    ]
    parent, tag = data.draw(st.sampled_from(counted))
    match data.draw(st.sampled_from(["removed", "added", "emptied", "value", "vr"])):
        case "removed":
            del parent[tag]
        case "added":
            parent["00091099"] = {"vr": "LO"}
        case "emptied" if parent[tag].keys() & {"Value", "InlineBinary"}:
            parent[tag] = {"vr": parent[tag]["vr"]}
        case "value":
            vr = parent[tag]["vr"]
            new = {"SQ": {"00091099": {"vr": "LO"}}, "PN": {"Alphabetic": "Somebody^Else"}}
            parent[tag] = {"vr": vr, "Value": [new.get(vr, "4095")]}
            if vr in ("OB", "OW", "UN", "OF", "OD", "OL", "OV"):
                parent[tag] = {"vr": vr, "InlineBinary": "c29tZXRoaW5nIGVsc2U="}
        case _:
            parent[tag]["vr"] = "AE" if parent[tag]["vr"] != "AE" else "LO"
    assert same(row, row)
    assert not same(row, changed)


@settings(deadline=None)
@given(st.sampled_from(SAMPLES))
def test_numbers_as_strings_and_left_out_values_are_not_seen(path: Any) -> None:
    row = json.loads(describe(str(path)).metadata)
    respelled = copy.deepcopy(row)
    for parent, tag in places(respelled):
        attribute = parent[tag]
        if attribute["vr"] in ("DS", "IS", "FL", "FD", "US", "SS", "UL", "SL") and "Value" in attribute:
            attribute["Value"] = [str(value) for value in attribute["Value"]]
        if attribute.keys() == {"vr"}:
            attribute["Value"] = []
    assert same(row, respelled)
