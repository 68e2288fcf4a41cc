"""When a rule holds: windows of the day and days of the week, in the site's own time zone."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of the day from `start` up to, not including, `end`; past midnight where `end` <= `start`."""

    start: int
    end: int

    def began(self, local: datetime) -> int | None:
        """The weekday (0 is Monday) on which the window that holds `local` began, or None outside of it."""
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return local.weekday() if self.start <= minute < self.end else None
        if minute >= self.start:
            return local.weekday()
        return (local.weekday() - 1) % 7 if minute < self.end else None

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


ALL_DAY = Window(0, _DAY)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Any of `windows`, begun on any of `days` (0 is Monday); `zone` None is the system's own."""

    windows: tuple[Window, ...] = (ALL_DAY,)
    days: frozenset[int] = frozenset(range(7))
    zone: tzinfo | None = None

    def unmet(self, now: datetime) -> str | None:
        """Why the aware `now` is outside, for people; None when it is inside."""
        local = now.astimezone(self.zone)
        began = [day for window in self.windows if (day := window.began(local)) is not None]
        if not began:
            return f"the time is {local:%H:%M}, outside {' and '.join(map(str, self.windows))}"
        if not self.days.isdisjoint(began):
            return None
        asked = " or ".join(DAYS[day] for day in sorted(self.days))
        if began[0] != local.weekday():
            return f"the window began on {DAYS[began[0]]}, not on {asked}"
        return f"the day is {DAYS[began[0]]}, not {asked}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
