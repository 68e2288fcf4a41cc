"""Passive health: what an upstream's own failures say about asking it again. It reports and never refuses."""

import logging
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from edgerouter import metrics

log = logging.getLogger(__name__)

FAILURES = 5  # in a row, until it is ejected
EJECTION = 30.0  # seconds, times the number of ejections
LONGEST = 300.0  # seconds, of any ejection or rest; after so long without one the count starts again


class State(StrEnum):
    UP = "up"
    RESTING = "resting"  # it asked for a pause: Retry-After
    EJECTED = "ejected"
    PROBING = "probing"  # ejected, and one request is finding out


@dataclass(frozen=True, slots=True)
class Report:
    """For the status page; `wait` is in seconds, `last_error` names a failure without address or data.

    `age` is how many seconds it has been up or ejected, None when it was never ejected."""

    state: State
    wait: float
    failures: int
    last_error: str | None
    age: float | None


class Health:
    """One upstream's health. `now` is monotonic, in seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._ejections = 0
        self._ejected_until: float | None = None
        self._rest_until = float("-inf")
        self._up_since = float("-inf")
        self._changed: float | None = None
        self._probing = False
        self._last_error: str | None = None
        metrics.UPSTREAM_UP.labels(name).set(1)

    def usable(self, now: float) -> bool:
        """Whether it is worth asking while somebody else could be asked instead."""
        return self.state(now) is State.UP or (
            self._ejected_until is not None and now >= self._ejected_until and not self._probing
        )

    def state(self, now: float) -> State:
        if self._ejected_until is not None:
            return State.PROBING if self._probing else State.EJECTED
        return State.RESTING if now < self._rest_until else State.UP

    def report(self, now: float) -> Report:
        until = self._rest_until if self._ejected_until is None else self._ejected_until
        age = None if self._changed is None else now - self._changed
        return Report(self.state(now), max(0.0, until - now), self._failures, self._last_error, age)

    def begin(self, now: float) -> bool:
        """A request starts; returns whether it is the probe. Every begin is followed by a `done`."""
        probe = self._ejected_until is not None and now >= self._ejected_until and not self._probing
        self._probing = self._probing or probe
        return probe

    def done(self, probe: bool) -> None:
        """The request has ended, whatever came of it."""
        if probe:
            self._probing = False

    def succeeded(self, now: float) -> None:
        """A response head came."""
        self._failures = 0
        if self._ejected_until is not None:
            self._ejected_until, self._up_since = None, now
            self._changed = now
            metrics.UPSTREAM_UP.labels(self._name).set(1)
            log.info("upstream %s answers again", self._name)

    def failed(self, now: float, reason: str) -> None:
        """It could not be reached or did not answer in time."""
        self._failures += 1
        self._last_error = reason
        if self._ejected_until is None:
            if self._failures >= FAILURES:
                self._eject(now, first=now - self._up_since > LONGEST)
        elif now >= self._ejected_until:
            self._eject(now, first=False)

    def rest(self, now: float, seconds: float) -> None:
        """It asked not to be asked for a while."""
        self._rest_until = max(self._rest_until, now + min(seconds, LONGEST))

    def _eject(self, now: float, *, first: bool) -> None:
        known = self._ejected_until is not None
        self._ejections = 1 if first else self._ejections + 1
        pause = min(EJECTION * self._ejections, LONGEST)
        self._ejected_until = now + pause
        metrics.UPSTREAM_UP.labels(self._name).set(0)
        if not known:
            self._changed = now
            log.warning(
                "upstream %s is ejected for %.0f s after %d failures: %s",
                self._name,
                pause,
                self._failures,
                self._last_error,
            )


def retry_after(value: str | None, clock: float) -> float | None:
    """Seconds that a Retry-After field asks for, None when it says nothing usable; `clock` is POSIX time."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - clock)
    except ValueError:
        return None
