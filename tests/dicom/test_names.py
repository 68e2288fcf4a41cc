import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.names import fold, fuzzy_matches, glob, name_matches

LETTERS = st.text("ab*?", max_size=12)


@given(LETTERS, st.text("ab\n", max_size=12))
def test_wildcards_match_what_a_regular_expression_would(pattern: str, text: str) -> None:
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(char, re.escape(char)) for char in pattern)
    assert glob(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


def test_no_pattern_makes_matching_backtrack() -> None:
    assert not glob("a*" * 500 + "b", "a" * 50_000)
    assert not glob("*" + "a" * 1000 + "b", "a" * 50_000)
    assert not glob("*" + "a?" * 100 + "b*b", "a" * 50_000)


NAME = {
    "Alphabetic": "Yamada^Tarou^^Dr",
    "Ideographic": "\u5c71\u7530^\u592a\u90ce",
    "Phonetic": "\u3084\u307e\u3060^\u305f\u308d\u3046",
}


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("Yamada^Tarou^^Dr", True),
        ("yamada^TAROU^^dr", True),
        ("Yamada^Tarou^^Dr^", True),
        ("Yamada ^ Tarou^^Dr", True),
        ("Yamada^Tarou", False),
        ("Yamada", False),
        ("Yamada*", True),
        ("YAM?DA^*", True),
        ("*tarou*", True),
        ("Y*z", False),
        ("\u5c71\u7530^\u592a\u90ce", True),
        ("\u5c71*", True),
        ("\u3084\u307e\u305f*", False),
        ("Yamada*=\u5c71\u7530*", True),
        ("Yamada*=\u9234\u6728*", False),
        ("=\u5c71\u7530*", True),
        ("Yamada*==", True),
        ("\u5c71\u7530*=Yamada*", False),
    ],
)
def test_a_name_is_matched_by_component_groups_and_without_regard_to_case(key: str, matches: bool) -> None:
    assert name_matches(key, NAME) is matches


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("muller^jorg", "M\u00fcller^J\u00f6rg"),
        ("M\u00dcLLER^J\u00d6RG", "mu\u0308ller^jo\u0308rg"),
        ("strasse", "Stra\u00dfe"),
        ("\uff76\uff9e", "\u30ac"),
        ("doe^*", "Doe"),
        ("Doe^J*^*", "DOE^Jane"),
        ("doe", "Doe^^^^"),
        ("\uae40^?", "\uae40^\uac00"),
    ],
)
def test_accents_width_and_empty_components_make_no_difference(key: str, name: str) -> None:
    assert name_matches(key, {"Alphabetic": name})
    assert name_matches(key, name)


def test_the_marks_of_the_kana_make_another_syllable() -> None:
    assert fold("\u30cf") != fold("\u30d0")


@pytest.mark.parametrize("value", [{}, {"Alphabetic": ""}, {"Other": "x"}, 7, None, [], ""])
def test_no_name_matches_no_key(value: object) -> None:
    assert not name_matches("x", value)
    assert not name_matches("*x*", value)
    assert not fuzzy_matches("x", value)


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("tarou yamada", True),
        ("tar", True),
        ("yam tar", True),
        ("yam*", True),
        ("dr, yamada", True),
        ("\u592a", True),
        ("amada", False),
        ("yamada x", False),
        ("*", False),
        ("^", False),
    ],
)
def test_fuzzy_matching_takes_every_word_for_the_beginning_of_one(key: str, matches: bool) -> None:
    assert fuzzy_matches(key, NAME) is matches
