"""Search over a folder (PS3.18 §10.6): what matches, in one fixed order, and the page that is asked for."""

from collections.abc import Iterator, Sequence

from edgerouter.dicomweb import query
from edgerouter.dicomweb.accept import wishes
from edgerouter.dicomweb.levels import has
from edgerouter.dicomweb.media import XML
from edgerouter.dicomweb.query import Match
from edgerouter.dicomweb.resource import Resource, Transaction
from edgerouter.dicomweb.result_plan import Plan, plan, shown
from edgerouter.dicomweb.row_test import RowTest, is_exact, row_test
from edgerouter.dicomweb.rows import INSTANCE, SERIES, STUDY, Tags
from edgerouter.http.fields import Fields
from edgerouter.upstream.folder.answer import FolderAnswer, empty
from edgerouter.upstream.folder.datasets import Batches, datasets
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Candidate, Index
from edgerouter.upstream.folder.rows import row
from edgerouter.upstream.seam import Outbound

MAX_RESULTS = 5000  # of one answer
_BATCH = 128  # files looked at before others get a turn at the index
_UIDS: dict[tuple[str, ...], str] = {
    (STUDY,): "study",
    (SERIES,): "series",
    (INSTANCE,): "instance",
}


async def search(holdings: Holdings, outbound: Outbound, resource: Resource) -> FolderAnswer:
    """The answer to a search. Raises RequestError for what is asked wrongly."""
    wanted = wishes(resource, Transaction.SEARCH, outbound.fields.all("accept"))[0]
    asked = query.parse(outbound.query)
    planned = plan(resource, asked)
    keys = [match for match in asked.matches if has(planned.level, match.attribute.path[0])]
    uids = {_UIDS[match.attribute.path]: match.values for match in keys if _is_uids(match)}
    test = row_test([match for match in keys if not _is_uids(match)], asked)
    candidates = await holdings.ask(Index.candidates, resource, uids)
    if test:
        candidates = await _matching(holdings, planned, candidates, test)
    first = asked.offset or 0
    limit = MAX_RESULTS if asked.limit is None else min(asked.limit, MAX_RESULTS)
    page = candidates[first : first + limit]
    fields = _warning(holdings.base, max(0, len(candidates) - first) - len(page))
    if wanted.media == XML and not page:
        return empty(204, fields)  # a multipart body without parts cannot be written
    return datasets(holdings, _results(holdings, planned, page), wanted.media, fields)


def _is_uids(match: Match) -> bool:
    """Whether a key is one of the columns that the index itself can compare."""
    return match.attribute.path in _UIDS and all(map(is_exact, match.values))


async def _matching(
    holdings: Holdings, planned: Plan, candidates: list[Candidate], test: RowTest
) -> list[Candidate]:
    found: list[Candidate] = []
    for batch in _batches(candidates):
        found += await holdings.ask(_passing, holdings.base, planned, batch, test)
    return found


def _passing(
    index: Index, base: str, planned: Plan, batch: Sequence[Candidate], test: RowTest
) -> list[Candidate]:
    found = _rows(index, base, planned, batch, test.tags)
    return [candidate for candidate, row in found if test.passes(row)]


def _shown(index: Index, base: str, planned: Plan, batch: Sequence[Candidate]) -> list[bytes]:
    return [shown(planned, row) for _, row in _rows(index, base, planned, batch)]


def _rows(
    index: Index, base: str, planned: Plan, batch: Sequence[Candidate], wanted: frozenset[str] | None = None
) -> Iterator[tuple[Candidate, Tags]]:
    """The candidates whose files are still known, with all that their rows may tell, or what is wanted."""
    studies = index.studies({one.study for one in batch}) if planned.needs_study else {}
    for candidate, texts in zip(batch, index.texts(one.id for one in batch), strict=True):
        if texts is not None:
            yield candidate, row(base, planned, texts, candidate, studies.get(candidate.study), wanted)


def _batches(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    return (candidates[at : at + _BATCH] for at in range(0, len(candidates), _BATCH))


async def _results(holdings: Holdings, planned: Plan, page: Sequence[Candidate]) -> Batches:
    for batch in _batches(page):
        yield await holdings.ask(_shown, holdings.base, planned, batch)


def _warning(base: str, remaining: int) -> Fields:
    if remaining <= 0:
        return Fields()
    text = f"299 {base}: There are {remaining} additional results that can be requested"
    return Fields([("warning", text)])
