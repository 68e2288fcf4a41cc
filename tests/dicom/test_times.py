from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.times import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    date_span,
    moment_span,
    split_range,
    time_span,
    zone,
)

MOMENTS = st.datetimes(min_value=datetime(1, 1, 2))
EPOCH = datetime(1, 1, 1)


def since(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) + DAY


@given(MOMENTS)
def test_a_full_stamp_is_one_microsecond(moment: datetime) -> None:
    span = moment_span(moment.strftime("%Y%m%d%H%M%S.%f").rjust(21, "0"))
    assert span == (since(moment), since(moment), None)


@given(MOMENTS, st.sampled_from([4, 6, 8, 10, 12, 14]))
def test_a_shorter_stamp_is_all_it_names(moment: datetime, length: int) -> None:
    text = moment.strftime("%Y%m%d%H%M%S").rjust(14, "0")[:length]
    span = moment_span(text)
    assert span is not None
    assert span.first <= since(moment) <= span.last
    for outside in (span.first - 1, span.last + 1):
        other = EPOCH + timedelta(microseconds=outside - DAY)
        assert other.strftime("%Y%m%d%H%M%S").rjust(14, "0")[:length] != text
        if outside > span.last and text.startswith("9999"):
            break


@pytest.mark.parametrize(
    ("text", "first", "length"),
    [
        ("10", 10 * HOUR, HOUR),
        ("1030", 10 * HOUR + 30 * MINUTE, MINUTE),
        ("10:30", 10 * HOUR + 30 * MINUTE, MINUTE),
        ("103015", 10 * HOUR + 30 * MINUTE + 15 * SECOND, SECOND),
        ("103015.5", 10 * HOUR + 30 * MINUTE + 15 * SECOND + 500_000, 100_000),
        ("235960", 24 * HOUR, SECOND),
    ],
)
def test_a_time_is_the_span_it_names(text: str, first: int, length: int) -> None:
    assert time_span(text) == (first, first + length - 1, None)


@pytest.mark.parametrize(
    "text", ["", "1", "24", "1060", "103061", "1030.5", "10301", "abc", "103015.1234567", "\u0661\u0660"]
)
def test_what_is_no_time_has_no_span(text: str) -> None:
    assert time_span(text) is None


@pytest.mark.parametrize(
    "text", ["", "2020", "20201301", "20200230", "00000101", "2020-01-01", "202001011", "2020010a"]
)
def test_what_is_no_date_has_no_span(text: str) -> None:
    assert date_span(text) is None


def test_the_old_form_of_a_date_is_the_same_day() -> None:
    assert date_span("1993.08.22") == date_span("19930822")


@pytest.mark.parametrize(
    "text", ["", "20", "202013", "20200101.5", "2020010125", "20200101+2500", "2020010110301"]
)
def test_what_is_no_moment_has_no_span(text: str) -> None:
    assert moment_span(text) is None


def test_an_offset_is_kept_beside_the_clock() -> None:
    span = moment_span("2020010110+0130")
    assert span is not None
    assert span.offset == 90 * MINUTE
    assert zone("-0500") == -5 * HOUR
    assert zone("0500") is None


@pytest.mark.parametrize(
    ("vr", "text", "ends"),
    [
        ("DA", "20200101-20200131", ("20200101", "20200131")),
        ("DA", "-20200131", ("", "20200131")),
        ("DA", "20200101-", ("20200101", "")),
        ("DA", "20200101", None),
        ("DA", "-", ("", "")),
        ("TM", "1000 - 1800", ("1000", "1800")),
        ("DT", "2020-2021", ("2020", "2021")),
        ("DT", "2020-0500", None),
        ("DT", "20200101-0500", None),
        ("DT", "20200101-0500-20200102+0100", ("20200101-0500", "20200102+0100")),
        ("DT", "-20200102-0500", ("", "20200102-0500")),
        ("DT", "20200101-0500-", ("20200101-0500", "")),
        ("DT", "20200101-20200102", ("20200101", "20200102")),
        ("DT", "-", ("", "")),
        ("DT", "nonsense", None),
    ],
)
def test_a_hyphen_divides_a_range_unless_it_begins_an_offset(
    vr: str, text: str, ends: tuple[str, str] | None
) -> None:
    assert split_range(vr, text) == ends
