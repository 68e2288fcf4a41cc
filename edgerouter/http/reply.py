"""What a transaction answers with, before anything is on the wire."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from edgerouter.http.fields import Fields


@dataclass(slots=True)
class Reply:
    """A response: status, end-to-end fields, and a body.

    `body` is whole bytes, or an async generator that the sender closes. `length` is the exact number of
    bytes when it is known beforehand (Content-Length); otherwise the body leaves chunked. `unproven` marks
    a body whose end proves nothing (close-delimited upstream): it leaves close-delimited, never chunked.
    """

    status: int
    fields: Fields = field(default_factory=Fields)
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    unproven: bool = False
    close: bool = False
