"""One client request as the transactions see it: parsed, checked, and free of ASGI."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.http.fields import Fields

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})[ \t]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Inbound:
    """A routed request: what is asked, by whom, and under which public base URL answers must point back.

    `query` is the raw query string, checked but not decoded. `public` has no trailing slash.
    `body_length` is the number of bytes of the body, None when it is chunked. `via` is what a request to an
    upstream says of the way so far, "" when nobody watches for loops. With `any_syntax` a client that names
    no transfer syntax takes any.
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
    via: str = ""
    any_syntax: bool = False

    @property
    def bypass(self) -> bool:
        """RFC 9111 §5.2.1.4: the client wants no answer from memory."""
        directives = (self.fields.get("cache-control") or "") + "," + (self.fields.get("pragma") or "")
        wanted = {word.strip().lower() for word in directives.split(",")}
        return bool(wanted & {"no-cache", "max-age=0"})

    @property
    def is_looking(self) -> bool:
        """Whether it is a HEAD of something small: it is fetched to its end, since a GET is likely to follow.
        Of a study or series nothing is kept for a HEAD."""
        small = self.resource.level is Level.INSTANCE or self.resource.kind is Kind.METADATA
        return self.method == "HEAD" and small

    @property
    def ranged(self) -> bool:
        """Whether one byte range is asked for; several count as none (RFC 9110 §14.2), and so does HEAD."""
        return self.method == "GET" and _ONE_RANGE.match(self.fields.get("range") or "") is not None
