"""The last requests, for people to look at: which kind of thing was asked for, never of whom or by whom."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

KEPT = 50


class Access(Protocol):
    """What is looked at of a request that has ended; middleware.Access says what each of it means."""

    @property
    def method(self) -> str: ...
    @property
    def transaction(self) -> str | None: ...
    @property
    def template(self) -> str | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def cache(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that has ended; see Access. Client and request id stay in the log."""

    at: datetime
    method: str
    template: str | None
    status: int | None
    bytes: int
    seconds: float
    cache: str | None
    outcome: str
    error: str | None


def is_own_page(access: Access) -> bool:
    """Whether it asked for one of the pages outside the DICOMweb root: those are not traffic."""
    return access.template is not None and access.transaction is None


class Recent:
    """Remembers the last `kept` requests."""

    def __init__(self, kept: int = KEPT, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._answered: deque[Answered] = deque(maxlen=kept)
        self._now = now

    def observe(self, access: Access) -> None:
        """The newest."""
        self._answered.appendleft(
            Answered(
                at=self._now(),
                method=access.method,
                template=access.template,
                status=access.status,
                bytes=access.bytes,
                seconds=access.seconds,
                cache=access.cache,
                outcome=access.outcome,
                error=access.error,
            )
        )

    def latest(self) -> tuple[Answered, ...]:
        """Newest first."""
        return tuple(self._answered)
