"""Match keys that an archive cannot match, matched here on the rows it returns (PS3.18 §8.3.4)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from edgerouter.dicom.matching import InvalidKey, Matcher
from edgerouter.dicomweb.query import Match
from edgerouter.dicomweb.rows import Raw, Row, Tags

TIMEZONE = "00080201"
_PAIRS = (("00080020", "00080030"), ("00080021", "00080031"), ("00400244", "00400245"))

_attribute = msgspec.json.Decoder(dict[str, object])


@dataclass(frozen=True, slots=True)
class _Check:
    """Keys that are matched together, by the tags at the top of the dataset that they look at."""

    tags: tuple[str, ...]
    matcher: Matcher
    name: str

    def __call__(self, tags: Tags) -> bool:
        return self.matcher({tag: _read(tags[tag]) for tag in (*self.tags, TIMEZONE) if tag in tags})


class KeptKeys:
    """A test of rows against the keys kept back from an archive.

    A row that has not got an attribute at all passes, and `unseen` names it by keyword: the archive neither
    matches it nor returns it. With `demanded` such a row fails. `fuzzy` is fuzzymatching=true. The zone of a
    TimezoneOffsetFromUTC among the keys is that of the others' times."""

    def __init__(self, matches: Iterable[Match], *, fuzzy: bool = False, demanded: bool = False) -> None:
        self.unseen: set[str] = set()
        self._demanded = demanded
        self._checks = list(_checks(list(matches), fuzzy, self.unseen))

    def __bool__(self) -> bool:
        return bool(self._checks)

    def __call__(self, row: Row) -> bool:
        if not self._checks:
            return True
        tags = row.tags
        return all(self._holds(check, tags) for check in self._checks)

    def _holds(self, check: _Check, tags: Tags) -> bool:
        if all(tag in tags for tag in check.tags):
            return check(tags)
        self.unseen.add(check.name)
        return not self._demanded


def paired(matches: Sequence[Match]) -> tuple[Match, Match] | None:
    """The date and the time key that, both being ranges, mean one interval; None when there are none."""
    for date, time in _PAIRS:
        found = [next((one for one in matches if one.attribute.path == (tag,)), None) for tag in (date, time)]
        if found[0] and found[1] and all(map(is_range, (found[0], found[1]))):
            return found[0], found[1]
    return None


def is_range(match: Match) -> bool:
    """Whether the key is a range of dates or times (PS3.4 §C.2.2.2.5); an offset from UTC is no range."""
    vr, value = match.attribute.vr, match.values[0]
    if vr == "DT":
        value = value[:-5] if value[-5:-4] in ("+", "-") and value[-4:].isdigit() else value
    return vr in ("DA", "TM", "DT") and len(match.values) == 1 and "-" in value


def _checks(matches: list[Match], fuzzy: bool, unreadable: set[str]) -> Iterator[_Check]:
    zone = [match for match in matches if match.attribute.path == (TIMEZONE,)]
    rest = [match for match in matches if match not in zone]
    pair = paired(rest)
    groups = [[*pair], *([one] for one in rest if one not in pair)] if pair else [[one] for one in rest]
    for group in groups:
        keys = [(one.attribute.path, one.values) for one in (*group, *zone)]
        name = group[0].attribute.keyword
        try:
            matcher = Matcher(keys, fuzzy=fuzzy)
        except InvalidKey:
            unreadable.add(name)
            continue
        yield _Check(tuple(one.attribute.path[0] for one in group), matcher, name)


def _read(attribute: Raw) -> dict[str, object]:
    try:
        return _attribute.decode(attribute)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
