"""Conditional requests (RFC 9110 §13): entity tags, and what a request's preconditions decide."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from edgerouter.http.fields import Fields

_OPAQUE = r'"([\x21\x23-\x7e\x80-\xff]*)"'
_ETAG = re.compile(rf"(W/)?{_OPAQUE}\Z")
# Elements of a list, one after the other; whatever stands between them is no entity tag and matches none.
_ETAGS = re.compile(rf"(?:\A|,)[ \t]*(W/)?{_OPAQUE}[ \t]*(?=,|\Z)")
_MAX_DATE = 64


@dataclass(frozen=True, slots=True)
class ETag:
    """An entity tag (§8.8.3): `opaque` without quotes."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'

    def same_bytes(self, other: "ETag") -> bool:
        """The strong comparison (§8.8.3.2)."""
        return not self.weak and not other.weak and self.opaque == other.opaque

    def same_meaning(self, other: "ETag") -> bool:
        """The weak comparison (§8.8.3.2)."""
        return self.opaque == other.opaque


def parse_etag(value: str | None) -> ETag | None:
    """The one entity tag `value` is, None for anything else; unquoted tags are none."""
    match = _ETAG.match(value.strip(" \t")) if value else None
    return ETag(match[2], bool(match[1])) if match else None


def parse_etags(value: str) -> list[ETag]:
    """The entity tags of a list, without what is none."""
    return [ETag(opaque, bool(weak)) for weak, opaque in _ETAGS.findall(value)]


def parse_date(value: str | None) -> datetime | None:
    """An HTTP-date in any of its three forms (§5.6.7) as UTC, None for anything else."""
    if not value or len(value) > _MAX_DATE:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def precondition(
    method: str, fields: Fields, etag: ETag | None, modified: datetime | None = None
) -> Literal[304, 412] | None:
    """The status that the request's preconditions end it with, None when it goes on (§13.2.2).

    `etag` and `modified` are those of the selected representation, None where it has none; one that does
    not exist matches nothing. Dates count only where no entity tag condition is given.
    """
    return _must_match(fields, etag, modified) or _must_differ(method, fields, etag, modified)


def _must_match(fields: Fields, etag: ETag | None, modified: datetime | None) -> Literal[412] | None:
    listed = fields.get("if-match")
    if listed is not None:
        strong = etag is not None and any(etag.same_bytes(one) for one in parse_etags(listed))
        return None if strong or (listed.strip() == "*" and etag is not None) else 412
    since = parse_date(fields.get("if-unmodified-since"))
    return 412 if since and modified and modified > since else None


def _must_differ(
    method: str, fields: Fields, etag: ETag | None, modified: datetime | None
) -> Literal[304, 412] | None:
    reading = method in ("GET", "HEAD")
    listed = fields.get("if-none-match")
    if listed is not None:
        same = etag is not None and any(etag.same_meaning(one) for one in parse_etags(listed))
        if same or (listed.strip() == "*" and etag is not None):
            return 304 if reading else 412
        return None
    since = parse_date(fields.get("if-modified-since"))
    return 304 if reading and since and modified and modified <= since else None
