"""Metadata for what is held without any: instances are read, once, and their rows kept."""

from collections.abc import Mapping, Sequence

from edgerouter.cache.cache import Cache
from edgerouter.cache.inventory import Item
from edgerouter.cache.listings import Member
from edgerouter.transactions.describing import Describing
from edgerouter.transactions.upstreams import Upstream

MOST = 200  # instances of one study read for one search, at some milliseconds each


class Speakers:
    """Has series, or instances, speak for themselves."""

    def __init__(self, cache: Cache, describing: Describing, archives: Mapping[str, Upstream]) -> None:
        self._cache = cache
        self._describing = describing
        self._archives = archives

    async def described(self, upstream: str, item: Item, *, every: bool) -> Item:
        """The study with metadata of each of its series, or of `every` instance, as far as it can be had."""
        catalog = self._cache.catalog
        told = await catalog.described(upstream, item.study)
        lacking = [member for member in item.members if member not in told]
        if not every:
            lacking = _one_of_each(lacking, {series for series, _ in told})
        if not lacking:
            return item
        held = await catalog.held_members([upstream], item.study)
        units = [held[member][0] for member in lacking if held.get(member)][:MOST]
        if not units or not await self._describing.made(self._archives[upstream], item.study, units):
            return item
        found = await catalog.held_whole(upstream, [item.study])
        return found[0] if found else item


def _one_of_each(members: Sequence[Member], told: set[str]) -> list[Member]:
    """The first of each series of which nothing is told."""
    firsts: dict[str, Member] = {}
    for member in members:
        if member[0] not in told:
            firsts.setdefault(member[0], member)
    return [*firsts.values()]
