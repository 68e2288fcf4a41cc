"""What a pin's query means on a day, and what cannot be one."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.pin_query import UnusableQuery, question
from edgerouter.dicom.matching import Row

TODAY = date(2024, 3, 1)


def row(day: str = "", **codes: str) -> Row:
    found: dict[str, dict[str, object]] = {
        tag: {"vr": "CS", "Value": value.split("\\")} for tag, value in codes.items()
    }
    return {**found, "00080020": {"vr": "DA", "Value": [day]}} if day else found


@pytest.mark.parametrize(
    ("query", "day", "matches"),
    [
        ("StudyDate=today", "20240301", True),
        ("StudyDate=today", "20240229", False),
        ("StudyDate=today-1", "20240229", True),
        ("StudyDate=today-7-", "20240223", True),
        ("StudyDate=today-7-", "20240222", False),
        ("StudyDate=today-7-", "20240302", True),
        ("StudyDate=today-7-today-1", "20240229", True),
        ("StudyDate=today-7-today-1", "20240301", False),
        ("StudyDate=-today-1", "20240301", False),
        ("StudyDate=-today-1", "19991231", True),
        ("StudyDate=today-20240302", "20240302", True),
        ("00080020=today", "20240301", True),
        ("StudyDate=20240101", "20240101", True),
    ],
)
def test_days_move_with_today(query: str, day: str, matches: bool) -> None:
    assert question(query, TODAY).matches(row(day)) is matches


def test_today_is_a_day_only_where_the_value_is_a_date() -> None:
    asks = question("PatientName=today", TODAY)

    assert asks.matches({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "today"}]}})
    assert not asks.matches({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "20240301"}]}})


def test_all_keys_have_to_match() -> None:
    asks = question("ModalitiesInStudy=CT&StudyDate=today-7-", TODAY)

    assert asks.matches(row("20240228", **{"00080061": "MR\\CT"}))
    assert not asks.matches(row("20240228", **{"00080061": "MR"}))
    assert not asks.matches(row("20240101", **{"00080061": "CT"}))
    assert asks.needs_metadata
    assert not question("StudyDate=today", TODAY).needs_metadata


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_a_window_of_days_holds_exactly_its_days(back: int, other: int) -> None:
    day = TODAY - timedelta(days=other)

    matches = question(f"StudyDate=today-{back}-", TODAY).matches(row(f"{day:%Y%m%d}"))

    assert matches is (other <= back)


@pytest.mark.parametrize(
    "query",
    [
        *("", "StudyDate=", "StudyDate=*", "nonsense=1", "StudyDate=yesterday", "StudyDate=today-99999"),
        *("StudyDate=today&limit=1", "StudyDate=today&includefield=all", "StudyDate=today&StudyDate=today"),
        *("StudyDate=today%zz", "PatientName=" + "x" * 1000, "ModalitiesInStudy=CT&colour=red"),
    ],
)
def test_what_cannot_be_a_pin_is_refused_in_words(query: str) -> None:
    with pytest.raises(UnusableQuery, match=r"\.$"):
        question(query, TODAY)


def test_a_refusal_does_not_repeat_a_value() -> None:
    with pytest.raises(UnusableQuery) as refusal:
        question("PatientID=4711&StudyDate=Miller", TODAY)

    assert "4711" not in str(refusal.value)
    assert "Miller" not in str(refusal.value)
