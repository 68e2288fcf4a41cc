"""The Studies service as one origin server: which transaction answers a request, and from which upstream."""

from collections.abc import Mapping

from edgerouter.cache.cache import Cache
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import MethodNotAllowed
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Route
from edgerouter.transactions.cached import Cached
from edgerouter.transactions.capabilities import capabilities
from edgerouter.transactions.holders import Holders
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.retrieve import Retrieve
from edgerouter.transactions.search import Search
from edgerouter.transactions.snapshots import Snapshots
from edgerouter.transactions.store import store
from edgerouter.transactions.upstreams import Upstream


class Service:
    """Answers routed requests; one instance for the app."""

    def __init__(self, archives: Mapping[str, Upstream], box: TokenBox, cache: Cache | None = None) -> None:
        self._archives = archives
        self._box = box
        self.locations = Locations()
        self._search = Search(archives, box, self.locations, Snapshots())
        holders = Holders(archives, self.locations)
        cached = Cached(cache, archives, box) if cache else None
        self._retrieve = Retrieve(archives, box, holders, self.locations, cached)

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to one request, from the upstreams of its route only. Raises errors.RouterError."""
        if inbound.transaction is Transaction.CAPABILITIES:
            return capabilities(inbound.fields.all("accept"), inbound.public)
        if inbound.transaction is Transaction.SEARCH:
            return await self._search.answer(inbound, route)
        if inbound.transaction is Transaction.STORE:
            return await self._store(inbound, route)
        return await self._retrieve.answer(inbound, route)

    async def _store(self, inbound: Inbound, route: Route) -> Reply:
        able = [name for name in route.upstreams if self._archives[name].takes(Transaction.STORE)]
        if not able:
            raise MethodNotAllowed("No upstream of this route takes uploads.", allow=["GET", "HEAD"])
        return await store(inbound, self._archives[able[0]], self._box)
