"""Byte ranges (RFC 9110 §14): one range of a representation whose length is known, or the whole.

Requests for several ranges are answered whole, which §14.2 allows: nobody in DICOMweb asks for them, and
each is a way to make a server work for nothing.
"""

import re
from dataclasses import dataclass

from edgerouter.http.conditional import ETag, parse_etag
from edgerouter.http.fields import Fields

# 18 digits are more than any disk; longer numbers make no range.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` up to, not including, `stop` of `total`; never empty: a 206."""

    start: int
    stop: int
    total: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{self.total}"


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """No byte of the representation lies in the range asked for: a 416."""

    total: int

    @property
    def content_range(self) -> str:
        return f"bytes */{self.total}"


def requested(
    method: str, fields: Fields, total: int, etag: ETag | None = None
) -> ByteRange | Unsatisfiable | None:
    """What Range asks of a representation of `total` bytes, None for the whole.

    To be asked after the preconditions (§13.2.2). `etag` is the representation's, for If-Range. Only GET
    has ranges; what is malformed or more than one range counts as not asked.
    """
    value = fields.get("range")
    if value is None or method != "GET" or not _unchanged(fields.get("if-range"), etag):
        return None
    return parse_range(value, total)


def parse_range(value: str, total: int) -> ByteRange | Unsatisfiable | None:
    """A Range value against a length in bytes; None when it is no single byte range."""
    match = _RANGE.match(value)
    if not match or match[1] == match[2] == "":
        return None
    first, last = match[1], match[2]
    if not first:
        return _suffix(int(last), total)
    if last and int(last) < int(first):
        return None
    if int(first) >= total:
        return Unsatisfiable(total)
    return ByteRange(int(first), min(int(last) + 1, total) if last else total, total)


def _suffix(length: int, total: int) -> ByteRange | Unsatisfiable | None:
    if length == 0:
        return Unsatisfiable(total)
    # A suffix of nothing is satisfiable (§14.1.2), but no Content-Range can say so.
    return ByteRange(max(0, total - length), total, total) if total else None


def _unchanged(if_range: str | None, etag: ETag | None) -> bool:
    """§13.1.5. A date cannot be known to be a strong validator (§8.8.2.2): then the whole is sent."""
    if if_range is None:
        return True
    listed = parse_etag(if_range)
    return listed is not None and etag is not None and etag.same_bytes(listed)
