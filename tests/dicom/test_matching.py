from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.matching import Matcher, matches
from tests.dicom.rows import ROW, keys, path


@pytest.mark.parametrize(
    "name", ["PatientID", "StudyDate", "ReferringPhysicianName", "StudyID", "PatientComments", "SOPClassUID"]
)
@pytest.mark.parametrize("value", ["", "*", "**", " ", [], ["x", "*"]])
def test_a_universal_key_matches_whatever_is_there_or_not(name: str, value: Any) -> None:
    assert matches(ROW, [(path(name), value)])
    assert matches({}, [(path(name), value)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ReferringPhysicianName", "x*"),
        ("StudyID", "?*"),
        ("PatientComments", "x"),
        ("SeriesDate", "-20200101"),
        ("InstanceNumber", "1"),
    ],
)
def test_what_has_no_value_matches_no_other_key(name: str, value: str) -> None:
    assert not matches(ROW, [(path(name), value)])


def test_all_keys_have_to_match() -> None:
    assert matches(ROW, keys(PatientID="PAT-1", StudyDate="20060706", PatientName=""))
    assert not matches(ROW, keys(PatientID="PAT-1", StudyDate="20060707"))
    assert matches(ROW, [])


def test_the_keys_of_a_sequence_are_matched_within_one_item() -> None:
    step, request = (
        "RequestAttributesSequence__ScheduledProcedureStepID",
        "RequestAttributesSequence__RequestedProcedureID",
    )
    assert matches(ROW, keys(**{step: "STEP2", request: "REQ2"}))
    assert not matches(ROW, keys(**{step: "STEP1", request: "REQ2"}))
    assert matches(ROW, keys(**{step: "STEP?", request: ""}))
    assert matches({}, keys(**{step: "", request: "*"}))
    assert not matches({}, keys(**{step: "STEP1"}))
    assert not matches({"00400275": {"vr": "SQ", "Value": ["no item", None]}}, keys(**{step: "STEP1"}))


def test_sequences_in_sequences_are_followed() -> None:
    row = {"0040A730": {"Value": [{"0040A043": {"Value": [{"00080100": {"Value": ["X"]}}]}}]}}
    key = ("0040A730", "0040A043", "00080100")
    assert matches(row, [(key, "X")])
    assert not matches(row, [(key, "Y")])


@pytest.mark.parametrize(
    ("date", "time", "combined", "apart"),
    [
        ("20060705-20060707", "1000-1800", True, False),
        ("20060706-20060706", "2230-2230", True, True),
        ("20060705-20060706", "1000-2229", False, False),
        ("20060706-20060707", "2231-1000", False, False),
        ("20060705-", "2300-", True, False),
        ("-20060706", "-2230", True, True),
        ("-20060706", "-2200", False, False),
        ("20060706-20060707", "-1000", True, False),
        ("20060705-20060706", "1000-", True, True),
    ],
)
def test_a_date_range_and_a_time_range_are_one_interval(
    date: str, time: str, combined: bool, apart: bool
) -> None:
    assert matches(ROW, keys(StudyDate=date, StudyTime=time)) is combined
    assert matches(ROW, keys(StudyDate=date, StudyTime=time), combined=False) is apart


def test_a_single_date_with_a_time_range_is_not_combined() -> None:
    assert matches(ROW, keys(StudyDate="20060706", StudyTime="2200-2300"))
    assert not matches(ROW, keys(StudyDate="20060705-20060707", StudyTime="2231"))


def test_other_pairs_of_date_and_time_are_combined_too() -> None:
    row = {"00400244": {"Value": ["20060706"]}, "00400245": {"Value": ["2230"]}}
    pair = {
        "PerformedProcedureStepStartDate": "20060705-20060707",
        "PerformedProcedureStepStartTime": "1000-1800",
    }
    assert matches(row, keys(**pair))
    assert not matches({}, keys(**pair))


def test_without_a_time_the_date_decides() -> None:
    row = {"00080020": {"Value": ["20060705"]}}
    assert matches(row, keys(StudyDate="20060705-20060707", StudyTime="1000-1800"))
    assert not matches(row, keys(StudyDate="20060706-20060707", StudyTime="1000-1800"))
    assert not matches({"00080020": {"Value": ["soon"]}}, keys(StudyDate="20060705-", StudyTime="10-"))


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
)
def test_combined_matching_is_comparison_of_moments(
    first: datetime, last: datetime, moment: datetime
) -> None:
    row = {"00080020": {"Value": [f"{moment:%Y%m%d}"]}, "00080030": {"Value": [f"{moment:%H%M%S.%f}"]}}
    asked = keys(StudyDate=f"{first:%Y%m%d}-{last:%Y%m%d}", StudyTime=f"{first:%H%M%S.%f}-{last:%H%M%S.%f}")
    assert matches(row, asked) is (first <= moment <= last)


def test_a_matcher_is_made_once_and_asked_often() -> None:
    matcher = Matcher(keys(PatientName="D*"), fuzzy=False)
    assert [matcher(row) for row in (ROW, {}, ROW)] == [True, False, True]
