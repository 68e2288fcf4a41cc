"""One search sent to several upstreams at once, each paged to its end inside a deadline (law 5).

What a source could not say is kept beside what the others said: an outcome per source, never silence."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

from edgerouter.dicomweb import query
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.merge import Row, RowError, read
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import ProtocolError, Received, ResponseTimeout, RouterError
from edgerouter.metrics import ROWS_DROPPED, SEARCH_SOURCES
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import check_type, request_fields
from edgerouter.transactions.rewrite import faults_of, inflated
from edgerouter.transactions.spelling import spelling
from edgerouter.upstream.profile import spell_accept
from edgerouter.upstream.seam import Answer, Archive, Outbound

logger = logging.getLogger(__name__)

PAGE = 5000  # rows asked of a source that sets no limit of its own
MAX_ROWS = 20_000  # rows taken from one source: beyond, order and union would be guesses, so it is said
MAX_PAGE_BYTES = 64 << 20
ANY_JSON = (Wish("application/dicom+json", None, False, 1.0),)


@dataclass(slots=True)
class Source:
    """What became of one upstream's share of a search."""

    name: str
    rows: list[Row] = field(default_factory=list)
    error: RouterError | None = None
    truncated: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """A word for logs, metrics and people: answered, or why not."""
        if self.error is None:
            return "answered"
        if isinstance(self.error, Received):
            return {401: "unauthorized", 403: "unauthorized", 429: "overloaded", 503: "overloaded"}.get(
                self.error.status, "error"
            )
        return {504: "timeout", 503: "overloaded"}.get(self.error.status, "error")


async def ask_all(
    inbound: Inbound, archives: Sequence[Archive], wanted: SearchQuery, deadline: float
) -> list[Source]:
    """Every upstream's outcome, in the order given, all of them there within `deadline` seconds."""
    sources = [Source(archive.name) for archive in archives]
    async with asyncio.TaskGroup() as group:
        for source, archive in zip(sources, archives, strict=True):
            group.create_task(_ask(source, archive, inbound, wanted, deadline), name=f"search {archive.name}")
    for source in sources:
        SEARCH_SOURCES.labels(source.name, source.outcome).inc()
    return sources


async def _ask(
    source: Source, archive: Archive, inbound: Inbound, wanted: SearchQuery, deadline: float
) -> None:
    """Fill in one source; a failure is its outcome, and what it said before does not count."""
    try:
        async with asyncio.timeout(deadline):
            await _read_pages(source, archive, inbound, wanted)
    except TimeoutError:
        source.error = ResponseTimeout("The archive did not answer in time.", upstream=archive.name)
    except RouterError as error:
        source.error = error
    if source.error is not None:
        source.rows.clear()
        if isinstance(source.error, Received) and source.error.status == 404 and inbound.resource.study:
            source.error = None  # "not here" is an answer: this source contributes nothing


async def _read_pages(source: Source, archive: Archive, inbound: Inbound, wanted: SearchQuery) -> None:
    size = archive.profile.limit_max or PAGE
    seen: set[tuple[str, ...]] = set()
    asked = 0
    while True:
        page = await _page(source, archive, inbound, wanted.page(size, asked or None))
        new = [row for row in page if row.key not in seen]
        source.rows += new
        seen.update(row.key for row in new)
        asked += len(page)
        # A source that ignores offset repeats its rows for ever: a page without news is the end.
        if len(page) < size or not new:
            return
        if len(seen) >= MAX_ROWS:
            source.truncated = True
            return


async def _page(source: Source, archive: Archive, inbound: Inbound, wanted: SearchQuery) -> list[Row]:
    profile, resource = archive.profile, inbound.resource
    outbound = Outbound(
        "GET",
        Transaction.SEARCH,
        resource.path,
        query.emit(wanted, spelling(profile, resource.level)),
        request_fields(inbound, spell_accept(profile, resource.kind, resource.level, ANY_JSON), coded=True),
    )
    async with archive.open(outbound) as answer:
        _check_status(answer, archive.name)
        source.warnings += [line for line in answer.fields.all("warning") if line not in source.warnings]
        if answer.status == 204:
            return []
        media = check_type(resource, answer, archive.name)
        if media is None or not media.essence.endswith("json"):
            raise ProtocolError("The archive did not answer with JSON.", upstream=archive.name)
        return [row async for row in _rows(answer, archive.name, inbound)]


def _check_status(answer: Answer, upstream: str) -> None:
    if answer.status >= 400:
        raise Received(answer.status, upstream=upstream)
    if answer.status not in (200, 204):
        raise ProtocolError("The archive answered a search with an odd status.", upstream=upstream)


async def _rows(answer: Answer, upstream: str, inbound: Inbound) -> AsyncGenerator[Row, None]:
    splitter = ArraySplitter(total_limit=MAX_PAGE_BYTES)
    coded = answer.fields.get("content-encoding") == "gzip"
    empty = True
    async for chunk in inflated(answer.chunks(), upstream) if coded else answer.chunks():
        empty = False
        with faults_of(upstream):
            found = splitter.feed(chunk)
        for raw in found:
            try:
                yield read(raw, inbound.resource, upstream)
            except RowError as error:
                ROWS_DROPPED.labels(upstream, "unusable").inc()
                logger.warning("upstream %s: %s", upstream, error)
    if not empty:
        with faults_of(upstream):
            splitter.finish()


def all_failed(sources: Iterable[Source]) -> RouterError:
    """The one error that says that no source answered (dicomweb 3.7): like causes keep their status."""
    errors = [source.error for source in sources if source.error is not None]
    statuses = {error.status for error in errors}
    status = statuses.pop() if len(statuses) == 1 else 502
    detail = "No archive answered: " + ", ".join(f"{s.name} ({s.outcome})" for s in sources) + "."
    failure = RouterError(detail)
    failure.status, failure.token = status, errors[0].token if len(errors) == 1 else "destination_unavailable"
    return failure
