"""Warnings of an archive, with us as their agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.transactions.warning import own_warnings

OURS = "http://edge.example/dicomweb"


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("299 http://pacs/dw: There are 5 additional results", ["299 {}: There are 5 additional results"]),
        ('299 pacs:8080 "There are 5 additional"', ["299 {}: There are 5 additional"]),
        ('299 - "a \\"b\\" c" "Wed, 21 Oct 2015 07:28:00 GMT"', ['299 {}: a "b" c']),
        ('299 a.b "one", 214 - "two"', ["299 {}: one", "214 {}: two"]),
        ("A700 pacs.example: Out of memory", ["A700 {}: Out of memory"]),
        ("299 Service: The fuzzymatching", ["299 {}: The fuzzymatching"]),
        ("299 There are more", ["299 {}: There are more"]),
        ("299 pacs:8080", ["299 {}: pacs:8080"]),
        ('299 - "not closed', ['299 {}: "not closed']),
        ('299 - "one", nonsense', ["299 {}: one", "nonsense"]),
        ("nonsense", ["nonsense"]),
        ("299", ["299"]),
        ("", []),
    ],
)
def test_the_agent_is_ours_and_the_text_the_archives(line: str, texts: list[str]) -> None:
    assert own_warnings(line, OURS) == [text.format(OURS) for text in texts]


@given(st.text(alphabet='29 "\\,:-a', max_size=60))
def test_any_line_gives_lines(line: str) -> None:
    assert all(isinstance(warning, str) for warning in own_warnings(line, OURS))


@pytest.mark.parametrize("line", ['299 - "' + "\\" * 30_000, "299 " + ":" * 30_000, '299 - "", ' * 3000])
def test_a_hostile_line_costs_nothing(line: str) -> None:
    own_warnings(line, OURS)
