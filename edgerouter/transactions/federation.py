"""One search sent to several upstreams at once, each paged to its end inside a deadline (law 5).

What a source could not say is kept beside what the others said: an outcome per source, never silence."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgerouter.dicomweb import query
from edgerouter.dicomweb.domains import Questions
from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.media import JSON, Wish, parse
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level, Transaction
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Key, Row, RowError
from edgerouter.errors import ProtocolError, Received, Refused, ResponseTimeout, RouterError
from edgerouter.metrics import ROWS_DROPPED, SEARCH_SOURCES
from edgerouter.transactions.acceptance import JSONS
from edgerouter.transactions.answered_rows import answered_rows
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields
from edgerouter.transactions.spelling import spelling
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profile import spell_accept
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
        self._uncapped: dict[tuple[str, Level | None], int] = {}  # rows a source is known to give at once

    async def ask(
        self, inbound: Inbound, questions: Questions, deadline: float, held: Callable[[int], None] = _free
    ) -> list[Source]:
        """Every upstream's outcome, in the order given, all of them there within `deadline` seconds.

        `held` is told of the bytes of rows as they are taken in."""
        shares = [
            _Share(
                Source(name),
                self._archives[name],
                inbound,
                answerable(question.sent, inbound.resource),
                Filter(question.meant, inbound.resource),
                self._issuers.get(name, ""),
                min(deadline, self._patience.get(name, deadline)),
                self._max_bytes,
                self._uncapped,
                held,
            )
            for name, question in questions.items()
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
    issuer: str
    deadline: float
    max_bytes: int
    uncapped: dict[tuple[str, Level | None], int]
    held: Callable[[int], None]

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
        source, size = self.source, self.archive.profile.limit_max or PAGE
        habit = source.name, self.inbound.resource.level
        seen: set[Key] = set()
        asked = taken = 0
        while True:
            page = await self._page(self.wanted.page(size, asked or None))
            new = list(_unseen(page.rows, seen))
            kept = new if self.matching.idle else list(filter(self._matches, new))
            if 2 * len(kept) < page.count:
                for row in kept:
                    row.raw = bytes(row.raw)  # a slice would keep the whole answer in memory
            source.rows += kept
            source.pages += 1
            size_of_new = sum(len(row.raw) for row in new)
            self.held(size_of_new)
            asked, taken = asked + page.count, taken + size_of_new
            if page.ends(size, self.uncapped.get(habit, 0)):
                at_once = page.count or (asked if source.pages == 2 else 0)
                self.uncapped[habit] = max(at_once, self.uncapped.get(habit, 0))
                return
            # A source that ignores the offset repeats its rows for ever: a page without news is the end.
            if not new:
                source.truncated = page.more or page.count >= size
                return
            if len(seen) >= MAX_ROWS or taken >= self.max_bytes:
                source.truncated = True
                return

    def _matches(self, row: Row) -> bool:
        if self.matching(row):
            return True
        ROWS_DROPPED.labels(self.source.name, "unmatched").inc()
        return False

    async def _page(self, wanted: SearchQuery) -> Page:
        async with self.archive.open(self._outbound(wanted)) as answer:
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
            rows += self._read(raws[start : start + _BATCH])
            await asyncio.sleep(0)
        return Page(rows, len(raws), any(map(_MORE.search, lines)))

    def _outbound(self, wanted: SearchQuery) -> Outbound:
        profile, resource = self.archive.profile, self.inbound.resource
        accept = spell_accept(profile, resource.kind, resource.level, ANY_JSON)
        return Outbound(
            "GET",
            Transaction.SEARCH,
            resource.path,
            query.emit(wanted, spelling(profile, resource.level)),
            request_fields(self.inbound, accept, coded=True).without("range", "if-range"),
        )

    def _read(self, raws: Sequence[bytes]) -> list[Row]:
        rows = []
        for raw in raws:
            try:
                rows.append(read(raw, self.inbound.resource, self.source.name, self.issuer))
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
