"""Searches behind a rule's guards: what the client asks becomes what the rule lets through, and a path leads
only into studies and series that match it."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from edgerouter.dicomweb import query
from edgerouter.dicomweb.query import SearchQuery, Spelling
from edgerouter.errors import NotFound
from edgerouter.routing.guard import Gate
from edgerouter.routing.router import Route
from edgerouter.transactions import outcomes
from edgerouter.transactions.federation import Federation, Source
from edgerouter.transactions.inbound import Inbound

_REPRESENTATION = ("accept", "charset")


def asking(inbound: Inbound, asked: SearchQuery) -> Inbound:
    """The same request with another question; what it says of the representation stays."""
    kept = [(name, value) for name, value in query.pairs(inbound.query) if name in _REPRESENTATION]
    pieces = [query.emit(asked, Spelling()), *(f"{name}={quote(value)}" for name, value in kept)]
    return replace(inbound, query="&".join(filter(None, pieces)))


async def past_gates(
    federation: Federation, inbound: Inbound, gates: Sequence[Gate], names: Sequence[str], route: Route
) -> tuple[list[str], list[Source]]:
    """The upstreams that may be searched, and those that could not say whether they may.

    Raises NotFound, as for what is nowhere, when none may, and what it is when somebody could not say."""
    open_to, unsure = list(names), list[Source]()
    for gate in gates:
        within = replace(inbound, resource=gate.resource, query="")
        sources = await federation.ask(within, gate.asked, open_to, route.deadline, demanded=gate.demanded)
        open_to = [source.name for source in sources if source.rows]
        unsure += [source for source in sources if source.error is not None and not source.rows]
        if not open_to:
            nowhere = NotFound("No archive of this route holds what was searched in.")
            raise outcomes.unproven(unsure) or nowhere
    return open_to, unsure
