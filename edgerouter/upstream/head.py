"""What of a response head is believed (RFC 9112 §6): one framing, said once, and clean fields.

An upstream's head is hostile input: whatever two readers could understand differently is refused, so
that no byte of one answer is ever taken for a part of another.
"""

import re
from collections.abc import Sequence

from edgerouter.upstream.seam import Framing

MAX_HEAD = 128 * 1024  # bytes of one response head, interim responses before it included
MAX_FIELD = 32 * 1024  # bytes of one field line
MAX_FIELDS = 256
MAX_INTERIM = 16  # 1xx responses before the final one

Raw = Sequence[tuple[bytes, bytes]]

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
_VERSIONS = ((1, 0), (1, 1))


class BadHead(Exception):
    """The head is not one we may go by; the text says why and repeats nothing of it."""


def framing_of(method: str, version: tuple[int, int], status: int, raw: Raw) -> tuple[Framing, int | None]:
    """How the body ends, and Content-Length where there is one. Raises BadHead.

    An answer without a body (to HEAD, 204, 304) is LENGTH; its Content-Length, if any, speaks of the
    body it would have had.
    """
    _check_shape(version, status, raw)
    coding = _values(raw, b"transfer-encoding")
    length = _length(raw)
    if coding and (coding != [b"chunked"] or version != (1, 1)):
        raise BadHead("a Transfer-Encoding other than chunked")
    if coding and length is not None:
        raise BadHead("both Transfer-Encoding and Content-Length")
    if status == 204 and (coding or length):
        raise BadHead("a body announced in a 204")
    if method == "HEAD" or status in (204, 304):
        return Framing.LENGTH, length
    if coding:
        return Framing.CHUNKED, None
    return (Framing.CLOSE, None) if length is None else (Framing.LENGTH, length)


def _check_shape(version: tuple[int, int], status: int, raw: Raw) -> None:
    if version not in _VERSIONS:
        raise BadHead("an unknown HTTP version")
    if not 200 <= status <= 599:
        raise BadHead("an unknown status")
    if sum(len(name) + len(value) + 4 for name, value in raw) > MAX_HEAD:
        raise BadHead("too large a head")
    if not all(_NAME.match(name) and _VALUE.match(value) for name, value in raw):
        raise BadHead("a malformed field")


def _values(raw: Raw, name: bytes) -> list[bytes]:
    # RFC 9112 §7: coding names are case-insensitive.
    return [value.strip(b" \t").lower() for key, value in raw if key.lower() == name]


def _length(raw: Raw) -> int | None:
    values = _values(raw, b"content-length")
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.match(values[0]):
        raise BadHead("a Content-Length that is not one number")
    return int(values[0])
