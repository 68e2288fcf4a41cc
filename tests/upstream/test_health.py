"""Passive health: the arithmetic of ejection, probing and rest."""

import logging

import pytest

from edgerouter import metrics
from edgerouter.upstream.health import Health, Report, State, retry_after


def fail(health: Health, now: float, times: int = 1) -> None:
    for _ in range(times):
        probe = health.begin(now)
        health.failed(now, "ConnectError ECONNREFUSED")
        health.done(probe)


def up(name: str) -> float:
    return float(metrics.UPSTREAM_UP.labels(name)._value.get())


def test_the_fifth_failure_in_a_row_ejects() -> None:
    health = Health("a")
    fail(health, 0.0, 4)
    assert (health.usable(0.0), up("a")) == (True, 1)

    fail(health, 1.0)

    assert (health.usable(1.0), up("a")) == (False, 0)
    assert health.report(1.0) == Report(State.EJECTED, 30.0, 5, "ConnectError ECONNREFUSED", 0.0)


def test_a_report_says_how_long_it_has_been_ejected_or_up() -> None:
    health = Health("a")
    assert health.report(7.0).age is None
    fail(health, 10.0, 5)
    fail(health, 40.0)
    assert health.report(50.0).age == 40.0

    health.succeeded(60.0)
    health.succeeded(65.0)

    assert health.report(70.0).age == 10.0


def test_a_success_between_starts_the_count_again() -> None:
    health = Health("a")
    for _ in range(9):
        fail(health, 0.0, 4)
        health.succeeded(0.0)

    assert health.report(0.0) == Report(State.UP, 0.0, 0, "ConnectError ECONNREFUSED", None)


def test_each_failed_probe_makes_the_ejection_longer_up_to_five_minutes() -> None:
    health = Health("a")
    fail(health, 0.0, 5)
    now, waits = 0.0, []
    for _ in range(12):
        waits.append(health.report(now).wait)
        now += waits[-1]
        assert health.usable(now)
        fail(health, now)

    assert waits == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_failures_during_an_ejection_do_not_prolong_it() -> None:
    health = Health("a")
    fail(health, 0.0, 5)
    fail(health, 10.0, 20)

    assert health.report(10.0).wait == 20.0


def test_only_one_probe_at_a_time() -> None:
    health = Health("a")
    fail(health, 0.0, 5)

    assert health.begin(29.0) is False
    assert (health.begin(30.0), health.begin(30.0)) == (True, False)
    assert (health.usable(30.0), health.state(30.0)) == (False, State.PROBING)
    health.done(False)
    assert not health.usable(30.0)
    health.done(True)
    assert health.usable(30.0)


def test_a_flapping_upstream_is_ejected_longer_each_time_and_one_that_recovered_is_not() -> None:
    health = Health("a")
    now, waits = 1000.0, []
    for pause in (5.0, 5.0, 301.0, 5.0):
        fail(health, now, 5)
        waits.append(health.report(now).wait)
        now += waits[-1]
        health.succeeded(now)
        now += pause

    assert waits == [30, 60, 90, 30]


def test_each_transition_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health = Health("a")
    fail(health, 0.0, 9)
    fail(health, 30.0)
    fail(health, 90.0)
    health.succeeded(200.0)
    health.succeeded(200.0)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "upstream a is ejected for 30 s after 5 failures: ConnectError ECONNREFUSED"),
        ("INFO", "upstream a answers again"),
    ]
    assert up("a") == 1


def test_a_rest_ends_by_itself_and_a_shorter_one_does_not_end_a_longer() -> None:
    health = Health("a")
    health.rest(0.0, 100.0)
    health.rest(1.0, 10.0)

    assert health.report(50.0) == Report(State.RESTING, 50.0, 0, None, None)
    assert (health.usable(99.0), health.usable(100.0)) == (False, True)


CLOCK = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1000000000000000000000", 100000000.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
        (None, None),
        ("Sun, 99 Nov 1994 08:50:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, CLOCK) == seconds
