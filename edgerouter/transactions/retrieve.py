"""Retrieve from whoever holds it: the better holder first, the next when it fails before its first byte."""

import logging
from collections.abc import Mapping, Sequence

from edgerouter.dicomweb import query
from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import NotFound, Overloaded, Received, RouterError, UpstreamError
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Route
from edgerouter.transactions.cached import Cached, Retrieval
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.holders import Holders
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import forward_status
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.relay import relay, wishes_of
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)

_ABSENT = (404, 410)


class Retrieve:
    """The Retrieve transaction and the URI service (PS3.18 §9, §10.4)."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        holders: Holders,
        locations: Locations,
        cached: Cached | None = None,
    ) -> None:
        self._cached = cached
        self._archives = archives
        self._box = box
        self._holders = holders
        self._locations = locations

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply from the first holder that gives one; raises errors.RouterError.

        A 404 is said only when every possible holder said so (law 5)."""
        wanted = wishes_of(inbound)  # what nobody could serve is refused before anybody is asked
        retrieval = self._cached.retrieval(inbound, wanted) if self._cached else None
        if retrieval:
            held = await retrieval.held(self._ordered(inbound, route.upstreams))
            if held is not None:
                return held
        failures: list[RouterError] = []
        for archive in await self._candidates(inbound, route.upstreams):
            try:
                return await self._asked(inbound, archive, retrieval)
            except (UpstreamError, Overloaded) as error:
                if isinstance(error, Received) and error.status not in (*_ABSENT, 500, 502, 503, 504):
                    raise  # its own judgement of the request: another copy would judge alike
                if isinstance(error, Received) and error.status in _ABSENT and inbound.resource.study:
                    self._locations.forget(inbound.resource.study, archive.name)
                failures.append(error)
                logger.info("upstream %s did not give it (%s)", archive.name, error.status)
        raise verdict(failures)

    async def _asked(self, inbound: Inbound, archive: Upstream, retrieval: Retrieval | None) -> Reply:
        """The answer of one upstream, kept if it may be. Raises errors.UpstreamError and Overloaded."""
        if retrieval:
            try:
                return await retrieval.fetched(archive)
            except Unsuitable as error:
                logger.debug("passed on as it comes: %s", error.detail)
        reply = await relay(inbound, archive, self._box)
        reply.fields = reply.fields.set("cache-status", forward_status("bypass"))
        return reply

    def _ordered(self, inbound: Inbound, upstreams: Sequence[str]) -> list[str]:
        """The upstreams of the route, known holders first."""
        resource = inbound.resource
        known = self._locations.holders(resource.study or "", resource.series or "", upstreams)
        return [*known, *(name for name in upstreams if name not in known)]

    async def _candidates(self, inbound: Inbound, upstreams: Sequence[str]) -> list[Upstream]:
        resource = inbound.resource
        if resource.kind is Kind.TOKEN:
            sealed = self._box.open(resource.tail.removeprefix("bulkdata/"))
            if sealed is None or sealed[0] not in upstreams:
                raise NotFound("No such bulkdata.")
            return [self._archives[sealed[0]]]
        able = [name for name in upstreams if self._archives[name].takes(inbound.transaction)]
        if not able:
            raise NotFound("No upstream of this route answers this transaction.")
        if inbound.transaction is Transaction.WADO_URI:
            return await self._holders.of(query.parameter(inbound.query, "studyUID") or "", "", able)
        return await self._holders.of(resource.study or "", resource.series or "", able)


def verdict(failures: Sequence[RouterError]) -> RouterError:
    """What is said when no holder gave it: a failure outweighs a 404, and 404 outweighs 410 (3.8)."""
    if not failures:
        return NotFound("No archive of this route holds it.")
    broken = [error for error in failures if error.status not in _ABSENT]
    return (broken or [error for error in failures if error.status == 404] or list(failures))[0]
