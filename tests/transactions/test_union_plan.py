"""What is asked of whom of a study at several archives: each instance once, of the best that has it."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.transactions.union_plan import Grain, Step, covered, preferred, steps_of

STUDY = Resource(Kind.DICOM, Level.STUDY, "1")
ORDER = ("a", "b", "c")
MEMBERS = st.tuples(st.sampled_from(["1.1", "1.2"]), st.integers(1, 6).map(lambda number: f"1.9.{number}"))
LISTS = st.dictionaries(st.sampled_from(ORDER), st.lists(MEMBERS, max_size=8), min_size=1)
GRAINS: list[Grain] = ["whole", "series", "exact"]


def fetched(step: Step, lists: Mapping[str, Sequence[Member]]) -> set[Member]:
    """What the source answers to a step."""
    one = step.resource
    return {
        member
        for member in lists[step.source]
        if one.series in (None, member[0]) and one.instance in (None, member[1])
    }


@given(LISTS, st.sampled_from(GRAINS))
def test_every_instance_is_asked_for_once(lists: dict[str, list[Member]], grain: Grain) -> None:
    steps = steps_of(STUDY, lists, ORDER, grain)

    promised = [member for step in steps for member in step.members or ()]
    assert sorted(promised) == sorted({member for found in lists.values() for member in found})
    for step in steps:
        assert step.members is not None
        answer = fetched(step, lists)
        assert step.members <= answer
        assert step.exact is (step.members == answer)
        assert step.exact or grain != "exact"
        assert grain != "series" or 2 * len(step.members) >= len(answer)


@given(LISTS)
def test_the_best_holder_gives_all_it_has_in_one_answer(lists: dict[str, list[Member]]) -> None:
    best, *others = preferred(lists, ORDER)

    steps = steps_of(STUDY, lists, ORDER, "series")

    assert all(len(lists[best]) >= len(lists[name]) for name in others)
    assert [step.resource for step in steps if step.source == best] == ([STUDY] if lists[best] else [])


def test_who_cannot_be_listed_comes_last_and_gives_what_nobody_else_has() -> None:
    steps = steps_of(STUDY, {"a": None, "b": [("1.1", "1.9.1")]}, ORDER, "series")

    assert [(step.source, step.members) for step in steps] == [
        ("b", frozenset({("1.1", "1.9.1")})),
        ("a", None),
    ]


@pytest.mark.parametrize(
    ("members", "expected"),
    [([("1", "1")], True), ([("1", "1"), ("1", "2")], False), ([], True), (None, False)],
)
def test_what_others_have_too_is_covered(members: list[Member] | None, expected: bool) -> None:
    assert covered(members, {"b": [("1", "1")], "c": None}) is expected
