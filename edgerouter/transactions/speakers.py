"""Metadata for series that are held without any: one instance of each is read, once."""

from collections.abc import Mapping
from dataclasses import replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.inventory import Item
from edgerouter.cache.listings import Member
from edgerouter.transactions.describing import Describing
from edgerouter.transactions.upstreams import Upstream

MOST = 200  # instances read for one search, at some milliseconds each


class Speakers:
    """Makes a row of an instance and keeps it in the catalog."""

    def __init__(self, cache: Cache, describing: Describing, archives: Mapping[str, Upstream]) -> None:
        self._cache = cache
        self._describing = describing
        self._archives = archives

    async def described(self, upstream: str, item: Item) -> Item:
        """The study with a row for each of its series, as far as one can be had."""
        told = {row.series for row in item.described}
        firsts: dict[str, Member] = {}
        for member in item.members:
            if member[0] not in told:
                firsts.setdefault(member[0], member)
        if not firsts:
            return item
        held = await self._cache.catalog.held_members([upstream], item.study)
        units = [held[member][0] for member in firsts.values() if held.get(member)][:MOST]
        if not units or not await self._describing.made(self._archives[upstream], item.study, units):
            return item
        found = await self._cache.catalog.held_whole(upstream, [item.study])
        return found[0] if found else replace(item)
