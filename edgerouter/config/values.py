"""Values as people write them: durations and sizes with units, names, numbers, networks, times of day."""

import re
from datetime import datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainValidator, WithJsonSchema

from edgerouter.config.problems import Mistake, did_you_mean, shown
from edgerouter.routing.conditions import Network
from edgerouter.routing.schedule import DAYS, Window

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1} | {
    unit: factor
    for power, letter in enumerate("KMGT", start=1)
    for unit, factor in ((f"{letter}B", 1000**power), (f"{letter}iB", 1024**power))
}
_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([A-Za-z]*)\Z")
_WINDOW = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})\Z")
_DAY_AND_TIME = re.compile(rf"({'|'.join(DAYS)}) ([0-9]{{2}}:[0-9]{{2}})\Z")
A_MONDAY = datetime(2024, 1, 1)
_NAME = "[a-z0-9][a-z0-9-]{0,62}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Mistake("must be a single value", "write one word or quoted text")
    return value


def _amount(text: str, units: dict[str, float] | dict[str, int], usual: str, example: str) -> float:
    match = _AMOUNT.match(text)
    if match and match[2] in units:
        return float(match[1]) * units[match[2]]
    if match and not match[2]:
        raise Mistake(f"{shown(text)} has no unit", f"write {text}{usual}")
    raise Mistake(
        f"{shown(text)} is not understood", f"write a number and one of {', '.join(units)}: {example}"
    )


def duration(value: object) -> float:
    """Seconds of "500ms", "30s", "5m", "2h" or "7d"; numbers come from code only and are seconds."""
    seconds = value if isinstance(value, int | float) else _amount(_text(value), _SECONDS, "s", "30s")
    if seconds <= 0:
        raise Mistake("must be longer than nothing", "write 30s")
    return float(seconds)


def size(value: object) -> int:
    """Bytes of "64 KB" (1000), "64 KiB" (1024) and so on; numbers come from code only and are bytes."""
    number = size_or_none(value)
    if number == 0:
        raise Mistake("must be more than nothing", "write 20 GB")
    return number


def size_or_none(value: object) -> int:
    """The same, where nothing at all ("0 B") has a meaning."""
    number = value if isinstance(value, int) else int(_amount(_text(value), _BYTES, " KB, MB or GB", "20 GB"))
    if number < 0:
        raise Mistake("must not be less than nothing", "write 20 GB")
    return number


def whole(value: object, *, low: int, high: int) -> int:
    """A whole number of decimal digits between `low` and `high`."""
    if isinstance(value, str) and re.match(r"[0-9]{1,9}\Z", value):
        value = int(value)
    if not isinstance(value, int):
        raise Mistake("must be a whole number", f"write a number from {low} to {high}")
    if not low <= value <= high:
        raise Mistake(f"{value} is out of range", f"write a number from {low} to {high}")
    return value


def port(value: object) -> int:
    return whole(value, low=0, high=65535)


def name(value: object) -> str:
    """The name of an upstream or a rule: fit for logs, metrics and Proxy-Status as it is."""
    text = _text(value)
    if not re.match(rf"{_NAME}\Z", text):
        near = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:63]
        raise Mistake(f"{shown(text)} is not a name", f"use a-z, 0-9 and -: {near or 'hospital-a'}")
    return text


def network(value: object) -> Network:
    """A CIDR network; one address is a network of its own."""
    text = str(value)
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        fix = f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        fix = "write an address and a prefix length: 10.20.0.0/16"
    raise Mistake(f"{shown(text)} is not a network", fix)


def address(value: object) -> IPv4Address | IPv6Address:
    try:
        return ip_address(str(value))
    except ValueError:
        raise Mistake(f"{shown(str(value))} is not an IP address", "write one: 10.20.1.5") from None


def zone(value: object) -> ZoneInfo:
    """An IANA time zone."""
    text = str(value)
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        fix = did_you_mean(text, available_timezones()) or "write an IANA name: Europe/Berlin"
        raise Mistake(f"unknown time zone {shown(text)}", fix) from None


def window(value: object) -> Window:
    """The window of "22:00-06:00": its end is outside; over midnight where it must; 24:00 may end it."""
    match = _WINDOW.match(_text(value))
    if match is None:
        raise Mistake(f"{shown(str(value))} is not a time window", 'write "HH:MM-HH:MM"')
    hours = int(match[1]), int(match[3])
    start, end = hours[0] * 60 + int(match[2]), hours[1] * 60 + int(match[4])
    if int(match[2]) > 59 or int(match[4]) > 59 or start >= 24 * 60 or end > 24 * 60:
        raise Mistake(f"{match[0]} has a time that no day has", "hours go to 23, minutes to 59")
    if start == end:
        raise Mistake(f"{match[0]} has no length", "leave the time out for the whole day")
    return Window(start, end)


def moment(value: object) -> datetime:
    """A date and time "2025-11-22 23:30" (naive means site time, an offset may follow), or "sat 23:30"."""
    text = _text(value)
    try:
        if match := _DAY_AND_TIME.match(text):
            day = A_MONDAY + timedelta(days=DAYS.index(match[1]))
            return datetime.fromisoformat(f"{day:%Y-%m-%d} {match[2]}")
        when = datetime.fromisoformat(text)
    except ValueError:
        fix = 'write "2025-11-22 23:30" or "sat 23:30"'
        raise Mistake(f"{shown(text)} is not a date and time", fix) from None
    if not 2000 <= when.year < 2100:
        raise Mistake(f"the year {when.year} is out of range", "choose one of this century")
    return when


Duration = Annotated[
    float,
    PlainValidator(duration),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?(ms|s|m|h|d)$", "examples": ["30s"]}),
]
Size = Annotated[
    int,
    PlainValidator(size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?([KMGT]i?)?B$", "examples": ["20 GB"]}),
]
SizeOrNone = Annotated[
    int,
    PlainValidator(size_or_none),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?([KMGT]i?)?B$", "examples": ["20 GB", "0 B"]}),
]


def yes_or_no(value: object) -> bool:
    """`yes` and `no`, or `true` and `false`."""
    words = {"yes": True, "true": True, "no": False, "false": False}
    found = value if isinstance(value, bool) else words.get(_text(value))
    if found is None:
        raise Mistake(f"{shown(str(value))} is neither yes nor no", "write yes or no")
    return found


YesNo = Annotated[bool, PlainValidator(yes_or_no), WithJsonSchema({"enum": ["yes", "no", True, False]})]
Count = Annotated[
    int,
    PlainValidator(partial(whole, low=1, high=100_000)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100_000}),
]
Port = Annotated[
    int,
    PlainValidator(port),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 65535}),
]
Name = Annotated[str, PlainValidator(name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
NetworkText = Annotated[Network, PlainValidator(network), WithJsonSchema({"type": "string"})]
AddressText = Annotated[
    IPv4Address | IPv6Address, PlainValidator(address), WithJsonSchema({"type": "string"})
]
ZoneName = Annotated[ZoneInfo, PlainValidator(zone), WithJsonSchema({"type": "string"})]
WindowText = Annotated[Window, PlainValidator(window), WithJsonSchema({"type": "string"})]
MomentText = Annotated[datetime, PlainValidator(moment), WithJsonSchema({"type": "string"})]
