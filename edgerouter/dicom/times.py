"""Dates, times and date-times by their meaning (PS3.5 §6.2), as matching compares them (PS3.4 C.2.2.2).

A stamp is the span of microseconds that its text names: `1030` is the minute from 10:30:00.000000 to
10:30:59.999999. A single value is compared by its beginning (so 2230 equals 223000), the upper end of a range
is inclusive of all that it names.
"""

import re
from calendar import monthrange
from datetime import date
from typing import NamedTuple

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND

_DA = re.compile(r"(\d{4})(\d\d)(\d\d)\Z", re.ASCII)
_TM = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?\Z", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)\Z", re.ASCII)
_DT_BODY = r"(?:\d{14}(?:\.\d{1,6})?|\d{4}(?:\d\d){0,4})"
# A hyphen before a possible offset (to -1200, PS3.5 §6.2) belongs to the date-time, another to the range.
_DT_OFFSET = r"(?:\+(?:0\d|1[0-4])[0-5]\d|-(?:0\d|1[0-2])[0-5]\d(?!\d))"
_DT = re.compile(rf"({_DT_BODY})({_DT_OFFSET})?\Z", re.ASCII)
_DT_RANGE = re.compile(rf"({_DT_BODY}{_DT_OFFSET}?)?-({_DT_BODY}{_DT_OFFSET}?)?\Z", re.ASCII)


class Span(NamedTuple):
    """From `first` to `last` microsecond, inclusive; `offset` from UTC where its own text has one."""

    first: int
    last: int
    offset: int | None = None


def date_span(text: str) -> Span | None:
    """A DA value (or ACR-NEMA's 1993.08.22) in microseconds since the year 1; None when it is none."""
    found = _DA.match(text.strip().replace(".", ""))
    day = _day(*map(int, found.groups())) if found else None
    return None if day is None else Span(day, day + DAY - 1)


def time_span(text: str) -> Span | None:
    """A TM value (or ACR-NEMA's 10:30:00) in microseconds since midnight; None when it is none."""
    found = _TM.match(text.strip().replace(":", ""))
    if not found:
        return None
    hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 60:
        return None
    first = int(hours) * HOUR + int(minutes or 0) * MINUTE + int(seconds or 0) * SECOND
    if fraction:
        first += int(fraction.ljust(6, "0"))
        return Span(first, first + 10 ** (6 - len(fraction)) - 1)
    return Span(first, first + (SECOND if seconds else MINUTE if minutes else HOUR) - 1)


def moment_span(text: str) -> Span | None:
    """A DT value in microseconds since the year 1, by its own clock; None when it is none."""
    found = _DT.match(text.strip())
    if not found:
        return None
    body, offset = found.groups()
    span = _date_part(body) if len(body) <= 8 else _date_time(body)
    return None if span is None else Span(span.first, span.last, zone(offset or ""))


def zone(text: str) -> int | None:
    """An offset from UTC (&ZZXX) in microseconds, None when it is none."""
    found = _OFFSET.match(text.strip())
    if not found:
        return None
    sign, hours, minutes = found.groups()
    return (1 if sign == "+" else -1) * (int(hours) * HOUR + int(minutes) * MINUTE)


def split_range(vr: str, text: str) -> tuple[str, str] | None:
    """The two ends of a range of DA, TM or DT values, "" for an open one; None when `text` is no range."""
    text = text.strip()
    if vr == "DT":
        found = None if _DT.match(text) else _DT_RANGE.match(text)
        return (found[1] or "", found[2] or "") if found else None
    first, hyphen, last = text.partition("-")
    return (first.strip(), last.strip()) if hyphen else None


def _date_part(body: str) -> Span | None:
    if len(body) == 8:
        return date_span(body)
    year, months = int(body[:4]), (int(body[4:6] or 1), int(body[4:6] or 12))
    first = _day(year, months[0], 1)
    last = None if first is None else _day(year, months[1], monthrange(year, months[1])[1])
    return None if first is None or last is None else Span(first, last + DAY - 1)


def _date_time(body: str) -> Span | None:
    day, clock = date_span(body[:8]), time_span(body[8:])
    return None if day is None or clock is None else Span(day.first + clock.first, day.first + clock.last)


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() * DAY
    except ValueError:
        return None
