"""A request head against the strict grammar of RFC 9112: what is let in, and how long its message is.

Whatever could be read in two ways is refused here, before any application code runs: the parser behind
(httptools) sees only heads that passed, so the two can never disagree about where a request ends.
"""

import re
from dataclasses import dataclass

from edgerouter.http.forwarded import is_authority
from edgerouter.http.problem import MEDIA_TYPE, problem, title
from edgerouter.server.limits import Limits

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"

# CR and LF only as the pair that ends a line; a NUL nowhere (RFC 9112 §2.2, RFC 9110 §5.5).
_BROKEN_LINE = re.compile(rb"(?<!\r)\n|\r[^\n]|\0", re.DOTALL)
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) (HTTP/[0-9]\.[0-9])" % TOKEN)
_FIELD_LINE = re.compile(rb"(%b):(%b)" % (TOKEN, VALUE))
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Refusal(Exception):
    """A request that is answered by the protocol itself; `reason` is a metric label, from a closed set."""

    def __init__(self, status: int, reason: str, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after  # seconds

    def response(self, fields: list[tuple[bytes, bytes]], *, bare: bool = False) -> bytes:
        """The whole response as bytes, `fields` first; `bare` leaves the content out (HEAD)."""
        content = problem(self.status, self.detail)
        lines = [f"HTTP/1.1 {self.status} {title(self.status)}".encode()]
        lines += [b"%b: %b" % field for field in fields]
        lines += [b"content-type: " + MEDIA_TYPE.encode(), b"content-length: %d" % len(content)]
        lines += [b"cache-control: no-store", b"connection: close"]
        if self.retry_after is not None:
            lines.append(b"retry-after: %d" % self.retry_after)
        return b"\r\n".join([*lines, b"", b"" if bare else content])


@dataclass(frozen=True, slots=True)
class Head:
    """A request head that passed; `length` is None when the content is chunked, 0 when there is none."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]  # names in lower case
    length: int | None

    def plain(self) -> bytes:
        """The head as the parser gets it: without Upgrade, for nothing is ever tunnelled (RFC 9110 §7.8)."""
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target)]
        lines += [b"%b: %b" % field for field in self.fields if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])


def check_part(raw: bytearray, scanned: int, limits: Limits) -> None:
    """Refuse a head that is not complete yet as soon as it cannot become one; `raw[:scanned]` was checked."""
    if _BROKEN_LINE.search(raw, max(0, scanned - 1)):
        raise Refusal(400, "framing", "A line of the request head is not ended by CR LF.")
    longest_line = limits.max_target + 64  # a method and a version beside the target
    if len(raw) > longest_line and raw.find(b"\r\n", 2, longest_line) < 0:
        raise _target_too_long(limits)
    if len(raw) > limits.max_head:
        raise Refusal(431, "head-size", f"The request head is larger than {limits.max_head} bytes.")


def read_head(raw: bytes, limits: Limits) -> Head:
    """The checked head of one request, from its bytes without the empty line; raises Refusal."""
    # RFC 9112 §2.2: one empty line before the request line is to be ignored.
    first, *lines = raw.removeprefix(b"\r\n").split(b"\r\n")
    method, target = _request_line(first, limits)
    if len(lines) > limits.max_header_lines:
        raise Refusal(431, "head-size", f"The request has more than {limits.max_header_lines} field lines.")
    fields = tuple(_field_line(line) for line in lines)
    _check_host(_values(fields, b"host"))
    _check_expectation(_values(fields, b"expect"))
    return Head(method, target, fields, _content_length(fields))


def _request_line(line: bytes, limits: Limits) -> tuple[bytes, bytes]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refusal(400, "framing", "The request line is malformed.")
    method, target, version = match.groups()
    if version != b"HTTP/1.1":
        raise Refusal(505, "version", "Only HTTP/1.1 is spoken here.")
    if method not in METHODS:
        raise Refusal(501, "method", "The request method is not implemented.")
    if len(target) > limits.max_target:
        raise _target_too_long(limits)
    if not target.startswith(b"/") or b"#" in target:
        raise Refusal(400, "target", "The request target must be a path with an optional query.")
    return method, target


def _target_too_long(limits: Limits) -> Refusal:
    return Refusal(414, "target-size", f"The request target is longer than {limits.max_target} bytes.")


def _field_line(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD_LINE.fullmatch(line)
    if match is None:
        raise Refusal(400, "framing", "A field line of the request is malformed.")
    return match[1].lower(), match[2].strip(b" \t")


def _values(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]


def _check_host(hosts: list[bytes]) -> None:
    if len(hosts) != 1 or not is_authority(hosts[0].decode("latin-1")):
        raise Refusal(400, "host", "The request must have exactly one Host field, of the form host[:port].")


def _check_expectation(expectations: list[bytes]) -> None:
    if [value for value in expectations if value.lower() != b"100-continue"]:
        raise Refusal(417, "expectation", "Only the expectation 100-continue is known here.")


def _content_length(fields: tuple[tuple[bytes, bytes], ...]) -> int | None:
    """RFC 9112 §6.1-6.3, without any of the repairs it allows."""
    codings, lengths = _values(fields, b"transfer-encoding"), _values(fields, b"content-length")
    if len(codings) + len(lengths) > 1:
        raise Refusal(400, "framing", "The request has more than one Content-Length or Transfer-Encoding.")
    if codings:
        if codings[0].lower() != b"chunked":
            raise Refusal(400, "framing", "The only transfer coding known here is chunked.")
        return None
    if not lengths:
        return 0
    if not _LENGTH.fullmatch(lengths[0]):
        raise Refusal(400, "framing", "The request's Content-Length is not a number of bytes.")
    return int(lengths[0])
