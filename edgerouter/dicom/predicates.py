"""What one value of an attribute is compared with: the kinds of matching of PS3.4 C.2.2.2, value by value.

A predicate is made from a key once and then called with (value, row); it needs the row only where the row's
time zone matters.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from edgerouter.dicom.dictionary import vr_of
from edgerouter.dicom.names import fuzzy_matches, glob, is_wild, name_matches
from edgerouter.dicom.times import DAY, Span, date_span, moment_span, split_range, time_span, zone

Row = Mapping[str, Mapping[str, object]]  # a DICOM JSON object
Predicate = Callable[[object, Row], bool]
Bounds = tuple[Span | None, Span | None]

TIMEZONE_OFFSET = "00080201"
_EXACT = frozenset({"AS", "AT"})  # the wildcards are plain characters in these
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_SPANS = {"DA": date_span, "TM": time_span, "DT": moment_span}
_UNMATCHABLE = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW"})


class InvalidKey(ValueError):
    """A key whose value cannot be what its VR says: a 400 (PS3.18 §8.3.1). The message holds no value."""


def values_of(row: Row, tag: str) -> list[object]:
    """The non-empty values a row has for an attribute."""
    values = row.get(tag, {}).get("Value")
    return [value for value in values if value not in (None, "")] if isinstance(values, list) else []


def predicate(tag: str, key: str, *, query_zone: int | None, fuzzy: bool) -> Predicate:
    """The predicate for one value of a key that is not universal. Raises InvalidKey."""
    vr = vr_of(int(tag, 16), {}, signed=False)
    if vr in _UNMATCHABLE:
        raise InvalidKey("A sequence or a binary attribute cannot be matched by a value.")
    if vr in _SPANS:
        return _time(vr, key, query_zone)
    if vr == "PN":
        return lambda value, row: name_matches(key, value) or (fuzzy and fuzzy_matches(key, value))
    if vr in _NUMBERS:
        return _number(key)
    if vr in ("UI", "CS"):
        return _listed(key, wild=vr == "CS")
    return _text(key.strip(), wild=vr not in _EXACT)


def combined(dates: str, times: str, time_tag: str, query_zone: int | None) -> Predicate | None:
    """Both ranges as one interval (PS3.4 C.2.2.2.5.1), for the date's value; None unless both are ranges.

    A row without a time matches by its date alone. Raises InvalidKey.
    """
    date_ends, time_ends = split_range("DA", dates), split_range("TM", times)
    if not date_ends or not time_ends:
        return None
    days, clock = bounds("DA", date_ends), bounds("TM", time_ends)
    first = days[0].first + (clock[0].first if clock[0] else 0) if days[0] else None
    last = days[1].first + (clock[1].last if clock[1] else DAY - 1) if days[1] else None

    def holds(value: object, row: Row) -> bool:
        day = date_span(str(value))
        time = next((time_span(str(text)) for text in values_of(row, time_tag)), None)
        if day is None or time is None:
            return day is not None and _within(day.first, days[0] and days[0].first, days[1] and days[1].last)
        own, asked = _offsets(row, None, query_zone, None)
        return _within(day.first + time.first - own + asked, first, last)

    return holds


def bounds(vr: str, ends: Sequence[str]) -> Bounds:
    """The ends of a range, None for an open one. Raises InvalidKey: also when both are open."""
    if not any(ends):
        raise InvalidKey("A range needs at least one end.")
    first, last = (_checked(vr, end) if end else None for end in ends)
    return first, last


def checked_zone(text: str) -> int:
    """An offset from UTC. Raises InvalidKey."""
    offset = zone(text)
    if offset is None:
        raise InvalidKey("TimezoneOffsetFromUTC is not an offset such as +0100.")
    return offset


def _checked(vr: str, text: str) -> Span:
    span = _SPANS[vr](text)
    if span is None:
        raise InvalidKey(f"A value is not a valid {vr}, nor a range of them.")
    return span


def _time(vr: str, key: str, query_zone: int | None) -> Predicate:
    ends = split_range(vr, key)
    if ends is None:
        exact = _checked(vr, key)
        return lambda value, row: _aligned(vr, value, exact, row, query_zone) == exact.first
    first, last = bounds(vr, ends)

    def holds(value: object, row: Row) -> bool:
        low, high = (_aligned(vr, value, end, row, query_zone) for end in (first, last))
        if low is None or high is None:
            return False
        return (first is None or first.first <= low) and (last is None or high <= last.last)

    return holds


def _aligned(vr: str, value: object, end: Span | None, row: Row, query_zone: int | None) -> int | None:
    """The beginning of a row's value, as a clock in the zone of the key's end shows it; None for no value."""
    span = _SPANS[vr](str(value))
    if span is None or vr != "DT":
        return span and span.first  # a bare date or time of day cannot be moved to another zone
    own, asked = _offsets(row, span.offset, query_zone, end.offset if end else None)
    return span.first - own + asked


def _offsets(row: Row, own: int | None, query_zone: int | None, asked: int | None) -> tuple[int, int]:
    """The offsets of a row's value and of the query, each the other's where only one is known."""
    if own is None:
        own = next((zone(str(text)) for text in values_of(row, TIMEZONE_OFFSET)), None)
    if asked is None:
        asked = query_zone
    if own is None or asked is None:
        return 0, 0
    return own, asked


def _within(moment: int, first: int | None, last: int | None) -> bool:
    return (first is None or first <= moment) and (last is None or moment <= last)


def _number(key: str) -> Predicate:
    try:
        wanted = Decimal(key.strip())
    except InvalidOperation:
        raise InvalidKey("A value is not a number.") from None

    def holds(value: object, row: Row) -> bool:
        try:
            return Decimal(str(value).strip()) == wanted
        except InvalidOperation:
            return False

    return holds


def _listed(key: str, *, wild: bool) -> Predicate:
    terms = [term.strip() for term in key.replace("\\", ",").split(",")]
    tests = [_text(term, wild=wild) for term in terms if term]
    return lambda value, row: any(test(value, row) for test in tests)


def _text(key: str, *, wild: bool) -> Predicate:
    if wild and is_wild(key):
        return lambda value, row: glob(key, str(value).strip())
    return lambda value, row: str(value).strip() == key
