"""One retrieve of what several archives have, while it is being put together: who is still to give what, who
failed, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.media import JSON, Wish, multipart_content_type
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.errors import Overloaded, ProtocolError, RouterError
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Route
from edgerouter.transactions import outcomes
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import forward_status
from edgerouter.transactions.relay import UNCACHED
from edgerouter.transactions.sources import Source
from edgerouter.transactions.union_body import Answer
from edgerouter.transactions.union_plan import Grain, Step, covered, preferred, steps_of

_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range", "if-range")


class Work:
    """`lists` are what those have that are still to give their share, None where that is not known; `failed`
    are those that may have some of it and did not give it. `kept`: what comes is kept, and named by where it
    is; without, what comes is passed on as it is."""

    def __init__(
        self,
        inbound: Inbound,
        wanted: Sequence[Wish],
        route: Route,
        order: Sequence[str],
        lists: Mapping[str, Sequence[Member] | None],
        failed: Mapping[str, RouterError],
        *,
        kept: bool,
    ) -> None:
        self.inbound = inbound
        self.wanted = wanted
        self.route = route
        self.kept = kept
        self.lists = dict(lists)
        self._order = order
        self._known = dict(lists)
        self._failed = dict(failed)
        if self._grain == "exact":
            self._leave_unlisted()

    @property
    def missing(self) -> list[Source]:
        """Those that failed and may have what nobody else has."""
        return [
            Source(name, error=error, resting=isinstance(error, Overloaded))
            for name, error in self._failed.items()
            if not covered(self._known.get(name), self.lists)
        ]

    @property
    def copies(self) -> list[str]:
        """Those that have all that anybody lists."""
        everything = {member for found in self.lists.values() for member in found or ()}
        best_first = preferred(self.lists, self._order)
        return [name for name in best_first if everything <= set(self.lists[name] or ()) and everything]

    @property
    def unconditional(self) -> Inbound:
        """The request for all of it, whatever the client has."""
        return replace(self.inbound, fields=self.inbound.fields.without(*_CONDITIONS))

    def lose(self, source: str, error: RouterError | None) -> None:
        """The source does not give its share: because of an error, or (None) because it is not there."""
        del self.lists[source]
        if error is not None:
            self._failed[source] = error

    def steps(self) -> list[Step]:
        return steps_of(self.inbound.resource, self.lists, self._order, self._grain)

    def others(self, step: Step) -> list[Step]:
        """The same from the other sources that have all of it."""
        if step.members is None or (step.resource.level is not Level.INSTANCE and self._grain == "exact"):
            return []
        names = (name for name in self.lists if name != step.source)
        return [
            replace(step, source=name, exact=step.resource.level is Level.INSTANCE)
            for name in names
            if step.members <= set(self.lists[name] or ())
        ]

    def asking(self, step: Step) -> Inbound:
        """The request for a step: all of it, as plain text where it is text."""
        fields = self.inbound.fields.without(*_CONDITIONS, "accept-encoding")
        return replace(self.inbound, method="GET", resource=step.resource, fields=fields)

    @property
    def _grain(self) -> Grain:
        if self.inbound.resource.kind is not Kind.METADATA:
            return "series" if self.kept else "exact"
        return "whole" if self.kept or self.wanted[0].media == JSON else "exact"

    def _leave_unlisted(self) -> None:
        """What cannot be told apart and is not listed cannot be put beside others'."""
        for name in preferred(self.lists, self._order)[1:]:
            if self.lists[name] is None:
                self.lose(name, ProtocolError("Its instances cannot be listed.", upstream=name))


def union_fields(work: Work, answers: Sequence[Answer], boundary: str) -> Fields:
    """The fields of the whole, of which these answers are a part."""
    media = work.wanted[0].media
    rows = work.inbound.resource.kind is Kind.METADATA and media == JSON
    coded = work.inbound.resource.kind is Kind.METADATA
    fields = Fields(
        [
            ("cache-control", "private, no-cache"),
            ("vary", "accept, accept-encoding" if coded else "accept"),
            ("content-type", JSON if rows else multipart_content_type(media, boundary)),
        ]
    )
    said = {reply.fields.get("cache-status") for _, reply in answers} - {None}
    same = said.pop() if len(said) == 1 else None
    fields = fields.set("cache-status", same or (forward_status("partial") if work.kept else UNCACHED))
    for line in dict.fromkeys(line for _, reply in answers for line in reply.fields.all("warning")):
        fields = fields.add("warning", line)
    return fields


def marked_partial(reply: Reply, missing: Sequence[Source], public: str) -> Reply:
    """The reply, said to lack what these may have (PS3.18 §10.4.3.2: 206), and nothing to be kept."""
    fields = reply.fields.without("etag", "accept-ranges").set("cache-control", "private, no-store")
    for member in outcomes.proxy_statuses(missing):
        fields = fields.add("proxy-status", member)
    for line in outcomes.warnings(missing, public):
        fields = fields.add("warning", line)
    reply.fields = fields
    reply.status = 206 if reply.status == 200 else reply.status
    return reply
