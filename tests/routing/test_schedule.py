"""Windows and days: past midnight a window still belongs to the day it began."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from edgerouter.routing.schedule import Schedule, Window

NIGHT = Window(22 * 60, 6 * 60)
WEEKEND = frozenset({5, 6})
FRIDAY, SATURDAY, SUNDAY, MONDAY = 21, 22, 23, 24  # of November 2025


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2025-11-{day} {clock}").replace(tzinfo=UTC)


def holds(schedule: Schedule, now: datetime) -> bool:
    return schedule.unmet(now) is None


@pytest.mark.parametrize(
    ("clock", "inside"),
    [
        ("21:59", False),
        ("22:00", True),
        ("23:59", True),
        ("00:00", True),
        ("05:59", True),
        ("06:00", False),
        ("12:00", False),
    ],
)
def test_a_window_past_midnight_holds_on_both_sides_of_it(clock: str, inside: bool) -> None:
    assert holds(Schedule((NIGHT,), zone=UTC), at(SATURDAY, clock)) is inside


@pytest.mark.parametrize(
    ("clock", "inside"), [("07:59", False), ("08:00", True), ("16:59", True), ("17:00", False)]
)
def test_a_window_by_day_holds_from_its_start_up_to_its_end(clock: str, inside: bool) -> None:
    assert holds(Schedule((Window(8 * 60, 17 * 60),), zone=UTC), at(SATURDAY, clock)) is inside


@pytest.mark.parametrize(
    ("day", "clock", "inside"),
    [
        (FRIDAY, "23:00", False),
        (SATURDAY, "03:00", False),
        (SATURDAY, "23:00", True),
        (SUNDAY, "03:00", True),
        (SUNDAY, "23:00", True),
        (MONDAY, "03:00", True),
        (MONDAY, "06:00", False),
        (MONDAY, "23:00", False),
    ],
)
def test_a_window_belongs_to_the_day_it_began(day: int, clock: str, inside: bool) -> None:
    assert holds(Schedule((NIGHT,), WEEKEND, UTC), at(day, clock)) is inside


def test_days_alone_run_from_midnight_to_midnight() -> None:
    weekend = Schedule(days=WEEKEND, zone=UTC)

    assert not holds(weekend, at(FRIDAY, "23:59"))
    assert holds(weekend, at(SATURDAY, "00:00"))
    assert holds(weekend, at(SUNDAY, "23:59"))
    assert not holds(weekend, at(MONDAY, "00:00"))


def test_any_of_several_windows_will_do() -> None:
    schedule = Schedule((Window(60, 120), NIGHT), frozenset({6}), UTC)

    assert holds(schedule, at(SUNDAY, "01:30"))  # the night's belongs to Saturday, the other to Sunday
    assert not holds(schedule, at(SUNDAY, "03:00"))


def test_the_time_is_the_zones_not_the_callers() -> None:
    berlin = Schedule((NIGHT,), zone=ZoneInfo("Europe/Berlin"))

    assert holds(berlin, at(SATURDAY, "21:30"))
    assert not holds(berlin, at(SATURDAY, "05:30"))
    assert holds(berlin, at(SATURDAY, "21:30").astimezone(timezone(timedelta(hours=-8))))


def test_the_zones_summer_time_counts() -> None:
    berlin = Schedule((NIGHT,), zone=ZoneInfo("Europe/Berlin"))

    assert holds(berlin, datetime(2025, 7, 1, 20, 30, tzinfo=UTC))
    assert not holds(berlin, datetime(2025, 12, 1, 20, 30, tzinfo=UTC))


def test_without_a_zone_the_systems_decides() -> None:
    local = datetime.fromisoformat("2025-11-22 23:00").astimezone()

    assert holds(Schedule((NIGHT,)), local.astimezone(UTC))


@pytest.mark.parametrize(
    ("schedule", "now", "said"),
    [
        (Schedule((NIGHT,), zone=UTC), at(SATURDAY, "12:00"), "the time is 12:00, outside 22:00-06:00"),
        (
            Schedule((NIGHT, Window(480, 540)), zone=UTC),
            at(SATURDAY, "12:00"),
            "the time is 12:00, outside 22:00-06:00 and 08:00-09:00",
        ),
        (
            Schedule((NIGHT,), WEEKEND, UTC),
            at(SATURDAY, "03:00"),
            "the window began on fri, not on sat or sun",
        ),
        (Schedule((NIGHT,), WEEKEND, UTC), at(FRIDAY, "23:00"), "the day is fri, not sat or sun"),
    ],
)
def test_what_is_outside_says_why(schedule: Schedule, now: datetime, said: str) -> None:
    assert schedule.unmet(now) == said
