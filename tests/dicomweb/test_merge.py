"""Merging by UID and by attribute: no chimera, no double, one order."""

import json
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.merge import Merged, Row, RowError, merge, read
from edgerouter.dicomweb.resource import Kind, Level, Resource

STUDIES = Resource(Kind.COLLECTION, Level.STUDY)
PUBLIC = "https://edge/dicomweb"


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def study(uid: str = "1.2", more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"0020000D": attribute("UI", uid), **(more or {})}


def row(source: str, attributes: dict[str, Any]) -> Row:
    return read(json.dumps(attributes).encode(), STUDIES, source)


def merged(*rows: Row) -> list[Merged]:
    return merge(rows, Level.STUDY, PUBLIC, ["a", "b", "c"])


def body(match: Merged) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(match.body)
    return found


def test_a_study_at_two_sources_is_one_row_with_the_larger_count_and_all_modalities() -> None:
    one = study("1.2", {"00201208": attribute("IS", 3), "00080061": attribute("CS", "CT")})
    two = study("1.2", {"00201208": attribute("IS", "5"), "00080061": attribute("CS", "SR", "CT")})

    (match,) = merged(row("a", one), row("b", two))

    assert body(match)["00201208"] == {"vr": "IS", "Value": ["5"]}
    assert sorted(body(match)["00080061"]["Value"]) == ["CT", "SR"]
    assert body(match)["00081190"]["Value"] == [f"{PUBLIC}/studies/1.2"]
    assert match.sources == ("b", "a")


def test_the_patient_comes_whole_from_the_better_holder() -> None:
    one = study("1.2", {"00201208": attribute("IS", 9), "00100020": attribute("LO", "7")})
    two = study(
        "1.2",
        {
            "00201208": attribute("IS", 1),
            "00100010": attribute("PN", {"Alphabetic": "Other^Patient"}),
            "00100020": attribute("LO", "7"),
            "00100040": attribute("CS", "F"),
        },
    )

    (match,) = merged(row("a", one), row("b", two))

    assert {tag: value for tag, value in body(match).items() if tag.startswith("0010")} == {
        "00100020": attribute("LO", "7")
    }


def test_an_empty_description_is_filled_from_another_copy_of_the_same_patient() -> None:
    one = study("1.2", {"00201208": attribute("IS", 9), "00081030": attribute("LO")})
    two = study("1.2", {"00201208": attribute("IS", 1), "00081030": attribute("LO", "Head")})

    (match,) = merged(row("a", one), row("b", two))

    assert body(match)["00081030"] == attribute("LO", "Head")


def test_nothing_is_filled_between_two_patients_and_the_conflict_is_told() -> None:
    one = study("1.2", {"00201208": attribute("IS", 9), "00100020": attribute("LO", "7")})
    two = study("1.2", {"00100020": attribute("LO", "8"), "00081030": attribute("LO", "Head")})

    (match,) = merged(row("a", one), row("b", two))

    assert match.conflict
    assert "00081030" not in body(match)


def test_an_offset_from_utc_never_joins_another_sources_date() -> None:
    one = study("1.2", {"00201208": attribute("IS", 9), "00080201": attribute("SH", "+0100")})
    two = study("1.2", {"00080020": attribute("DA", "20200101"), "00080030": attribute("TM", "1000")})

    (match,) = merged(row("a", one), row("b", two))

    assert body(match)["00080020"]["Value"] == ["20200101"]
    assert "00080201" not in body(match)


def test_modalities_without_a_value_do_not_leave() -> None:
    (match,) = merged(row("a", study("1.2", {"00080061": attribute("CS")})))

    assert "00080061" not in body(match)


def test_a_number_keeps_the_spelling_its_source_gave_it() -> None:
    raw = b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00101030":{"vr":"DS","Value":[1.0E2]}}'

    (match,) = merged(read(raw, STUDIES, "a"))

    assert b"[1.0E2]" in match.body


@pytest.mark.parametrize("raw", [b"[]", b"1", b"{}", b'{"0020000D":{"vr":"UI","Value":["x"]}}', b'{"a":'])
def test_a_row_without_a_usable_uid_is_refused(raw: bytes) -> None:
    with pytest.raises(RowError):
        read(raw, STUDIES, "a")


def test_newer_studies_come_first_and_undated_ones_last() -> None:
    old = row("a", study("1.1", {"00080020": attribute("DA", "20100101")}))
    new = row("a", study("1.2", {"00080020": attribute("DA", "20200101")}))
    undated = row("a", study("1.3"))

    assert [match.key[0] for match in merged(undated, old, new)] == ["1.2", "1.1", "1.3"]


STUDY_ROWS = st.builds(
    lambda uid, patient, count, date: study(
        f"1.{uid}",
        {
            "00100020": attribute("LO", f"p{patient}"),
            "00100010": attribute("PN", {"Alphabetic": f"Name^{patient}"}),
            "00201208": attribute("IS", count),
            "00080020": attribute("DA", f"2020010{date}") if date else attribute("DA"),
        },
    ),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(0, 3),
)


@given(st.lists(st.tuples(st.sampled_from("abc"), STUDY_ROWS), max_size=9))
def test_the_union_is_right_the_order_total_and_no_patient_is_mixed(
    sent: list[tuple[str, dict[str, Any]]],
) -> None:
    rows = [row(source, attributes) for source, attributes in sent]

    matches = merged(*rows)

    assert {match.key for match in matches} == {one.key for one in rows}
    assert len({match.key for match in matches}) == len(matches)
    assert all(one.order < other.order for one, other in pairwise(matches))
    patients = {
        (found["00100020"]["Value"][0], found["00100010"]["Value"][0]["Alphabetic"]) for _, found in sent
    }
    for match in matches:
        found = body(match)
        assert (found["00100020"]["Value"][0], found["00100010"]["Value"][0]["Alphabetic"]) in patients


@given(st.lists(STUDY_ROWS, min_size=1, max_size=3, unique_by=lambda found: found["0020000D"]["Value"][0]))
def test_the_answer_does_not_depend_on_who_answered_first(found: list[dict[str, Any]]) -> None:
    rows = [row(source, attributes) for source, attributes in zip("abc", found, strict=False)]
    rows += [row("c" if one.source != "c" else "a", json.loads(b"{}") | study(one.key[0])) for one in rows]

    answers = {tuple(match.body for match in merged(*order)) for order in permutations(rows)}

    assert len(answers) == 1
