"""The seam every archive stands behind: open a response, read its raw bytes, close it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from edgerouter.dicomweb.resource import Transaction
from edgerouter.http.fields import Fields

if TYPE_CHECKING:
    from edgerouter.upstream.profiles import Profile


class Framing(Enum):
    """How the end of a response body is known (RFC 9112 §6.3)."""

    LENGTH = "length"  # Content-Length, or no body at all
    CHUNKED = "chunked"
    CLOSE = "close"  # the end of the connection: proves nothing


@dataclass(frozen=True, slots=True)
class Outbound:
    """One request to an upstream, assembled from validated parts (law 9).

    `path` is encoded as it goes on the wire, starts with "/" and is relative to the base URL of
    `transaction`; it is "" for WADO-URI. `query` is encoded, without "?". `fields` are end-to-end request
    fields from an allow-list; the archive adds Host, credentials and framing. `length` is the body's exact
    number of bytes if known.
    """

    method: str
    transaction: Transaction
    path: str
    query: str = ""
    fields: Fields = field(default_factory=Fields)
    body: AsyncIterator[bytes] | bytes | None = None
    length: int | None = None


class Answer(Protocol):
    """A response whose head is here; the body is still coming."""

    @property
    def status(self) -> int: ...

    @property
    def fields(self) -> Fields: ...

    @property
    def framing(self) -> Framing: ...

    @property
    def length(self) -> int | None:
        """Content-Length when the framing is LENGTH, else None."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The raw body, content coding untouched. Raises errors.Cut when it breaks off before its
        framing says it is whole, errors.Cut too when no byte came for `between_reads`."""


class Archive(Protocol):
    """An upstream archive: over HTTP, or embedded over a folder."""

    @property
    def name(self) -> str: ...

    @property
    def profile(self) -> "Profile": ...

    @property
    def bases(self) -> tuple[str, ...]:
        """Every base URL it may print in its own links: its configured URLs first, then its aliases."""

    def takes(self, transaction: Transaction) -> bool:
        """Whether a base URL for this transaction is configured."""

    def url(self, outbound: Outbound) -> str:
        """Where the request goes: what relative links in its answer are relative to."""

    def open(self, outbound: Outbound) -> AbstractAsyncContextManager[Answer]:
        """Send the request and hand over the response head; leaving the context closes the exchange,
        and gives the connection back only if the body was read to its end.
        Raises errors.UpstreamError (ConnectError, ConnectTimeout, TlsError, ResponseTimeout,
        ProtocolError, Cut) or errors.Overloaded."""
