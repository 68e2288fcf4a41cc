"""One search sent to several upstreams at once, each paged to its end inside a deadline (law 5).

What a source could not say is kept beside what the others said: an outcome per source, never silence."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from edgerouter.dicomweb.domains import Questions
from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.kept_keys import KeptKeys
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Resource
from edgerouter.metrics import SEARCH_SOURCES
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.pages import Pages
from edgerouter.transactions.refusals import Refusals
from edgerouter.transactions.share import Habits, Share
from edgerouter.transactions.sources import Source
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profiles.wording import worded


def _free(size: int) -> None:
    """What nobody counts."""


class Federation:
    """Asks upstreams the same at once.

    `issuers` are the assigning authorities of their patient IDs and `patience` the seconds that one of them
    has at most, where configured; `max_bytes` is what one of them may answer to one search."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        issuers: Mapping[str, str],
        max_bytes: int,
        patience: Mapping[str, float] | None = None,
    ) -> None:
        self._archives = archives
        self._issuers = issuers
        self._max_bytes = max_bytes
        self._patience = patience or {}
        self._habits = Habits({}, Refusals())

    def refuses(self, name: str, wanted: SearchQuery, resource: Resource) -> bool:
        """Whether this upstream is known to refuse the fields that it would be asked for."""
        ways = self._archives[name].profile.search
        asked = worded(ways, answerable(wanted, resource), resource).parts[0]
        return self._habits.refusals.holds(name, resource.level, asked)

    async def ask(
        self,
        inbound: Inbound,
        questions: Questions,
        deadline: float,
        held: Callable[[int], None] = _free,
        *,
        demanded: Sequence[Match] = (),
    ) -> list[Source]:
        """Every upstream's outcome, in the order given, all of them there within `deadline` seconds.

        `held` is told of the bytes of rows as they are taken in. Rows that do not have what `demanded` wants
        are left out, whatever else is asked."""
        resource = inbound.resource
        shares: list[Share] = []
        for name, question in questions.items():
            source, archive = Source(name), self._archives[name]
            share = Share(
                source,
                Pages(source, archive, inbound, self._issuers.get(name, ""), self._max_bytes),
                answerable(question.sent, resource, demanded),
                Filter(question.meant, resource),
                KeptKeys(demanded, demanded=True),
                # What we added to the client's fields is what rows are checked by.
                frozenset(field.path for field in question.meant.includefield),
                min(deadline, self._patience.get(name, deadline)),
                self._habits,
                held,
            )
            shares.append(share)
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(share.run(), name=f"search {share.source.name}")
        for share in shares:
            SEARCH_SOURCES.labels(share.source.name, share.source.outcome).inc()
        return [share.source for share in shares]
