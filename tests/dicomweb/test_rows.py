"""Rows of search answers: who they are about, in which order, and that nothing in them is believed."""

import json
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb import row_reading
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row, RowError, number, tags_of, text, vr, with_issuer

STUDIES = Resource(Kind.COLLECTION, Level.STUDY)
SERIES = Resource(Kind.COLLECTION, Level.SERIES)
INSTANCES = Resource(Kind.COLLECTION, Level.INSTANCE)


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def study(date: str | None = None, time: str | None = None, uid: str = "1.2") -> Row:
    row = {"0020000D": attribute("UI", uid)}
    row |= {"00080020": attribute("DA", date)} if date is not None else {}
    row |= {"00080030": attribute("TM", time)} if time is not None else {}
    return read(json.dumps(row).encode(), STUDIES, "a")


def raw(value: str) -> Any:
    return tags_of(b'{"00100020":%s}' % value.encode())["00100020"]


def test_a_row_keeps_its_bytes_and_names_its_uids() -> None:
    bytes_of_it = b'{ "00080018":{"vr":"UI","Value":["5.6"]} , "00201209":{"vr":"IS","Value":["7"]}}'

    row = read(bytes_of_it, Resource(Kind.COLLECTION, Level.INSTANCE, "1.2", "3.4"), "a")

    assert (row.raw, row.key, row.source) == (bytes_of_it, ("1.2", "3.4", "5.6"), "a")


def test_padding_is_no_part_of_a_uid() -> None:
    assert study(uid="1.2\0").key == study(uid=" 1.2 ").key == ("1.2",)


@pytest.mark.parametrize(
    ("resource", "row", "instances"),
    [
        (STUDIES, {"0020000D": attribute("UI", "1"), "00201208": attribute("IS", "12")}, 12),
        (STUDIES, {"0020000D": attribute("UI", "1"), "00201209": attribute("IS", 12)}, -1),
        (
            SERIES,
            {
                "0020000D": attribute("UI", "1"),
                "0020000E": attribute("UI", "2"),
                "00201209": attribute("IS", 3.0),
            },
            3,
        ),
        (STUDIES, {"0020000D": attribute("UI", "1"), "00201208": attribute("IS", None)}, -1),
        (STUDIES, {"0020000D": attribute("UI", "1"), "00201208": attribute("IS", "many")}, -1),
        (STUDIES, {"0020000D": attribute("UI", "1"), "00201208": {"vr": "IS", "Value": None}}, -1),
    ],
)
def test_a_row_says_how_many_instances_its_source_has(
    resource: Resource, row: dict[str, Any], instances: int
) -> None:
    assert read(json.dumps(row).encode(), resource, "a").instances == instances


@pytest.mark.parametrize(
    "row",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"a":',
        b'{"0020000D":{"vr":"UI","Value":["x"]}}',
        b'{"0020000D":{"vr":"UI","Value":[]}}',
        b'{"0020000D":{"vr":"UI","Value":"1.2"}}',
        b'{"0020000D":{"vr":"UI","Value":[["1.2"]]}}',
        b'{"0020000D":{"vr":"UI","Value":[1e999]}}',
        b'{"0020000D":{"vr":"UI","Value":["\xff"]}}',
        b'{"0020000D":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_row_that_names_nothing_is_refused(row: bytes) -> None:
    with pytest.raises(RowError):
        read(row, STUDIES, "a")


def test_a_row_has_to_name_everything_above_it() -> None:
    with pytest.raises(RowError):
        read(b'{"0020000E":{"vr":"UI","Value":["3.4"]}}', SERIES, "a")
    with pytest.raises(RowError):
        read(b'{"00080018":{"vr":"UI","Value":["5"]},"0020000D":{"Value":["1"]}}', INSTANCES, "a")


@pytest.mark.parametrize(
    "rows",
    [
        [study("20200102"), study("20200101"), study("19991231"), study()],
        [study("20200101", "1200"), study("20200101", "115959.999"), study("20200101", "0000")],
        [study("20200101", "120000.5"), study("20200101", "12"), study("20200101")],
        [study("2020.01.02"), study("20200101", "12:00:00"), study("20200101", "11:59")],
        [study("20200101", "noon", uid="1"), study("20200101", "", uid="2")],
        [study("20200101", uid="1.2"), study("20200101", uid="1.2.1"), study("20200101", uid="1.3")],
        [study("soon", uid="1"), study("", uid="2"), study(uid="3")],
    ],
)
def test_newer_studies_come_first_and_those_without_date_or_time_last(rows: list[Row]) -> None:
    assert all(one.order < other.order for one, other in pairwise(rows))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["20200101", "20200102", "", "x"]),
            st.sampled_from(["1000", "100000", "10:00", "100000.000001", ""]),
            st.integers(1, 30),
        ),
        unique_by=lambda one: one[2],
    )
)
def test_the_order_is_total(found: list[tuple[str, str, int]]) -> None:
    rows = [study(date, time, f"1.{uid}") for date, time, uid in found]

    assert len({row.order for row in rows}) == len(rows)


def series(number: Any, uid: str = "3.4") -> Row:
    row = {"0020000E": attribute("UI", uid), "00200011": attribute("IS", number)}
    return read(json.dumps(row).encode(), Resource(Kind.COLLECTION, Level.SERIES, "1.2"), "a")


def test_series_and_instances_come_by_their_number() -> None:
    rows = [series(-3), series("0"), series(2, "3.4"), series("2", "3.5"), series("+10"), series(None)]

    assert all(one.order < other.order for one, other in pairwise(rows))
    first, second = (
        read(b'{"00080018":{"Value":["9.%d"]},"00200013":{"Value":[%d]}}' % (9 - n, n), IN_SERIES, "a")
        for n in (1, 2)
    )
    assert first.order < second.order


IN_SERIES = Resource(Kind.COLLECTION, Level.INSTANCE, "1.2", "3.4")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"vr":"IS","Value":[3]}', 3),
        ('{"vr":"IS","Value":["-3"]}', -3),
        ('{"vr":"IS","Value":[3.0]}', 3),
        ('{"vr":"IS","Value":[3.5]}', None),
        ('{"vr":"IS","Value":[1e300]}', None),
        ('{"vr":"IS","Value":["1e3"]}', None),
        (f'{{"vr":"IS","Value":[{"9" * 5000}]}}', None),
        ('{"vr":"IS","Value":[true]}', None),
        ('{"vr":"IS","Value":[{}]}', None),
        ('{"vr":"IS","Value":{}}', None),
        ('{"vr":"IS"}', None),
        ("7", None),
    ],
)
def test_a_number_is_read_however_it_is_written(value: str, said: int | None) -> None:
    assert number(raw(value)) == said


def test_what_cannot_be_read_says_nothing() -> None:
    assert text(None) == text(raw('{"vr":"LO","Value":[{"a":1}]}')) == text(raw("[1]")) == ""
    assert vr(raw('{"vr":"LO"}'), "UN") == "LO"
    assert vr(raw('{"vr":1}'), "UN") == vr(None, "UN") == "UN"


def test_an_issuer_is_added_where_it_is_missing() -> None:
    bare = b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00100020":{"vr":"LO","Value":["7"]}}'

    enriched = json.loads(with_issuer(bare, "HOSP-A"))

    assert enriched["00100021"] == {"vr": "LO", "Value": ["HOSP-A"]}
    assert list(enriched) == sorted(enriched)


@pytest.mark.parametrize(
    "row",
    [
        b'{"00100020":{"vr":"LO","Value":["7"]},"00100021":{"vr":"LO","Value":["OWN"]}}',
        b'{"00100020":{"vr":"LO"}}',
        b"{}",
    ],
)
def test_an_issuer_is_not_added_to_one_of_its_own_or_to_no_patient(row: bytes) -> None:
    assert with_issuer(row, "HOSP-A") == row


def test_what_is_no_row_gets_no_issuer() -> None:
    with pytest.raises(RowError):
        with_issuer(b"[]", "HOSP-A")


UID_TEXTS = st.sampled_from(["1.2", " 1.2\0", "", "x", "1." * 40])
VALUES = st.one_of(
    UID_TEXTS,
    st.sampled_from(
        ["20200101", "2020.01.01", "101112.5", "7", " HOSP ", "20200101" + " " * 40, " " * 40 + "101112"]
    ),
    st.integers(-5, 10**14),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.dictionaries(st.just("Alphabetic"), st.text(max_size=3), max_size=1),
)
ODD_ATTRIBUTES = st.one_of(
    st.builds(lambda found: {"vr": "LO", "Value": found}, st.lists(VALUES, max_size=2)),
    st.just({"vr": "LO"}),
    st.just({"vr": "LO", "Value": None}),
    st.just(7),
    st.none(),
)
TAGS = st.sampled_from(["0020000D", "00080020", "00080030", "00201208", "00100020", "00100021", "00091001"])


@given(st.dictionaries(TAGS, ODD_ATTRIBUTES), st.sampled_from(["", "HOSP-A"]))
def test_a_plain_row_is_read_as_an_odd_one_is(attributes: dict[str, Any], issuer: str) -> None:
    """Studies as nearly all sources write them are read in half the time: never to another result."""
    raw = json.dumps(attributes).encode()
    plainly = row_reading._read_plainly(raw, "a", issuer)
    with patch.object(row_reading, "_read_plainly", lambda *_: None):
        if plainly is not None:
            assert read(raw, STUDIES, "a", issuer) == plainly


@pytest.mark.parametrize(
    ("date", "time"), [("20200101" + " " * 40, "101112"), ("20200101", " " * 40 + "101112"), ("\0", "9" * 99)]
)
def test_blanks_do_not_move_a_study_whichever_way_its_row_is_read(date: str, time: str) -> None:
    def raw(date: str, time: str) -> bytes:
        texts = {"00080020": date, "00080030": time, "0020000D": "1.2"}
        return json.dumps({tag: {"vr": "LO", "Value": [text]} for tag, text in texts.items()}).encode()

    plainly = row_reading._read_plainly(raw(date, time), "a", "")
    assert plainly is not None
    with patch.object(row_reading, "_read_plainly", lambda *_: None):
        assert read(raw(date, time), STUDIES, "a").order == plainly.order
    assert plainly.order == read(raw(date.strip(" \0"), time.strip()), STUDIES, "a").order


def test_a_plain_row_is_read_plainly() -> None:
    raw = (
        b'{"00080020":{"vr":"DA","Value":["20200101"]},"00100020":{"vr":"LO","Value":["7"]},'
        b'"0020000D":{"vr":"UI","Value":["1.2"]},"00201208":{"vr":"IS","Value":[3]}}'
    )

    row = row_reading._read_plainly(raw, "a", "HOSP-A")

    assert row is not None
    assert (row.key, row.instances, row.patient_id, row.issuer) == (("1.2",), 3, "7", "HOSP-A")
