"""Merging any rows of any sources: the union is right, the order total, and no patient is mixed."""

from itertools import pairwise, permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.dicomweb.test_merge import attribute, body, merged, row, study

STUDY_ROWS = st.builds(
    lambda uid, patient, count, date: study(
        f"1.{uid}",
        count,
        t00100020=attribute("LO", f"p{patient}"),
        t00100010=attribute("PN", {"Alphabetic": f"Name^{patient}"}),
        t00080020=attribute("DA", f"2020010{date}") if date else attribute("DA"),
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

    assert {match.key for match in matches} == {each.key for each in rows}
    assert len({match.key for match in matches}) == len(matches)
    assert all(match.order < other.order for match, other in pairwise(matches))
    for match in matches:
        found = body(match)
        first = next(
            each
            for source, each in sent
            if each["0020000D"] == found["0020000D"] and source == next(iter(match.sources))
        )
        assert [found["00100020"], found["00100010"]] == [first["00100020"], first["00100010"]]
        assert found["00201208"]["Value"][0] == max(match.sources.values())


@given(st.lists(STUDY_ROWS, min_size=1, max_size=3))
def test_the_answer_does_not_depend_on_who_answered_first(found: list[dict[str, Any]]) -> None:
    rows = [row(source, attributes) for source, attributes in zip("abc", found, strict=False)]

    answers = {tuple(match.body for match in merged(*order)) for order in permutations(rows)}

    assert len(answers) == 1
