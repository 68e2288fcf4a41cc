"""One upstream's part of a search: taken page by page to its end, by the ways that its profile knows."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from edgerouter.dicomweb.filters import Filter
from edgerouter.dicomweb.kept_keys import KeptKeys
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.dicomweb.rows import Key, Row
from edgerouter.errors import Received, ResponseTimeout, RouterError
from edgerouter.metrics import ROWS_DROPPED
from edgerouter.transactions.pages import Page, Pages
from edgerouter.transactions.refusals import Refusals, choices, pause_of
from edgerouter.transactions.sources import Source
from edgerouter.transactions.walking import (
    AT_ONCE,
    MAX_COLLECTIONS,
    above,
    joined,
    lower,
    together,
    upper,
    within,
)
from edgerouter.upstream.profiles.wording import is_hierarchical, worded

PAGE = 5000  # rows asked of a source that sets no limit of its own
MAX_ROWS = 20_000  # rows taken from one source: beyond, order and union would be guesses, so it is said


@dataclass(slots=True)
class Habits:
    """What all searches learn of the sources: the rows each is known to give at once, by level, and the
    fields that it refuses."""

    uncapped: dict[tuple[str, Level | None], int]
    refusals: Refusals


@dataclass(slots=True)
class Share:
    """`wanted` is asked for, and rows that are not what `matching` and `demanded` want are left out; fields
    of `optional` can be done without. `held` is told of the bytes of rows as they are taken in."""

    source: Source
    pages: Pages
    wanted: SearchQuery
    matching: Filter
    demanded: KeptKeys
    optional: frozenset[tuple[str, ...]]
    deadline: float
    habits: Habits
    held: Callable[[int], None]
    _count: int = 0
    _taken: int = 0
    _collections: int = 0
    _patient: bool = True

    async def run(self) -> None:
        """Fill in the source; a failure is its outcome."""
        source = self.source
        try:
            async with asyncio.timeout(self.deadline):
                await self._run()
        except TimeoutError:
            source.error = ResponseTimeout("The archive did not answer in time.", upstream=source.name)
            if not source.pages:
                self.pages.archive.overdue(self.deadline)
        except RouterError as error:
            source.error = error
            if self.pages.inbound.resource.study and isinstance(error, Received) and error.status == 404:
                source.error, source.absent = None, not source.pages

    async def _run(self) -> None:
        seen: set[Key] = set()
        every = self.matching.idle and not self.demanded
        async with aclosing(self._found(self.pages.inbound.resource, self.wanted)) as found:
            async for page in found:
                new = _unseen(page.rows, seen)
                kept = list(new if every else filter(self._matches, new))
                if 2 * len(kept) < page.count:
                    for row in kept:
                        row.raw = bytes(row.raw)  # a slice would keep the whole answer in memory
                self.source.rows += kept
        for name in sorted(self.demanded.unseen):
            text = f"Source {self.source.name} does not say {name} of every match, as a rule demands"
            self.source.told[f"{text}; such matches are left out"] = None

    def _matches(self, row: Row) -> bool:
        if self.matching(row) and self.demanded(row):
            return True
        ROWS_DROPPED.labels(self.source.name, "unmatched").inc()
        return False

    async def _found(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[Page, None]:
        """The rows of a collection, page by page, as far as the archive can be asked for them, less those
        that do not match what was not asked."""
        ways = self.pages.archive.profile.search
        if not ways.relational and not is_hierarchical(resource):
            async with aclosing(self._walked(resource, wanted)) as walked:
                async for page in walked:
                    yield page
            return
        asked = worded(ways, wanted, resource)
        kept = KeptKeys(asked.kept, fuzzy=bool(wanted.fuzzymatching))
        self.source.told |= dict.fromkeys(asked.told)
        for part in asked.parts:
            if self._full:
                break
            async with aclosing(self._collection(resource, part)) as pages:
                async for page in pages:
                    yield replace(page, rows=[row for row in page.rows if kept(row)]) if kept else page
        self.source.unmatched |= kept.unseen | set(asked.unmatched)

    async def _walked(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[Page, None]:
        """The rows of a relational search, by way of the studies or series they are in."""
        parents, below = above(resource), lower(wanted, resource)
        async with aclosing(self._found(parents, upper(wanted, parents))) as found:
            async for page in found:
                for start in range(0, len(page.rows), AT_ONCE):
                    some = page.rows[start : start + AT_ONCE]
                    self._collections += len(some)
                    if self._collections > MAX_COLLECTIONS or self._full:
                        self.source.truncated = True
                        return
                    for children in await together(self._children(resource, below, row) for row in some):
                        yield Page(children, len(children))

    async def _children(self, resource: Resource, wanted: SearchQuery, parent: Row) -> list[Row]:
        rows: list[Row] = []
        try:
            async with aclosing(self._found(within(resource, parent), wanted)) as found:
                async for page in found:
                    rows += (joined(row, parent, resource) for row in page.rows)
        except Received as error:
            if error.status != 404:  # it is no longer there, and neither is what was in it
                raise
        return rows

    @property
    def _full(self) -> bool:
        """Whether no more is taken from this source."""
        return self._count >= MAX_ROWS or self._taken >= self.pages.max_bytes

    async def _collection(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[Page, None]:
        """The pages of one collection, each with the rows that were not on those before it."""
        ways, source = self.pages.archive.profile.search, self.source
        size = ways.page_limit(resource.level) or PAGE
        habit, uncapped = (source.name, resource.level), self.habits.uncapped
        seen: set[Key] = set()
        asked = pages = 0
        while True:
            page = await self._answered(resource, wanted.page(size, asked or None))
            new = list(_unseen(page.rows, seen))
            source.pages += 1
            pages += 1
            size_of_new = sum(len(row.raw) for row in new)
            self.held(size_of_new)
            asked, self._taken = asked + page.count, self._taken + size_of_new
            self._count += len(new)
            yield replace(page, rows=new)
            if page.ends(size, uncapped.get(habit, 0)):
                at_once = page.count or (asked if pages == 2 else 0)
                uncapped[habit] = max(at_once, uncapped.get(habit, 0))
                return
            # A source that ignores the offset repeats its rows for ever: a page without news is the end.
            if not new:
                source.truncated |= page.more or page.count >= size
                return
            beyond = ways.most_results is not None and asked >= ways.most_results
            if beyond or self._full:
                source.truncated = True
                return

    async def _answered(self, resource: Resource, wanted: SearchQuery) -> Page:
        """One page, asked for again where that may help: with fewer fields where some are refused, and, once
        in a search, after the pause that the archive asks for."""
        try:
            return await self._with_fields(resource, wanted)
        except Received as error:
            pause = pause_of(error)
            if pause is None or pause > self.deadline / 2 or not self._patient:
                raise
        self._patient = False
        await asyncio.sleep(pause)
        return await self._with_fields(resource, wanted)

    async def _with_fields(self, resource: Resource, wanted: SearchQuery) -> Page:
        name, level = self.source.name, resource.level
        *more, least = choices(wanted, self.optional)
        refused: list[SearchQuery] = []
        for choice in more:
            if self.habits.refusals.holds(name, level, choice):
                continue
            try:
                page = await self.pages.page(resource, choice)
            except Received as error:
                if error.status != 400:
                    raise
                refused.append(choice)
                continue
            self._remember(level, refused)
            return page
        page = await self.pages.page(resource, least)
        self._remember(level, refused)
        return page

    def _remember(self, level: Level | None, refused: Sequence[SearchQuery]) -> None:
        """Only what made a difference is a refusal of fields."""
        for choice in refused:
            self.habits.refusals.remember(self.source.name, level, choice)


def _unseen(rows: Sequence[Row], seen: set[Key]) -> Iterator[Row]:
    for row in rows:
        if row.key not in seen:
            seen.add(row.key)
            yield row
