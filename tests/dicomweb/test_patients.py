"""Who is who: a cross-reference is read whole or refused whole, and never invents a person."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.patients import NOBODY, MappingError, Patient, read_mapping

MAPPING = """issuer,id,issuer,id
# two hospitals
HOSP-A,4711,HOSP-B,0815

HOSP-A,4712, HOSP-B ,0816,HOSP-C,"X,77"
HOSP-B,0815,HOSP-D,9
"""
A = Patient("HOSP-A", "4711")


def problems(text: str) -> tuple[tuple[int, str], ...]:
    with pytest.raises(MappingError) as caught:
        read_mapping(text)
    return caught.value.problems


def test_a_person_is_known_in_every_domain_that_a_chain_of_lines_leads_to() -> None:
    known = read_mapping(MAPPING)

    assert [known.id_in(issuer, A) for issuer in ("HOSP-A", "HOSP-B", "HOSP-C", "HOSP-D")] == [
        "4711",
        "0815",
        None,
        "9",
    ]
    assert known.id_in("HOSP-A", Patient("HOSP-C", "X,77")) == "4712"
    assert len(known) == 6


def test_an_id_is_nobody_s_outside_its_domain() -> None:
    known = read_mapping(MAPPING)

    assert known.id_in("HOSP-B", Patient("HOSP-C", "4711")) is None
    assert known.id_in("HOSP-B", Patient("", "4711")) is None


@pytest.mark.parametrize(
    ("other", "differ", "without"),
    [
        (Patient("HOSP-B", "0815"), False, True),
        (Patient("HOSP-B", "0816"), True, True),
        (Patient("HOSP-B", "4711"), True, True),  # the same letters, another person
        (Patient("HOSP-D", "9"), False, True),
        (Patient("", "4711"), False, False),
        (Patient("HOSP-A", ""), False, False),
        (Patient("", "4712"), True, True),
    ],
)
def test_patients_differ_unless_they_are_one_or_nobody_says_it(
    other: Patient, differ: bool, without: bool
) -> None:
    known = read_mapping(MAPPING)

    assert (known.differ(A, other), known.differ(other, A)) == (differ, differ)
    assert NOBODY.differ(A, other) is without


def test_everything_that_is_wrong_is_told_by_its_line_and_without_a_value() -> None:
    text = "A,1,B,2\nA,1\nA,1,B\nA,,B,3\nA,9,B,2\n" + f"A,{'x' * 65},B,4\nA,5,B,6\\7\n"

    assert [line for line, _ in problems(text)] == [2, 3, 4, 5, 6, 7]
    assert not any("9" in what for _, what in problems(text))


@pytest.mark.parametrize("text", ['A,"1,B,2', 'A,"1"2,B,3'])
def test_what_is_not_csv_is_refused(text: str) -> None:
    [(line, what)] = problems(text)

    assert (line, what) == (1, "is not CSV")


def test_a_line_that_would_make_two_patients_of_one_domain_one_person_is_refused() -> None:
    """By way of B: a wrong line here would show one patient's studies as another's."""
    chained = "A,1,B,2\nA,3,C,4\nB,2,C,4\n"

    assert problems(chained) == ((3, "makes two IDs of one issuer the same person"),)


IDS = st.tuples(st.sampled_from("ABC"), st.sampled_from("123"))


@given(st.lists(st.lists(IDS, min_size=2, max_size=3, unique_by=lambda pair: pair[0]), max_size=6))
def test_any_mapping_that_is_taken_is_an_equivalence_with_one_id_a_domain(
    lines: list[list[tuple[str, str]]],
) -> None:
    text = "\n".join(",".join(f"{issuer},{value}" for issuer, value in line) for line in lines)
    try:
        known = read_mapping(text)
    except MappingError:
        return
    everybody = [Patient(issuer, value) for issuer in "ABC" for value in "123"]
    same = {(one, other) for one in everybody for other in everybody if not known.differ(one, other)}

    assert all((other, one) in same for one, other in same)
    assert all((a, d) in same for a, b in same for c, d in same if b == c)
    assert all(one == other for one, other in same if one.issuer == other.issuer)
    assert all((Patient(*line[0]), Patient(*pair)) in same for line in lines for pair in line)


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_a_mapping_error(text: str) -> None:
    with suppress(MappingError):
        read_mapping(text)
