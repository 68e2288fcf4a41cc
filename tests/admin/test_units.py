"""Numbers on the page are short, and never look more exact than they are."""

import pytest

from edgerouter.admin.units import count, share, size, span, wait


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (99_949, "99.9 KB"),
        (99_951, "100 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (20_000_000_000, "20.0 GB"),
        (3 * 10**18, "3000 PB"),
        (-1_500_000, "−1.5 MB"),
    ],
)
def test_bytes_have_a_unit_and_at_most_three_digits(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00042, "0.4 ms"), (0.2504, "250 ms"), (0.9996, "1.0 s"), (59.0, "59.0 s"), (75, "1 min 15 s")],
)
def test_a_wait_is_told_in_the_unit_it_is_felt_in(seconds: float, text: str) -> None:
    assert wait(seconds) == text


def test_counts_and_shares_are_grouped_and_rounded() -> None:
    assert (count(999), count(1234567), share(0.98765)) == ("999", "1\u202f234\u202f567", "98.8 %")
