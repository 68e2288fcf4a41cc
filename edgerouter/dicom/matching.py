"""Matching of search keys against one DICOM JSON row (PS3.4 C.2.2.2, PS3.18 §8.3.4.1), pure.

What a row does not have has no value: it matches a universal key and no other. Whether a key is supported at
a level is the caller's decision; leave an unsupported one out, as the standard asks.

Beyond the letter: a list in a code string (ModalitiesInStudy=CT,MR or CT\\MR) means any of its terms, because
viewers send it and no code string can hold a comma; `*` alone is universal for every VR.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

from edgerouter.dicom.dictionary import keyword_of, tag_of
from edgerouter.dicom.predicates import (
    TIMEZONE_OFFSET,
    InvalidKey,
    Predicate,
    Row,
    checked_zone,
    combined,
    predicate,
    values_of,
)

__all__ = ["InvalidKey", "Key", "Matcher", "Path", "Row", "matches"]

Path = tuple[str, ...]  # eight upper-case hex digits each: the sequences, and the attribute last
Key = tuple[Path, str | Sequence[str]]  # several values mean any of them


class _Test(Protocol):
    def __call__(self, row: Row) -> bool: ...


class Matcher:
    """A compiled search: call it with row after row.

    `fuzzy` is fuzzymatching=true. With `combined` a date range and a time range of the same event are one
    interval, as this service demands. A TimezoneOffsetFromUTC key says in which zone the query's times are
    meant; it is not matched itself. Raises InvalidKey.
    """

    def __init__(self, keys: Iterable[Key], *, fuzzy: bool = False, combined: bool = True) -> None:
        pairs = [(path, _values(value)) for path, value in keys]
        zones = [values[0] for path, values in pairs if path == (TIMEZONE_OFFSET,) and values]
        self._zone = checked_zone(zones[0]) if zones else None
        self._fuzzy = fuzzy
        self._combined = combined
        self._tests = self._level([pair for pair in pairs if pair[0] != (TIMEZONE_OFFSET,)])

    def __call__(self, row: Row) -> bool:
        return all(test(row) for test in self._tests)

    def _level(self, pairs: Iterable[tuple[Path, list[str]]]) -> list[_Test]:
        """The tests of one data set: its attributes, and one for each sequence that has keys in it."""
        plain: dict[str, list[str]] = {}
        nested: dict[str, list[tuple[Path, list[str]]]] = {}
        for path, values in pairs:
            if len(path) > 1:
                nested.setdefault(path[0], []).append((path[1:], values))
            elif values:
                plain[path[0]] = values
        tests = self._date_times(plain) if self._combined else []
        tests += [self._attribute(tag, values) for tag, values in plain.items()]
        for tag, inner in nested.items():
            items = self._level(inner)
            if items:  # else all its keys are universal, and it need not even be there
                tests.append(partial(_any_item, tag, items))
        return tests

    def _date_times(self, plain: dict[str, list[str]]) -> list[_Test]:
        """One test for each pair of a date range and its time range, which are taken out of `plain`."""
        tests: list[_Test] = []
        for tag in list(plain):
            time = _time_of(tag)
            if tag not in plain or time not in plain or len(plain[tag]) + len(plain[time]) > 2:
                continue
            both = combined(plain[tag][0], plain[time][0], time, self._zone)
            if both:
                tests.append(partial(_any_value, tag, [both]))
                del plain[tag], plain[time]
        return tests

    def _attribute(self, tag: str, values: list[str]) -> _Test:
        predicates = [predicate(tag, key, query_zone=self._zone, fuzzy=self._fuzzy) for key in values]
        return partial(_any_value, tag, predicates)


def matches(row: Row, keys: Iterable[Key], *, fuzzy: bool = False, combined: bool = True) -> bool:
    """Whether a row matches all keys; for many rows make one Matcher. Raises InvalidKey."""
    return Matcher(keys, fuzzy=fuzzy, combined=combined)(row)


def _values(value: str | Sequence[str]) -> list[str]:
    """The values of a key, [] when one of them is universal (PS3.4 C.2.2.2.3)."""
    values = [value] if isinstance(value, str) else list(value)
    return values if all(one.strip().strip("*") for one in values) else []


def _time_of(tag: str) -> str:
    """The time that goes with a date, as StudyTime with StudyDate; "" when none does."""
    keyword = keyword_of(int(tag, 16))
    time = tag_of(keyword.removesuffix("Date") + "Time") if keyword.endswith("Date") else None
    return f"{time:08X}" if time is not None else ""


def _any_value(tag: str, predicates: Sequence[Predicate], row: Row) -> bool:
    return any(holds(value, row) for value in values_of(row, tag) for holds in predicates)


def _any_item(tag: str, tests: Sequence[_Test], row: Row) -> bool:
    """Sequence matching (PS3.4 C.2.2.2.6): one item has to match all keys."""
    return any(isinstance(item, dict) and all(test(item) for test in tests) for item in values_of(row, tag))
