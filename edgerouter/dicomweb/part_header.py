"""The header of one part of a multipart body: read strictly, because a part begins where it ends."""

import re

from edgerouter.http.fields import Fields

BAD_LENGTH = "a part's Content-Length does not match its bytes"
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)\Z")
_LENGTH = re.compile(r"[0-9]{1,15}\Z")
_ONCE = ("content-type", "content-length")


class MultipartError(ValueError):
    """The body is not the multipart message it says it is; the text is for people and holds no data."""


def parse_header(block: bytes, most_lines: int) -> Fields:
    """The fields of a header block without its blank line; folded lines are joined (RFC 5322 §2.2.3).

    Raises MultipartError for a line that is no field, too many lines, or a nested multipart.
    """
    lines = block.decode("latin-1").split("\r\n") if block else []
    if len(lines) > most_lines:
        raise MultipartError("a part header has too many lines")
    unfolded: list[str] = []
    for line in lines:
        if unfolded and line.startswith((" ", "\t")):
            unfolded[-1] += " " + line.strip(" \t")
        else:
            unfolded.append(line)
    fields = Fields(_field(line) for line in unfolded)
    if any(len(fields.all(name)) > 1 for name in _ONCE):
        raise MultipartError("a part header names its type or length twice")
    if (fields.get("content-type") or "").lower().startswith("multipart/"):
        raise MultipartError("a part is itself multipart")
    return fields


def _field(line: str) -> tuple[str, str]:
    match = _LINE.match(line)
    if not match:
        raise MultipartError("a part header has a line that is not a field")
    return match.group(1), match.group(2).rstrip(" \t")


def declared_length(fields: Fields) -> int | None:
    """The part's Content-Length in bytes, None when it has none; raises MultipartError for nonsense."""
    value = fields.get("content-length")
    if value is None:
        return None
    if not _LENGTH.match(value):
        raise MultipartError("a part's Content-Length is not a number")
    return int(value)
