"""What is noted and forgotten."""

from edgerouter.transactions.noted import Noted


def test_what_was_noted_longest_ago_is_forgotten() -> None:
    noted: Noted[str, int] = Noted(2)
    noted.note("a", 1)
    noted.note("b", 2)
    noted.note("a", 3)
    noted.note("c", 4)

    assert (noted.get("a"), noted.get("b"), noted.get("c")) == (3, None, 4)
    assert ("a" in noted, "b" in noted) == (True, False)
