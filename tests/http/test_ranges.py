import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.conditional import ETag
from edgerouter.http.fields import Fields
from edgerouter.http.ranges import ByteRange, Unsatisfiable, parse_range, requested

TAG = ETag("a")


@pytest.mark.parametrize(
    ("value", "content_range"),
    [
        ("bytes=10-19", "bytes 10-19/100"),
        ("bytes=0-0", "bytes 0-0/100"),
        ("bytes=90-", "bytes 90-99/100"),
        ("bytes=-5", "bytes 95-99/100"),
        ("bytes=-500", "bytes 0-99/100"),
        ("bytes=50-5000", "bytes 50-99/100"),
        ("Bytes= 0-9 ", "bytes 0-9/100"),
        ("bytes=0-999999999999999999", "bytes 0-99/100"),
    ],
)
def test_one_range_is_cut_to_the_representation(value: str, content_range: str) -> None:
    found = parse_range(value, 100)

    assert isinstance(found, ByteRange)
    assert found.content_range == content_range


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=999999999999999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(value: str) -> None:
    found = parse_range(value, 100)

    assert found == Unsatisfiable(100)
    assert isinstance(found, Unsatisfiable)
    assert found.content_range == "bytes */100"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=--5",
        "bytes=+1-2",
        "bytes=1-2-3",
        "bytes=1_0-20",
        "bytes=٣-٤",
        "bytes 0-9",
        "bytes =0-9",
        "lines=0-9",
        "bytes=0-9,20-29",
        "bytes=0-9,",
        "bytes=0-9\n",
        "bytes=" + ",".join(["0-0"] * 17),
        "bytes=0-" + "9" * 65_000,
        "bytes=" + "0-," * 21_000,
        "bytes=" + " " * 65_000,
    ],
)
def test_what_is_not_one_range_is_answered_whole(value: str) -> None:
    assert parse_range(value, 100) is None


def test_an_empty_representation_has_no_ranges() -> None:
    assert parse_range("bytes=0-", 0) == Unsatisfiable(0)
    assert parse_range("bytes=-5", 0) is None


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_a_range_is_the_slice_it_says(first: int, last: int, total: int) -> None:
    data = bytes(index % 256 for index in range(total))

    found = parse_range(f"bytes={first}-{last}", total)

    if last < first:
        assert found is None
    elif first >= total:
        assert found == Unsatisfiable(total)
    else:
        assert isinstance(found, ByteRange)
        assert data[found.start : found.stop] == data[first : last + 1]
        assert found.length == len(data[first : last + 1])


@given(st.text(max_size=60), st.integers(0, 1000))
def test_any_text_is_read_without_an_error(value: str, total: int) -> None:
    for text in (value, "bytes=" + value):
        found = parse_range(text, total)
        assert not isinstance(found, ByteRange) or 0 <= found.start < found.stop <= total


def test_only_get_has_ranges() -> None:
    fields = Fields([("range", "bytes=0-9")])

    assert requested("GET", fields, 100) == ByteRange(0, 10, 100)
    assert requested("HEAD", fields, 100) is None
    assert requested("GET", Fields(), 100) is None


def test_several_range_lines_are_several_ranges() -> None:
    assert requested("GET", Fields([("range", "bytes=0-9"), ("range", "bytes=20-29")]), 100) is None


@pytest.mark.parametrize(
    ("if_range", "etag", "part"),
    [
        ('"a"', TAG, True),
        ('"b"', TAG, False),
        ('W/"a"', TAG, False),
        ('"a"', ETag("a", weak=True), False),
        ('"a"', None, False),
        ("Sun, 06 Nov 1994 08:49:37 GMT", TAG, False),
        ("nonsense", TAG, False),
    ],
)
def test_if_range_gives_a_part_only_of_the_same_bytes(if_range: str, etag: ETag | None, part: bool) -> None:
    fields = Fields([("range", "bytes=0-9"), ("if-range", if_range)])

    assert requested("GET", fields, 100, etag) == (ByteRange(0, 10, 100) if part else None)
