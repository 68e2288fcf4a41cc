"""When a request is sent again, and how often altogether: retries must never become the storm."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from edgerouter.upstream.exchange import NoAnswer, TlsError

MOST = 2  # further tries
_BASE, _CAP = 0.1, 2.0  # seconds
_WINDOW = 10.0  # seconds
_RATIO = 0.1
_FLOOR = 3  # retries that may be under way whatever the ratio says
_REPEATABLE = ("GET", "HEAD")


def may_repeat(method: str, error: Exception, retries: int) -> bool:
    """Whether a request that failed so, after that many retries, may go out once more.

    Every method when nothing of it was sent; GET and HEAD also when the connection ended before the
    first byte of a response. A certificate does not get better by asking again.
    """
    if retries >= MOST or isinstance(error, TlsError):
        return False
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return True
    return isinstance(error, NoAnswer) and method in _REPEATABLE


def backoff(retries: int, random: float) -> float:
    """Seconds before the retry after so many: full jitter, `random` in [0, 1)."""
    return float(random * min(_CAP, _BASE * 2**retries))


class Budget:
    """Retries are at most a tenth of the requests of the last ten seconds, or three at a time."""

    def __init__(self) -> None:
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()
        self._under_way = 0

    def request(self, now: float) -> None:
        """Count a request that is not a retry."""
        self._forget(now)
        self._requests.append(now)

    def allows(self, now: float) -> bool:
        self._forget(now)
        return self._under_way < _FLOOR or len(self._retries) < _RATIO * len(self._requests)

    @contextmanager
    def retrying(self, now: float) -> Iterator[None]:
        """A retry is under way, its waiting included."""
        self._retries.append(now)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _forget(self, now: float) -> None:
        for times in (self._requests, self._retries):
            while times and times[0] <= now - _WINDOW:
                times.popleft()
