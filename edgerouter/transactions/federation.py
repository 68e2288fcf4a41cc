"""One search sent to several upstreams at once, each paged to its end inside a deadline (law 5).

What a source could not say is kept beside what the others said: an outcome per source, never silence."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from edgerouter.dicomweb import query
from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.kept_keys import KeptKeys
from edgerouter.dicomweb.media import JSON, Wish, parse
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Level, Resource, Transaction
from edgerouter.dicomweb.rows import Key, Row, RowError, read, with_issuer
from edgerouter.errors import ProtocolError, Received, Refused, ResponseTimeout, RouterError
from edgerouter.metrics import ROWS_DROPPED, SEARCH_SOURCES
from edgerouter.transactions.acceptance import JSONS
from edgerouter.transactions.answered_rows import answered_rows
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields
from edgerouter.transactions.refusals import Refusals, choices, pause_of
from edgerouter.transactions.spelling import spelling
from edgerouter.transactions.upstreams import Upstream
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
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.profiles.wording import is_hierarchical, worded
from edgerouter.upstream.seam import Answer, Outbound

PAGE = 5000  # rows asked of a source that sets no limit of its own
MAX_ROWS = 20_000  # rows taken from one source: beyond, order and union would be guesses, so it is said
ANY_JSON = (Wish(JSON, None, False, 1.0),)
_MORE = re.compile(r"There are (?:[1-9][0-9]* )?additional results")
_BATCH = 256  # rows read between two looks at what else there is to do


@dataclass(slots=True)
class Source:
    """What became of one upstream's share of a search.

    `pages` counts its answers; with an `error` the rows of those before it still count. `absent` is a 404
    for the study or series searched in; `truncated` means that it has more rows than were taken,
    `unusable` counts those without a UID; `resting` sources were not asked."""

    name: str
    rows: list[Row] = field(default_factory=list)
    error: RouterError | None = None
    pages: int = 0
    absent: bool = False
    truncated: bool = False
    unusable: int = 0
    resting: bool = False
    warnings: list[str] = field(default_factory=list)
    told: dict[str, None] = field(default_factory=dict)
    """What its profile has to say of the search, word for word."""
    unmatched: set[str] = field(default_factory=set)
    """Keys, by keyword, that it neither matches nor returns."""

    @property
    def answered(self) -> bool:
        return self.error is None or self.pages > 0

    @property
    def outcome(self) -> str:
        """A word for logs, metrics and people: answered, or why not."""
        if self.error is None:
            return "answered"
        if self.resting:
            return "resting"
        if isinstance(self.error, Refused):
            return "unauthorized"
        words = {403: "unauthorized", 429: "overloaded", 503: "overloaded", 504: "timeout"}
        return words.get(self.error.status, "error")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a source: the usable ones of its `count` rows; `more` is what its Warning says."""

    rows: list[Row]
    count: int
    more: bool

    def ends(self, size: int, uncapped: int) -> bool:
        """Whether nothing can follow the page, of which `size` rows were asked.

        A source that ignores the limit gave all it has. A round number, above what it is known to give at
        once (`uncapped`), is what a source gives that caps its answers without saying so: to ask again
        costs less than to lose the rest."""
        if self.more or self.count == size:
            return False
        return self.count > size or self.count % 100 != 0 or self.count <= uncapped


class Federation:
    """Asks upstreams the same at once.

    `issuers` are the assigning authorities of their patient IDs, where configured; `max_bytes` is what one
    of them may answer to one search."""

    def __init__(self, archives: Mapping[str, Upstream], issuers: Mapping[str, str], max_bytes: int) -> None:
        self._archives = archives
        self._issuers = issuers
        self._max_bytes = max_bytes
        self._uncapped: dict[tuple[str, Level | None], int] = {}  # rows a source is known to give at once
        self._refusals = Refusals()

    def refused(self, name: str, wanted: SearchQuery, resource: Resource) -> bool:
        """Whether this upstream is known to refuse the fields that it would be asked for."""
        ways = self._archives[name].profile.search
        asked = worded(ways, answerable(wanted, resource), resource).parts[0]
        return self._refusals.holds(name, resource.level, asked)

    async def ask(
        self,
        inbound: Inbound,
        wanted: SearchQuery,
        names: Sequence[str],
        deadline: float,
        *,
        demanded: Sequence[Match] = (),
    ) -> list[Source]:
        """Every upstream's outcome, in the order given, all of them there within `deadline` seconds.

        Rows that do not have what `demanded` wants are left out, whatever else is asked."""
        matching = Filter(wanted, inbound.resource)
        optional = frozenset(field.path for field in wanted.includefield)
        wanted = answerable(wanted, inbound.resource, demanded)
        shares = [
            _Share(
                Source(name),
                self._archives[name],
                inbound,
                wanted,
                matching,
                self._issuers.get(name),
                deadline,
                self._max_bytes,
                self._uncapped,
                self._refusals,
                KeptKeys(demanded, demanded=True),
                optional,
            )
            for name in names
        ]
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(share.run(), name=f"search {share.source.name}")
        for share in shares:
            SEARCH_SOURCES.labels(share.source.name, share.source.outcome).inc()
        return [share.source for share in shares]


@dataclass(slots=True)
class _Share:
    """One upstream's part of the work."""

    source: Source
    archive: Upstream
    inbound: Inbound
    wanted: SearchQuery
    matching: Filter
    issuer: str | None
    deadline: float
    max_bytes: int
    uncapped: dict[tuple[str, Level | None], int]
    refusals: Refusals
    demanded: KeptKeys
    optional: frozenset[tuple[str, ...]]
    _count: int = 0
    _taken: int = 0
    _collections: int = 0
    _patient: bool = True

    async def run(self) -> None:
        """Fill in the source; a failure is its outcome."""
        source = self.source
        try:
            async with asyncio.timeout(self.deadline):
                await self._pages()
        except TimeoutError:
            source.error = ResponseTimeout("The archive did not answer in time.", upstream=source.name)
            if not source.pages:
                self.archive.overdue(self.deadline)
        except RouterError as error:
            source.error = error
            if self.inbound.resource.study and isinstance(error, Received) and error.status == 404:
                source.error, source.absent = None, not source.pages

    async def _pages(self) -> None:
        seen: set[Key] = set()
        async with aclosing(self._found(self.inbound.resource, self.wanted)) as found:
            async for rows in found:
                self.source.rows += filter(self._matches, _unseen(rows, seen))
        for name in sorted(self.demanded.unseen):
            text = f"Source {self.source.name} does not say {name} of every match, as a rule demands"
            self.source.told[f"{text}; such matches are left out"] = None

    async def _found(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[list[Row], None]:
        """The rows of a collection, page by page, as far as the archive can be asked for them, less those
        that do not match what was not asked."""
        ways = self.archive.profile.search
        if not ways.relational and not is_hierarchical(resource):
            async with aclosing(self._walked(resource, wanted)) as walked:
                async for rows in walked:
                    yield rows
            return
        asked = worded(ways, wanted, resource)
        kept = KeptKeys(asked.kept, fuzzy=bool(wanted.fuzzymatching))
        self.source.told |= dict.fromkeys(asked.told)
        for part in asked.parts:
            if self._full:
                break
            async with aclosing(self._collection(resource, part)) as pages:
                async for page in pages:
                    yield [row for row in page if kept(row)]
        self.source.unmatched |= kept.unseen | set(asked.unmatched)

    async def _walked(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[list[Row], None]:
        """The rows of a relational search, by way of the studies or series they are in."""
        parents, below = above(resource), lower(wanted, resource)
        async with aclosing(self._found(parents, upper(wanted, parents))) as found:
            async for rows in found:
                for start in range(0, len(rows), AT_ONCE):
                    some = rows[start : start + AT_ONCE]
                    self._collections += len(some)
                    if self._collections > MAX_COLLECTIONS or self._full:
                        self.source.truncated = True
                        return
                    for children in await together(self._children(resource, below, row) for row in some):
                        yield children

    async def _children(self, resource: Resource, wanted: SearchQuery, parent: Row) -> list[Row]:
        rows: list[Row] = []
        try:
            async with aclosing(self._found(within(resource, parent), wanted)) as found:
                async for page in found:
                    rows += (joined(row, parent, resource) for row in page)
        except Received as error:
            if error.status != 404:  # it is no longer there, and neither is what was in it
                raise
        return rows

    @property
    def _full(self) -> bool:
        """Whether no more is taken from this source."""
        return self._count >= MAX_ROWS or self._taken >= self.max_bytes

    async def _collection(self, resource: Resource, wanted: SearchQuery) -> AsyncGenerator[list[Row], None]:
        ways = self.archive.profile.search
        source, size = self.source, ways.page_limit(resource.level) or PAGE
        habit = source.name, resource.level
        seen: set[Key] = set()
        asked = pages = 0
        while True:
            page = await self._answered(resource, wanted.page(size, asked or None))
            new = list(_unseen(page.rows, seen))
            source.pages += 1
            pages += 1
            asked, self._taken = asked + page.count, self._taken + sum(len(row.raw) for row in new)
            self._count += len(new)
            yield new
            if page.ends(size, self.uncapped.get(habit, 0)):
                at_once = page.count or (asked if pages == 2 else 0)
                self.uncapped[habit] = max(at_once, self.uncapped.get(habit, 0))
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
            if self.refusals.holds(name, level, choice):
                continue
            try:
                page = await self._page(resource, choice)
            except Received as error:
                if error.status != 400:
                    raise
                refused.append(choice)
                continue
            self._remember(level, refused)
            return page
        page = await self._page(resource, least)
        self._remember(level, refused)
        return page

    def _remember(self, level: Level | None, refused: Sequence[SearchQuery]) -> None:
        """Only what made a difference is a refusal of fields."""
        for choice in refused:
            self.refusals.remember(self.source.name, level, choice)

    def _matches(self, row: Row) -> bool:
        if self.matching(row) and self.demanded(row):
            return True
        ROWS_DROPPED.labels(self.source.name, "unmatched").inc()
        return False

    async def _page(self, resource: Resource, wanted: SearchQuery) -> Page:
        async with self.archive.open(self._outbound(resource, wanted)) as answer:
            check_search(answer, self.source.name)
            lines = answer.fields.all("warning")
            self.source.warnings += [line for line in lines if line not in self.source.warnings]
            if answer.status == 204 or answer.length == 0:
                return Page([], 0, False)
            media = parse(answer.fields.get("content-type") or "")
            if media is None or media.essence not in JSONS:
                raise ProtocolError("The archive did not answer with JSON.", upstream=self.source.name)
            raws = await answered_rows(answer, self.source.name, self.max_bytes)
        rows: list[Row] = []
        for start in range(0, len(raws), _BATCH):
            rows += self._read(raws[start : start + _BATCH], resource)
            await asyncio.sleep(0)
        return Page(rows, len(raws), any(map(_MORE.search, lines)))

    def _outbound(self, resource: Resource, wanted: SearchQuery) -> Outbound:
        profile = self.archive.profile
        accept = spell_accept(profile, resource.kind, resource.level, ANY_JSON)
        return Outbound(
            "GET",
            Transaction.SEARCH,
            resource.path,
            query.emit(wanted, spelling(profile.search, resource.level)),
            request_fields(self.inbound, accept, coded=True).without("range", "if-range"),
        )

    def _read(self, raws: Sequence[bytes], resource: Resource) -> list[Row]:
        rows = []
        for raw in raws:
            try:
                named = with_issuer(raw, self.issuer) if self.issuer else raw
                rows.append(read(named, resource, self.source.name))
            except RowError:
                self.source.unusable += 1
                ROWS_DROPPED.labels(self.source.name, "unusable").inc()
        return rows


def _unseen(rows: Sequence[Row], seen: set[Key]) -> Iterator[Row]:
    for row in rows:
        if row.key not in seen:
            seen.add(row.key)
            yield row


def check_search(answer: Answer, upstream: str) -> None:
    """Let only 200 and 204 pass; raises Refused, Received or ProtocolError."""
    if answer.status in (401, 407):
        # Credentials of clients are never passed on, so none of theirs can help.
        raise Refused("The upstream refuses the router without credentials.", upstream=upstream)
    if answer.status >= 400:
        raise Received(answer.status, upstream=upstream, fields=answer.fields.only(("retry-after",)))
    if answer.status not in (200, 204):
        raise ProtocolError("The archive answered a search with an odd status.", upstream=upstream)
