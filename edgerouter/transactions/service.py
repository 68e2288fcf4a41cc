"""The Studies service as one origin server: which transaction answers a request, and from which upstream."""

import re
from collections.abc import Iterator, Mapping

from edgerouter.cache.cache import Cache
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import MethodNotAllowed
from edgerouter.http.reply import Reply
from edgerouter.parsing.describer import Describer
from edgerouter.routing.router import Route
from edgerouter.transactions.cached import Cached
from edgerouter.transactions.capabilities import capabilities
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.held_search import HeldSearch
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.retrieve import Retrieve
from edgerouter.transactions.scatter import scatter
from edgerouter.transactions.search import Search, Settings
from edgerouter.transactions.speakers import Speakers
from edgerouter.transactions.store import store
from edgerouter.transactions.upstreams import Upstream

# Our own RetrieveURLs in a Store's answer, where JSON may escape the slash.
_STORED = re.compile(
    rb"/studies\\?/([0-9.]{1,64})(?:\\?/series\\?/[0-9.]{1,64}\\?/instances\\?/([0-9.]{1,64}))?"
)
# Key Object Selection Document Storage: what may be a rejection note (IHE RAD, IOCM).
_KEY_OBJECTS = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.88\.59(?![0-9.])")


class Service:
    """Answers routed requests; one instance for the app.

    A `cache` goes with a `describer`, which reads the files in it; `derive_metadata` says of upstreams
    whether metadata may be made of their instances, where it is not as their profiles say."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        *,
        search: Settings | None = None,
        cache: Cache | None = None,
        describer: Describer | None = None,
        derive_metadata: Mapping[str, bool] | None = None,
    ) -> None:
        self._archives = archives
        self._box = box
        self.locations = Locations()
        settings = search or Settings()
        federation = Federation(archives, settings.issuers, settings.max_rows)
        self._cached, held = None, None
        if cache and describer:
            deriving = frozenset(_deriving(archives, derive_metadata or {}))
            self._cached = Cached(cache, describer, archives, box, federation, deriving)
            speakers = Speakers(cache, self._cached.describing, archives)
            held = HeldSearch(cache, settings.issuers, speakers)
        self._search = Search(archives, box, self.locations, settings, held)
        self._retrieve = Retrieve(archives, box, self.locations, federation, settings.max_rows, self._cached)

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to one request, from the upstreams of its route only. Raises errors.RouterError."""
        if inbound.transaction is Transaction.CAPABILITIES:
            return capabilities(inbound)
        if inbound.transaction is Transaction.SEARCH:
            return await self._search.answer(inbound, route)
        if inbound.transaction is Transaction.STORE:
            return await self._store(inbound, route)
        return await self._retrieve.answer(inbound, route)

    async def _store(self, inbound: Inbound, route: Route) -> Reply:
        """An upload belongs where the route says: never, because that is down, into another archive."""
        reply: Reply | None = None
        try:
            reply = await self._stored(inbound, route)
        finally:
            rejecting = bool(reply and isinstance(reply.body, bytes) and _KEY_OBJECTS.search(reply.body))
            for study, instances in _touched(inbound, reply).items():
                self.locations.forget(study)
                if self._cached:
                    await self._cached.touched(study, None if rejecting else instances)
        return reply

    async def _stored(self, inbound: Inbound, route: Route) -> Reply:
        if route.sorting:
            return await scatter(inbound, route.sorting, self._archives, self._box)
        able = [name for name in route.upstreams if self._archives[name].takes(Transaction.STORE)]
        if not able:
            raise MethodNotAllowed("No upstream of this route takes uploads.", allow=["GET", "HEAD"])
        return await store(inbound, self._archives[able[0]], self._box)


def _deriving(archives: Mapping[str, Upstream], said: Mapping[str, bool]) -> Iterator[str]:
    for name, archive in archives.items():
        if said.get(name, archive.profile.derive_metadata):
            yield name


def _touched(inbound: Inbound, reply: Reply | None) -> dict[str, set[str]]:
    """The studies that an upload may have changed, with the instances stored: who holds most of them is asked
    anew, because an archive that was given a few instances need not be the better holder."""
    touched: dict[str, set[str]] = {inbound.resource.study: set()} if inbound.resource.study else {}
    told = _STORED.findall(reply.body) if reply and isinstance(reply.body, bytes) else []
    for study, instance in told:
        touched.setdefault(study.decode(), set()).update([instance.decode()] if instance else [])
    return touched
