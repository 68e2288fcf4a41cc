"""The matches of one page as they leave: merged, with modalities found and counts made exact where asked."""

import asyncio
from collections.abc import Mapping, Sequence

from edgerouter.dicomweb.merge import Match, Merged, Merger
from edgerouter.dicomweb.resource import Level
from edgerouter.transactions.counting import counting, recounted
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.lookups import Held
from edgerouter.transactions.modalities import Modalities, filled

_BATCH = 64  # rows merged between two looks at what else there is to do


class Finishing:
    """Makes rows of matches."""

    def __init__(self, federation: Federation, modalities: Modalities) -> None:
        self._modalities = modalities
        self._counting = counting(federation)

    async def rows(
        self, inbound: Inbound, matches: Sequence[Match], merger: Merger, deadline: float
    ) -> tuple[list[bytes], int]:
        """The rows, and in how many of them counts that should be exact are not."""
        merged: list[Merged] = []
        for start in range(0, len(matches), _BATCH):
            merged += map(merger.merged, matches[start : start + _BATCH])
            await asyncio.sleep(0)
        rows = [match.body for match in merged]
        await self._fill(inbound, merged, rows)
        return rows, await self._count(inbound, merged, rows, merger, deadline)

    async def _fill(self, inbound: Inbound, merged: Sequence[Merged], rows: list[bytes]) -> None:
        """Modalities of the studies whose archives leave them out."""
        bare = {place: _held(match) for place, match in enumerate(merged) if match.bare}
        found: Mapping[Held, Sequence[str]] = (
            await self._modalities.of(inbound, bare.values()) if bare else {}
        )
        for place, held in bare.items():
            rows[place] = filled(rows[place], found.get(held, ()))

    async def _count(
        self, inbound: Inbound, merged: Sequence[Merged], rows: list[bytes], merger: Merger, deadline: float
    ) -> int:
        """Counts of what several archives have; those that cannot be made in time stay the largest known."""
        if merger.counts != "exact" or merger.level is Level.INSTANCE:
            return 0
        several = {place: _held(match) for place, match in enumerate(merged) if len(match.sources) > 1}
        found = await self._counting.of(inbound, several.values(), deadline) if several else {}
        for place, held in several.items():
            if held in found:
                rows[place] = recounted(rows[place], found[held], merger.level)
        return sum(held not in found for held in several.values())


def _held(match: Merged) -> Held:
    return Held(match.key, tuple(match.sources))
