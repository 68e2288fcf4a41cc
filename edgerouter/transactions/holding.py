"""What the archives of a route have of one study or series: who holds it, who lacks it, who cannot say, and
what each holder lists. Asked once, and remembered where locations and listings are."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import Overloaded, RouterError
from edgerouter.metrics import FAILOVERS
from edgerouter.transactions.cached import Cached
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.holders import Holders, Survey
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.members import listed
from edgerouter.transactions.probe import Subject, probe
from edgerouter.transactions.upstreams import Upstream

ABSENT = (404, 410)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Standing:
    """`holders` have it, the better first; those in `failed` may have it and could not say. `survey` is what
    was said just now, if anybody had to be asked."""

    holders: list[str]
    failed: dict[str, RouterError] = field(default_factory=dict)
    survey: Survey | None = None


class Holding:
    """Finds it out; `cached` remembers beyond a restart, and for as long as archives are silent."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        locations: Locations,
        holders: Holders,
        federation: Federation,
        cached: Cached | None,
    ) -> None:
        self._archives = archives
        self._locations = locations
        self._holders = holders
        self._federation = federation
        self._cached = cached

    async def standing(
        self, inbound: Inbound, subject: Subject, able: Sequence[str], max_stale: float, *, ask: bool
    ) -> Standing:
        """Who of the able upstreams has it. Without `ask` only what is known; sick ones are not asked: of
        those, what was known of them up to `max_stale` seconds beyond its lifetime counts."""
        known = self._locations.holders(subject.study, subject.series, able)
        lacking = self._locations.lacking(subject.study, subject.series, able)
        unknown = [name for name in able if name not in known and name not in lacking]
        remembered = [name for name in unknown if await self._remembers(inbound, subject, name, able)]
        unknown = [name for name in unknown if name not in remembered]
        standing = Standing(self._locations.holders(subject.study, subject.series, able))
        if not ask:
            return standing
        awake = [name for name in unknown if self._archives[name].healthy]
        for name in (name for name in unknown if name not in awake):
            if not await self._remembers(inbound, subject, name, able, max_stale):
                standing.failed[name] = resting(name)
        if standing.failed and not standing.holders and len(awake) == 1:
            standing.holders = awake  # the last one left is asked for the thing itself
            return standing
        # Who takes no searches cannot say; it is asked for the thing itself when nobody else has it.
        vocal = [name for name in awake if self._archives[name].takes(Transaction.SEARCH)]
        if vocal:
            standing.survey = survey = await self._holders.survey(
                subject, vocal, known=bool(standing.holders)
            )
            standing.failed |= survey.failed
        standing.holders = self._locations.holders(subject.study, subject.series, able)
        if self._cached and standing.survey and not subject.series:
            await self._cached.lacked(subject.study, standing.holders, standing.survey.lacks)
        return standing

    async def lists(
        self, inbound: Inbound, subject: Subject, standing: Standing, max_stale: float, *, ask: bool
    ) -> dict[str, tuple[Member, ...] | None]:
        """What each holder has, None for one that cannot be listed; who did not answer is added to those
        that failed."""
        found: dict[str, tuple[Member, ...] | None] = {}

        async def one(name: str) -> None:
            try:
                found[name] = await self._members(inbound, subject, name, max_stale, ask=ask)
            except RouterError as error:
                if error.status in ABSENT:
                    self._locations.forget(subject.study, name)
                    self._locations.learn_lack(subject.study, subject.series, [name])
                    return
                standing.failed[name] = error
                FAILOVERS.labels(name).inc()
                logger.info("upstream %s did not say what it has: %s", name, error.detail)

        async with asyncio.TaskGroup() as group:
            for name in standing.holders:
                group.create_task(one(name), name="list members")
        return {name: found[name] for name in standing.holders if name in found}

    async def _members(
        self, inbound: Inbound, subject: Subject, name: str, max_stale: float, *, ask: bool
    ) -> tuple[Member, ...] | None:
        """Raises errors.RouterError, of a status of ABSENT when it has it no more."""
        archive, cached = self._archives[name], self._cached
        if cached and not inbound.bypass and (known := await cached.contents(inbound.resource, name)):
            return known
        if ask and archive.healthy:
            found = await (
                cached.members(inbound, archive) if cached else listed(self._federation, inbound, archive)
            )
            if not found:
                await probe(archive, subject)
            return found or None
        known = await cached.contents(inbound.resource, name, max_stale) if cached else ()
        if not known:
            raise resting(name)
        return known

    async def _remembers(
        self, inbound: Inbound, subject: Subject, name: str, able: Sequence[str], grace: float = 0.0
    ) -> bool:
        """Whether the cache knows that it has it, or that it has not; then locations know, too."""
        if self._cached is None or inbound.bypass:
            return False
        if contents := await self._cached.contents(inbound.resource, name, grace):
            self._locations.learn(subject.study, subject.series, name, len(contents))
            return True
        if await self._cached.lacks(subject.study, able, name, grace):
            self._locations.learn_lack(subject.study, subject.series, [name])
            return True
        return False


def resting(name: str) -> Overloaded:
    return Overloaded("The archive is resting after failures.", upstream=name)
