"""Lifetimes by kind and study age; a clock that jumps neither freshens nor spoils what is kept."""

from datetime import UTC, datetime

import pytest

from edgerouter.cache.freshness import DAY, HOUR, MINUTE, Kept, age, is_fresh, is_young, lifetime

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC).timestamp()
OLD = "20200101"


def test_pixels_outlive_headers_and_headers_outlive_listings() -> None:
    for young in (False, True):
        lives = [lifetime(kind, young) for kind in (Kept.PIXELS, Kept.INSTANCE, Kept.LISTING)]
        assert lives == sorted(lives, reverse=True)
        assert len(set(lives)) == 3


@pytest.mark.parametrize("kind", Kept)
def test_a_young_study_never_lives_longer(kind: Kept) -> None:
    assert lifetime(kind, young=True) <= lifetime(kind, young=False)


@pytest.mark.parametrize(
    ("study_date", "young"),
    [
        (OLD, False),
        ("20260520", True),
        ("20260518", True),
        ("20260517", False),
        ("20270101", True),
        ("", True),
        ("not a date", True),
        ("2026-05-01", True),
    ],
)
def test_a_study_is_young_for_two_days_or_when_its_date_is_unknown(study_date: str, young: bool) -> None:
    assert is_young(NOW, study_date) is young


def test_an_old_study_that_changed_a_while_ago_is_young() -> None:
    assert is_young(NOW, OLD, NOW - 30 * MINUTE)
    assert not is_young(NOW, OLD, NOW - 2 * HOUR)


def test_a_listing_of_an_old_study_is_fresh_for_a_quarter_of_an_hour() -> None:
    assert is_fresh(Kept.LISTING, NOW - 14 * MINUTE, NOW, OLD)
    assert not is_fresh(Kept.LISTING, NOW - 16 * MINUTE, NOW, OLD)
    assert not is_fresh(Kept.LISTING, NOW - 2 * MINUTE, NOW)


def test_a_clock_set_back_gives_no_negative_age_and_spoils_nothing() -> None:
    assert age(NOW + HOUR, NOW) == 0
    assert is_fresh(Kept.INSTANCE, NOW + HOUR, NOW, OLD)


def test_what_was_written_under_a_wildly_wrong_clock_is_not_fresh_for_ever() -> None:
    assert not is_fresh(Kept.INSTANCE, NOW + 365 * DAY, NOW, OLD)


def test_a_date_that_is_not_over_everywhere_two_days_ago_is_young() -> None:
    assert is_young(NOW - 1, "20260517")  # it may have been the evening, far in the west
