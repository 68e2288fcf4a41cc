"""Retrieve from whoever holds it: the better holder first, the next when it fails before its first byte."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from edgerouter.dicomweb.resource import Kind, Resource, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.dicomweb.wado_uri import read_wado_uri
from edgerouter.errors import (
    NotCached,
    NotFound,
    Overloaded,
    Received,
    Refused,
    RouterError,
    UpstreamError,
)
from edgerouter.http.reply import Reply
from edgerouter.metrics import FAILOVERS
from edgerouter.routing.router import Route
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.cached import Cached, CachedRetrieval
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.holders import Holders, Survey
from edgerouter.transactions.holding import ABSENT, Holding
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import directives, forward_status
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.probe import Subject
from edgerouter.transactions.relay import UNCACHED, relay
from edgerouter.transactions.streams import begun
from edgerouter.transactions.union import Union, is_divisible
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)


class Retrieve:
    """The Retrieve transaction and the URI service (PS3.18 §9, §10.4)."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        locations: Locations,
        federation: Federation,
        max_rows: int,
        cached: Cached | None = None,
    ) -> None:
        self._archives = archives
        self._box = box
        self._locations = locations
        self._holders = Holders(archives, locations)
        self._max_rows = max_rows
        self._cached = cached
        holding = Holding(archives, locations, self._holders, federation, cached)
        self._union = Union(archives, holding, cached, self._from_one)

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply from all holders of a study or series, of anything else from the first holder that gives
        it; raises errors.RouterError.

        A 404 is said only when every possible holder said so (law 5)."""
        inbound = replace(inbound, any_syntax=route.any_syntax)
        wanted = wishes_of(inbound)  # what nobody could serve is refused before anybody is asked
        able = self._able(inbound, route.upstreams)
        if len(able) < 2 or not is_divisible(inbound):
            return await self._from_one(inbound, route)
        try:
            answered = await self._union.answer(inbound, wanted, able, route)
        except RouterError as error:
            retrieval = self._cached.retrieval(inbound, wanted, route) if self._cached else None
            raise _noted(error, retrieval) from error
        if isinstance(answered, Reply):
            return answered
        return await self._from_one(inbound, route, answered.survey)

    async def _from_one(self, inbound: Inbound, route: Route, survey: Survey | None = None) -> Reply:
        """The reply from the first holder that gives one; `survey` is what was said just now of who does."""
        wanted = wishes_of(inbound)
        able = self._able(inbound, route.upstreams)
        if not able:
            raise NotFound("No upstream of this route has the resource.")
        subject = _subject(inbound)
        retrieval = self._cached.retrieval(inbound, wanted, route) if self._cached else None
        held = await self._held(retrieval, subject, able, route) if retrieval else None
        if held is not None:
            return held
        if "only-if-cached" in directives(inbound.fields):
            raise _noted(NotCached("It is not held, or not fresh any more."), retrieval)
        failures: list[RouterError] = []
        holders = self._holders.of(subject, able, failures, survey)
        async with aclosing(self._sorted(inbound, holders, able)) as candidates:
            async for archive in candidates:
                try:
                    reply = await self._given(inbound, archive, retrieval, alone=len(able) == 1)
                except (UpstreamError, Overloaded) as error:
                    failures.append(error)
                    await self._missed(inbound, subject, archive.name, error, retrieval)
                else:
                    if subject.study:
                        self._locations.learn(subject.study, subject.series, archive.name)
                    return reply
        if retrieval and (silent := _silent(failures, able)):
            offline = await retrieval.offline(silent, route.max_stale)
            if offline is not None:
                return offline
        raise _noted(verdict(failures), retrieval)

    async def _held(
        self, retrieval: CachedRetrieval, subject: Subject, able: Sequence[str], route: Route
    ) -> Reply | None:
        """What is held, nobody being asked: of upstreams that are known to be down also what is too old."""
        known = self._locations.holders(subject.study, subject.series, able)
        order = [*known, *(name for name in able if name not in known)]
        reply = await retrieval.held(order)
        if reply is None and not any(self._archives[name].healthy for name in known or able):
            reply = await retrieval.offline(order, route.max_stale)
        return reply

    async def _given(
        self, inbound: Inbound, archive: Upstream, retrieval: CachedRetrieval | None, *, alone: bool
    ) -> Reply:
        """What one upstream gives, kept if it may be; unless it is `alone`, with its first bytes here."""
        if retrieval:
            with suppress(Unsuitable):
                return await retrieval.fetched(archive)
        reply = await relay(inbound, archive, self._box, self._max_rows)
        return reply if alone or inbound.method == "HEAD" else await begun(reply)

    def _able(self, inbound: Inbound, upstreams: Sequence[str]) -> list[str]:
        able = [name for name in upstreams if self._archives[name].takes(inbound.transaction)]
        if inbound.resource.kind is not Kind.TOKEN:
            return able
        sealed = self._box.open(inbound.resource.tail.removeprefix("bulkdata/"))
        return [name for name in able if sealed and name == sealed[0]]

    async def _sorted(
        self, inbound: Inbound, holders: AsyncGenerator[Upstream, None], able: Sequence[str]
    ) -> AsyncGenerator[Upstream, None]:
        """The holders of a study, those that are known not to have this instance of it last."""
        late: list[Upstream] = []
        async with aclosing(holders):
            async for archive in holders:
                if len(able) > 1 and await self._lists_others(inbound.resource, archive.name):
                    late.append(archive)
                else:
                    yield archive
        for archive in late:
            yield archive

    async def _lists_others(self, resource: Resource, name: str) -> bool:
        """Whether the upstream said what the study contains, and this instance was not among it."""
        if self._cached is None or not resource.instance:
            return False
        study = replace(resource, series=None, instance=None)
        listed = await self._cached.contents(study, name)
        return bool(listed) and (resource.series, resource.instance) not in listed

    async def _missed(
        self,
        inbound: Inbound,
        subject: Subject,
        name: str,
        error: RouterError,
        retrieval: CachedRetrieval | None,
    ) -> None:
        if isinstance(error, Received) and error.status in ABSENT:
            if not inbound.resource.instance:  # another instance of the study may be there all the same
                self._locations.forget(subject.study, name)
            if retrieval:
                await retrieval.gone(name)
        else:
            FAILOVERS.labels(name).inc()
            logger.info("upstream %s did not give what was asked: %s", name, error.detail)


def _subject(inbound: Inbound) -> Subject:
    if inbound.transaction is Transaction.WADO_URI:
        asked = read_wado_uri(inbound.query)
        return Subject(asked.study, asked.series, inbound.via)
    return Subject(inbound.resource.study or "", inbound.resource.series or "", inbound.via)


def _silent(failures: Sequence[RouterError], able: Sequence[str]) -> list[str]:
    """Those upstreams that could not answer, so that what is held of them may stand in for them.

    One that refuses our credentials did answer: it may have changed its mind about us (law 8)."""
    failed = {error.upstream for error in failures if error.status >= 500 and not isinstance(error, Refused)}
    return [name for name in able if name in failed]


def _noted(error: RouterError, retrieval: CachedRetrieval | None) -> RouterError:
    """The error with Cache-Status, as every answer has it."""
    if all(name != "cache-status" for name, _ in error.fields):
        status = forward_status("miss") if retrieval else UNCACHED
        error.fields = (*error.fields, ("cache-status", status))
    return error


def verdict(failures: Sequence[RouterError]) -> RouterError:
    """What is said when no holder gave it: a failure outweighs a 404, and 404 outweighs 410."""
    broken = [error for error in failures if error.status not in ABSENT]
    absent = [error for error in failures if error.status == 404]
    return next(iter([*broken, *absent, *failures]), NotFound("No archive of this route holds it."))
