"""The Studies service as one origin server: which transaction answers a request, and from which upstream."""

from collections.abc import Mapping
from typing import Protocol

from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import MethodNotAllowed, NotFound, RequestError
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Route
from edgerouter.transactions.capabilities import capabilities
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.relay import relay
from edgerouter.transactions.scatter import scatter
from edgerouter.transactions.store import store
from edgerouter.upstream.seam import Archive

MAX_ROWS = 64 * 1000**2  # bytes of one upstream's answer to one search


class Upstream(Archive, Protocol):
    """An archive with what passive health thinks of it."""

    @property
    def healthy(self) -> bool: ...


class Service:
    """Answers routed requests; one instance for the app, no state of its own beyond its parts."""

    def __init__(
        self, archives: Mapping[str, Upstream], box: TokenBox, *, max_search_answer: int = MAX_ROWS
    ) -> None:
        self._archives = archives
        self._box = box
        self._max_rows = max_search_answer

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to one request, from the upstreams of its route only. Raises errors.RouterError."""
        if inbound.transaction is Transaction.CAPABILITIES:
            return capabilities(inbound)
        if route.sorting:
            return await scatter(inbound, route.sorting, self._archives, self._box)
        archive = self._choose(inbound, route)
        if inbound.transaction is Transaction.STORE:
            return await store(inbound, archive, self._box)
        return await relay(inbound, archive, self._box, self._max_rows)

    def _choose(self, inbound: Inbound, route: Route) -> Upstream:
        """The first healthy upstream that takes the transaction; a lone sick one is still asked."""
        archives = (self._archives[name] for name in route.upstreams)
        able = [archive for archive in archives if archive.takes(inbound.transaction)]
        if inbound.resource.kind is Kind.TOKEN:
            sealed = self._box.open(inbound.resource.tail.removeprefix("bulkdata/"))
            able = [archive for archive in able if sealed and archive.name == sealed[0]]
        if not able:
            raise _nobody(inbound)
        if inbound.transaction is Transaction.STORE:
            # An upload belongs where the route says: never, because that is down, into another archive.
            return able[0]
        return next((archive for archive in able if archive.healthy), able[0])


def _nobody(inbound: Inbound) -> RequestError:
    if inbound.transaction is Transaction.STORE:
        return MethodNotAllowed("No upstream of this route takes uploads.", allow=["GET", "HEAD"])
    return NotFound("No upstream of this route has the resource.")
