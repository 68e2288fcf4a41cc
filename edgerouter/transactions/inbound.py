"""One client request as the transactions see it: parsed, checked, and free of ASGI."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from edgerouter.dicomweb.resource import Resource, Transaction
from edgerouter.http.fields import Fields


@dataclass(frozen=True, slots=True)
class Inbound:
    """A routed request: what is asked, by whom, and under which public base URL answers must point back.

    `query` is the raw query string, checked but not decoded. `public` has no trailing slash.
    `body_length` is Content-Length, None when the body is chunked or absent.
    """

    method: str
    transaction: Transaction
    resource: Resource
    query: str
    fields: Fields
    client: str
    public: str
    request_id: str
    body: AsyncIterator[bytes] | None = None
    body_length: int | None = None

    @property
    def bypass(self) -> bool:
        """RFC 9111 §5.2.1.4: the client wants no answer from memory."""
        directives = (self.fields.get("cache-control") or "") + "," + (self.fields.get("pragma") or "")
        wanted = {word.strip().lower() for word in directives.split(",")}
        return bool(wanted & {"no-cache", "max-age=0"})
