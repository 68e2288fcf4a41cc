"""Rows that were not asked for are seen, whatever the source says; rows that were are never lost to it."""

import json
from typing import Any

import pytest

from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.query import Spelling as As
from edgerouter.dicomweb.query import emit, parse
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.resource import parse as resource
from edgerouter.dicomweb.row_reading import read

STUDIES = resource("/studies")


def tagged(tag: str, value: Any) -> dict[str, Any]:
    return {f"t{tag}": value}


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def passes(query: str, at: Resource = STUDIES, **row: Any) -> bool:
    """Whether a row, whose attributes are given as `t00100020=…`, passes a search."""
    whole = {"0020000D": attribute("UI", "1.2")} | {tag[1:]: value for tag, value in row.items()}
    return Filter(parse(query), at)(read(json.dumps(whole).encode(), at, "a"))


@pytest.mark.parametrize(
    ("query", "value", "expected"),
    [
        ("PatientID=7", "7", True),
        ("PatientID=7", " 7 ", True),
        ("PatientID=7", "8", False),
        ("PatientID=7", "77", False),
        ("00100020=a*", "abc", True),
        ("00100020=*b*", "abc", True),
        ("00100020=a?", "abc", False),
        ("PatientID=ABC", "abc", False),  # PS3.4 C.2.2.2.1: case counts, but in person names
        ("PatientID=", "anybody", True),
        ("PatientID=*", "anybody", True),
        ("", "anybody", True),
        ("PatientName=Doe*", "anybody", True),
    ],
)
def test_a_patient_id_is_compared_by_its_letters(query: str, value: str, expected: bool) -> None:
    assert passes(query, t00100020=attribute("LO", value)) is expected


@pytest.mark.parametrize("tag", ["00100020", "00100021", "00080050"])
def test_a_row_that_does_not_say_whose_it_is_does_not_pass(tag: str) -> None:
    assert not passes(f"{tag}=7")
    assert not passes(f"{tag}=7", **tagged(tag, attribute("LO")))
    assert not passes(f"{tag}=7", **tagged(tag, {"vr": "LO", "Value": [["7"], None]}))
    assert passes(f"{tag}=*")


@pytest.mark.parametrize(
    ("query", "tag", "value", "expected"),
    [
        ("StudyDate=20200101-20200131", "00080020", "20200115", True),
        ("StudyDate=20200101-20200131", "00080020", "20200201", False),
        ("StudyDate=-20200131", "00080020", "19990101", True),
        ("StudyDate=20200101&00080201=%2B0100", "00080020", "20191231", True),  # the source may move dates
        ("ModalitiesInStudy=CT", "00080061", "CT", True),
        ("ModalitiesInStudy=CT,MR", "00080061", "MR", True),
        ("ModalitiesInStudy=CT%5CMR", "00080061", "MR", True),
        ("ModalitiesInStudy=CT", "00080061", "MR", False),
        ("Modality=CT", "00080060", "MR", False),
    ],
)
def test_dates_and_modalities_are_compared_where_they_are_said(
    query: str, tag: str, value: str, expected: bool
) -> None:
    assert passes(query, **tagged(tag, attribute("CS", value))) is expected
    assert passes(query, **tagged(tag, attribute("CS")))
    assert passes(query)


def test_one_value_of_several_is_enough() -> None:
    assert passes("ModalitiesInStudy=SR", t00080061=attribute("CS", "CT", "SR"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("StudyInstanceUID=1.2", True),
        ("StudyInstanceUID=1.1,1.2", True),
        ("0020000D=1.1%5C1.2", True),
        ("StudyInstanceUID=1.2.3", False),
        ("StudyInstanceUID=*", True),
        ("SeriesInstanceUID=3.4", True),  # what a study row cannot say
    ],
)
def test_uids_are_compared_where_the_row_has_them(query: str, expected: bool) -> None:
    assert passes(query) is expected


def test_a_row_of_another_study_or_series_than_the_path_s_does_not_pass() -> None:
    series = {"t0020000E": attribute("UI", "3.4")}
    instance = {"t00080018": attribute("UI", "5.6"), **series}

    assert passes("", resource("/studies/1.2/series"), **series)
    assert not passes("", resource("/studies/1.3/series"), **series)
    assert passes("", resource("/studies/1.2/series/3.4/instances"), **instance)
    assert not passes("", resource("/studies/1.2/series/3.5/instances"), **instance)
    assert not passes("SOPInstanceUID=5.7", resource("/studies/1.2/instances"), **instance)


def test_below_a_study_the_patient_is_compared_only_where_it_is_said() -> None:
    below, series = resource("/studies/1.2/series"), {"t0020000E": attribute("UI", "3.4")}

    assert passes("PatientID=7", below, **series)
    assert not passes("PatientID=7", below, t00100020=attribute("LO", "8"), **series)


def test_values_with_a_meaning_of_their_own_are_left_to_the_source() -> None:
    assert passes('PatientID=""&emptyvaluematching=true', t00100020=attribute("LO", "7"))
    assert passes("AccessionNumber=%22%22&emptyvaluematching=true")
    assert passes("StudyDate=*", t00080020=attribute("DA", "20200101"))


def test_one_of_several_values_will_do_where_they_are_asked_for() -> None:
    query = "PatientID=7%5C8&multiplevaluematching=true"

    assert passes(query, t00100020=attribute("LO", "8"))
    assert not passes(query, t00100020=attribute("LO", "9"))


def test_a_value_that_cannot_be_read_matches_nothing() -> None:
    raw = b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00100020":{"vr":"LO","Value":[1e999]}}'

    assert not Filter(parse("PatientID=1"), STUDIES)(read(raw, STUDIES, "a"))


def test_a_key_that_we_cannot_read_is_left_to_the_source() -> None:
    assert passes("StudyDate=20200231", t00080020=attribute("DA", "20200229"))


def test_attributes_inside_sequences_are_left_to_the_source() -> None:
    assert passes("RequestAttributesSequence.AccessionNumber=7")


def test_a_search_without_keys_has_nothing_to_check() -> None:
    assert not Filter(parse("limit=3&PatientName=Doe"), STUDIES).checks
    assert Filter(parse("StudyInstanceUID=1.2"), STUDIES).checks
    assert Filter(parse("PatientID=7"), STUDIES).checks


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/studies", "PatientID=7", "PatientID=7&includefield=PatientID"),
        (
            "/series",
            "00100021=A&includefield=00081030",
            "00100021=A&includefield=00081030&includefield=00100021",
        ),
        ("/studies", "PatientID=7&includefield=00100020", "PatientID=7&includefield=00100020"),
        ("/studies", "PatientID=7&includefield=all", "PatientID=7&includefield=all"),
        ("/studies/1.2/series", "PatientID=7", "PatientID=7"),
        ("/studies", "StudyInstanceUID=1.2&Modality=CT", "StudyInstanceUID=1.2&Modality=CT"),
    ],
)
def test_the_keys_that_are_checked_are_asked_for(path: str, query: str, expected: str) -> None:
    assert emit(answerable(parse(query), resource(path)), As()) == expected


def test_only_the_empty_value_is_special_where_empty_values_are_matched() -> None:
    """Else a parameter would switch off what keeps other patients' rows from leaving."""
    query = "PatientID=7&emptyvaluematching=true"

    assert passes(query, t00100020=attribute("LO", "7"))
    assert not passes(query, t00100020=attribute("LO", "8"))


@pytest.mark.parametrize(
    ("query", "path", "idle"),
    [
        ("PatientName=x*", "/studies", True),
        ("PatientID=7", "/studies", False),
        ("", "/studies/1.2/series", False),
    ],
)
def test_where_every_row_passes_none_is_looked_at(query: str, path: str, idle: bool) -> None:
    assert Filter(parse(query), resource(path)).idle is idle
