"""Answers that follow a fill: what is there leaves while the rest still comes, and every client gets its own
envelope, its own links and its own coding."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Head
from edgerouter.cache.follower import Follower
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import Wish, multipart_content_type, part_type
from edgerouter.errors import ProtocolError, Received
from edgerouter.http.coding import accepts_gzip
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.bodies import gzipped
from edgerouter.transactions.described import rows_of
from edgerouter.transactions.fetch import UNPROVEN
from edgerouter.transactions.held import Described
from edgerouter.transactions.hits import FRESH, Label, cache_control, location_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import (
    Forwarded,
    directives,
    forward_status,
    is_rendition,
)
from edgerouter.transactions.metadata_forms import Form
from edgerouter.transactions.sending import Part, after, alone, boundary_of, enveloped, is_multipart
from edgerouter.transactions.streams import OwnedBody
from edgerouter.transactions.warning import own_warnings

_REVALIDATE = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Following:
    """A client's answer from a fill: whose links become which, and why the upstream was asked."""

    inbound: Inbound
    wanted: Sequence[Wish]
    links: LinkMap
    secret: bytes
    forwarded: Forwarded

    async def parts(self, follower: Follower, parts: AsyncIterator[Part], stack: AsyncExitStack) -> Reply:
        """The parts, in an envelope or the only one alone; `stack` is closed with the body.

        Waits for the first part, so that an upstream which fails before it is an error and not a cut.
        Raises errors.UpstreamError."""
        head = await follower.head()
        if head.status not in (200, 206):
            return self._without_content(head, follower)
        first = await anext(parts, None)
        if first is None:
            raise ProtocolError("The upstream's answer holds no part.", upstream=self.links.upstream)
        fields = self._fields(head, follower, cache_control(self.inbound)).set("vary", "accept")
        body = after(first, parts)
        media, syntax = part_type(first.fields.get("content-type"))
        unproven = UNPROVEN[0] in head.fields
        if is_multipart(self.wanted, media, syntax) and not unproven:
            boundary = boundary_of(self.inbound.resource, self.secret)
            fields = fields.set("content-type", multipart_content_type(media, boundary))
            return Reply(
                head.status, fields, OwnedBody(enveloped(body, boundary, self._mapped), stack.pop_all())
            )
        own = first.fields.only(("content-type", "content-encoding"))
        fields = Fields([*fields, *own, *head.fields.only(("content-language", "content-disposition"))])
        said = first.fields.get("content-length")
        length = int(said) if said else None
        return Reply(
            head.status, fields, OwnedBody(alone(body), stack.pop_all()), length=length, unproven=unproven
        )

    async def metadata(self, follower: Follower, stack: AsyncExitStack, form: Form) -> Reply:
        """The rows of a metadata fill in a form; `stack` is closed with the body.

        Raises errors.UpstreamError."""
        head = await follower.head()
        if head.status not in (200, 206):
            return self._without_content(head, follower)
        parts = follower.parts()
        first = await anext(parts, None)
        if first is None:
            raise ProtocolError("The upstream's answer is empty.", upstream=self.links.upstream)
        fields = self._fields(head, follower, _REVALIDATE)
        body = form.of_text(alone(after(first, parts)), self.links)
        return _coded(self.inbound, head.status, fields.set("content-type", form.content_type), body, stack)

    def _fields(self, head: Head, follower: Follower, control: str) -> Fields:
        # The fetch of a study or series ends with a HEAD, and what there is of it then is not all of it.
        stored = follower.stored and (self.inbound.method != "HEAD" or self.inbound.is_looking)
        status = forward_status(self.forwarded, stored=stored, collapsed=follower.collapsed)
        if "no-store" in directives(head.fields):
            control = "private, no-store"
        fields = Fields([("cache-control", control), ("cache-status", status)])
        for line in head.fields.all("warning"):
            for warning in own_warnings(line, self.inbound.public):
                fields = fields.add("warning", warning)
        return fields

    def _without_content(self, head: Head, follower: Follower) -> Reply:
        """Nothing, or a redirect within our own tree."""
        fields = self._fields(head, follower, "private, no-store")
        if head.status < 300:
            return Reply(204, fields, length=0)
        location = self.links.location(head.fields.get("location") or "")
        if location is None:
            what = "The upstream redirects outside its base URL."
            raise ProtocolError(what, upstream=self.links.upstream)
        return Reply(head.status, fields.set("location", location), length=0)

    def _mapped(self, fields: Fields) -> Fields:
        """A part's fields for the client: type, length, coding, and a location that names us."""
        named = ("content-type", "content-encoding", "content-length")
        # In one order, whatever the upstream's: a hit is, byte for byte, what the miss was.
        kept = Fields((name, value) for name in named if (value := fields.get(name)) is not None)
        if is_rendition(self.inbound.resource.kind):
            return kept.set("content-location", location_of(self.inbound))
        location = fields.get("content-location")
        return kept.set("content-location", self.links.map_here(location)) if location else kept


def own_refusal(error: Received, public: str) -> Received:
    """An upstream's refusal for one client: the fill's readers share the error, not the links in it."""
    fields = [pair for pair in error.fields if pair[0] != "warning"]
    for name, line in error.fields:
        if name == "warning":
            fields += [(name, warning) for warning in own_warnings(line, public)]
    return Received(error.status, upstream=error.upstream or "", fields=fields)


def described(
    inbound: Inbound,
    found: Described,
    links: LinkMap,
    cache: Cache,
    now: float,
    form: Form,
    label: Label = FRESH,
) -> Reply:
    """A hit on metadata: the rows held, under a validator of what leaves."""
    coded = accepts_gzip(inbound.fields.get("accept-encoding"))
    mark = sha256(found.mark + inbound.public.encode()).hexdigest()[:32] + form.mark
    etag = ETag(mark + ("-gzip" if coded else ""))
    fields = Fields(
        [
            ("etag", str(etag)),
            ("age", str(int(max(0.0, now - found.asked_at)))),
            ("cache-control", _REVALIDATE),
            ("vary", "accept, accept-encoding"),
        ]
    )
    fields = label.mark(fields, "derived" if found.derived else "")
    status = precondition(inbound.method, inbound.fields, etag)
    if status is not None:
        return Reply(status, fields, length=0)
    fields = fields.set("content-type", form.content_type)
    return _coded(inbound, 200, fields, form.of_rows(rows_of(found, cache), links), AsyncExitStack())


def _coded(
    inbound: Inbound, status: int, fields: Fields, body: AsyncGenerator[bytes, None], stack: AsyncExitStack
) -> Reply:
    fields = fields.set("vary", "accept, accept-encoding")
    if accepts_gzip(inbound.fields.get("accept-encoding")):
        body, fields = gzipped(body), fields.set("content-encoding", "gzip")
    return Reply(status, fields, OwnedBody(body, stack.pop_all()))
