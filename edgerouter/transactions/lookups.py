"""What the archives leave out of the studies and series of a page, or cannot know: found one level down."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from edgerouter.dicomweb.domains import alike
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.rows import Key
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.snapshots import LIFETIME
from edgerouter.transactions.sources import Source

PATIENCE = 2.0  # seconds that looking may add to a page
MOST = 100  # studies or series looked into for one page
AT_ONCE = 8
CAPACITY = 10_000  # of them remembered, for as long as a snapshot may be paged through

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """A study or series (its UIDs), and the archives that have it."""

    key: Key
    sources: tuple[str, ...]


class Lookups(Generic[T]):
    """Looks into studies or series and remembers what is there; what cannot be found in time stays out.

    `within` is the collection that is searched of one, and `found` reads what all its sources answered; None
    is for what cannot be told from that."""

    def __init__(
        self,
        federation: Federation,
        within: Callable[[Key], Resource],
        found: Callable[[Sequence[Source]], T | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._federation = federation
        self._within = within
        self._found = found
        self._clock = clock
        self._known: OrderedDict[Held, tuple[float, T]] = OrderedDict()

    async def of(
        self, inbound: Inbound, wanted: Iterable[Held], seconds: float = PATIENCE
    ) -> Mapping[Held, T]:
        """What is in these, as far as all their archives say it in so many seconds."""
        asked = list(wanted)
        unknown = [each for each in asked if self._remembered(each) is None][:MOST]
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for each in unknown:
                    group.create_task(self._look(inbound, each, slots), name="look-up")
        except TimeoutError:
            pass  # the others are told when they are asked for again
        return {each: found for each in asked if (found := self._remembered(each)) is not None}

    def _remembered(self, held: Held) -> T | None:
        since, found = self._known.get(held, (float("-inf"), None))
        return found if self._clock() - since < LIFETIME else None

    async def _look(self, inbound: Inbound, held: Held, slots: asyncio.Semaphore) -> None:
        below = replace(inbound, resource=self._within(held.key), query="")
        async with slots:
            sources = await self._federation.ask(below, alike(SearchQuery(), held.sources), PATIENCE)
        if any(source.error for source in sources) or (found := self._found(sources)) is None:
            return
        self._known[held] = self._clock(), found
        while len(self._known) > CAPACITY:
            self._known.popitem(last=False)
