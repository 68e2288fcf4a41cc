"""Replacing pieces of a document without touching its other bytes (law 1)."""

from collections.abc import Callable, Iterable

MapUrl = Callable[[str], str]  # a link as it stands -> the link it becomes, or the same text
Edit = tuple[int, int, bytes]  # replace [start, end) of the document


def spliced(document: bytes, edits: Iterable[Edit]) -> bytes:
    """The document with the edits made, which are in order and do not overlap."""
    out, done = bytearray(), 0
    for start, end, new in edits:
        out += document[done:start] + new
        done = end
    return bytes(out + document[done:])
