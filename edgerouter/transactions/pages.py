"""One page of a collection, as one source answers it: its rows, and whether more can follow."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgerouter.dicomweb import query
from edgerouter.dicomweb.media import JSON, Wish, parse
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Resource, Transaction
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row, RowError
from edgerouter.errors import ProtocolError, Received, Refused
from edgerouter.metrics import ROWS_DROPPED
from edgerouter.transactions.acceptance import JSONS
from edgerouter.transactions.answered_rows import answered_rows
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields
from edgerouter.transactions.sources import Source
from edgerouter.transactions.spelling import spelling
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.seam import Answer, Outbound

ANY_JSON = (Wish(JSON, None, False, 1.0),)
_MORE = re.compile(r"There are (?:[1-9][0-9]* )?additional results")
_BATCH = 256  # rows read between two looks at what else there is to do


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a source: the usable ones of its `count` rows; `more` is what its Warning says."""

    rows: list[Row]
    count: int
    more: bool = False

    def ends(self, size: int, uncapped: int) -> bool:
        """Whether nothing can follow the page, of which `size` rows were asked.

        A source that ignores the limit gave all it has. A round number, above what it is known to give at
        once (`uncapped`), is what a source gives that caps its answers without saying so: to ask again
        costs less than to lose the rest."""
        if self.more or self.count == size:
            return False
        return self.count > size or self.count % 100 != 0 or self.count <= uncapped


@dataclass(frozen=True, slots=True)
class Pages:
    """Asks one source, on whose `source` it keeps what was said beside the rows.

    `issuer` is the assigning authority of its patient IDs, "" where nobody says; `max_bytes` is what it may
    answer at once."""

    source: Source
    archive: Upstream
    inbound: Inbound
    issuer: str
    max_bytes: int

    async def page(self, resource: Resource, wanted: SearchQuery) -> Page:
        """What it answers to the search, asked as it is. Raises errors.RouterError."""
        async with self.archive.open(self._outbound(resource, wanted)) as answer:
            check_search(answer, self.source.name)
            lines = answer.fields.all("warning")
            self.source.warnings += [line for line in lines if line not in self.source.warnings]
            if answer.status == 204 or answer.length == 0:
                return Page([], 0)
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
                rows.append(read(raw, resource, self.source.name, self.issuer))
            except RowError:
                self.source.unusable += 1
                ROWS_DROPPED.labels(self.source.name, "unusable").inc()
        return rows


def check_search(answer: Answer, upstream: str) -> None:
    """Let only 200 and 204 pass; raises Refused, Received or ProtocolError."""
    if answer.status in (401, 407):
        # Credentials of clients are never passed on, so none of theirs can help.
        raise Refused("The upstream refuses the router without credentials.", upstream=upstream)
    if answer.status >= 400:
        raise Received(answer.status, upstream=upstream, fields=answer.fields.only(("retry-after",)))
    if answer.status not in (200, 204):
        raise ProtocolError("The archive answered a search with an odd status.", upstream=upstream)
