"""Searches behind a rule's guards: what the client asks becomes what the rule lets through, and a path leads
only into studies and series that match it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from edgerouter.dicomweb import query
from edgerouter.dicomweb.domains import Domains
from edgerouter.dicomweb.query import SearchQuery, Spelling
from edgerouter.errors import NotFound
from edgerouter.routing.guard import Gate
from edgerouter.transactions import outcomes
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.sources import Source

_REPRESENTATION = ("accept", "charset")


def asking(inbound: Inbound, asked: SearchQuery) -> Inbound:
    """The same request with another question; what it says of the representation stays."""
    kept = [(name, value) for name, value in query.pairs(inbound.query) if name in _REPRESENTATION]
    pieces = [query.emit(asked, Spelling()), *(f"{name}={quote(value)}" for name, value in kept)]
    return replace(inbound, query="&".join(filter(None, pieces)))


async def past_gates(
    federation: Federation,
    inbound: Inbound,
    gates: Sequence[Gate],
    names: Sequence[str],
    domains: Domains,
    until: float,
) -> tuple[list[str], list[Source]]:
    """The upstreams that may be searched, and those that could not say by `until`, a time of the event loop,
    whether they may.

    Raises NotFound, as for what is nowhere, when none may, and what it is when somebody could not say."""
    clock = asyncio.get_running_loop().time
    open_to, unsure = list(names), list[Source]()
    for gate in gates:
        within = replace(inbound, resource=gate.resource, query="")
        # The path says which study: a rule's PatientID is no bare one.
        questions = domains.questions(gate.asked, gate.resource, open_to, "all")
        sources = await federation.ask(within, questions, until - clock(), demanded=gate.demanded)
        open_to = [source.name for source in sources if source.rows]
        unsure += [source for source in sources if source.error is not None and not source.rows]
        if not open_to:
            nowhere = NotFound("No archive of this route holds what was searched in.")
            raise outcomes.unproven(unsure) or nowhere
    return open_to, unsure
