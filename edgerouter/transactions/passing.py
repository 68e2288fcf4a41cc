"""A search that one upstream answers alone: its rows pass as they come, and are looked at on the way."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row, RowError, with_issuer, written
from edgerouter.dicomweb.united import MODALITIES, drop_empty_modalities
from edgerouter.metrics import ROWS_DROPPED
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.lookups import MOST, PATIENCE, Held
from edgerouter.transactions.modalities import Modalities, filled

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Passing:
    """See row.RowsChange. Other patients' rows are dropped (law 6), the issuer is added where it is missing,
    modalities are found where they are left out, and where a study is found is learned.

    `ignores` is called when the upstream turns out to ignore a match key: its offsets count other rows
    than the client's, so such searches cannot be passed through again."""

    source: str
    inbound: Inbound
    matching: Filter
    locations: Locations
    modalities: Modalities
    issuer: str | None
    ignores: Callable[[], object]
    _bare: dict[int, Held] = field(default_factory=dict, init=False)
    _leaving: int = field(default=0, init=False)
    _filled: int = field(default=0, init=False)
    _until: float | None = field(default=None, init=False)

    def pass_on(self, row: bytes) -> bytes:
        """The row that leaves; what is no row of ours leaves as it is."""
        try:
            named = with_issuer(row, self.issuer) if self.issuer else row
            read_row = read(named, self.inbound.resource, self.source)
        except RowError:
            self._leaving += 1
            return row
        if not self.matching(read_row):
            self._drop()
            return b""
        self.locations.learn_row(read_row.key, self.source, read_row.instances)
        named = self._looked_at(read_row)
        self._leaving += 1
        return named

    async def settle(self, rows: list[bytes]) -> list[bytes]:
        """The next few rows that leave, with the modalities of studies that came without."""
        bare, self._bare, self._leaving = self._bare, {}, 0
        if not bare or self._filled >= MOST:
            return rows
        clock = asyncio.get_running_loop().time
        self._until = clock() + PATIENCE if self._until is None else self._until
        self._filled += len(bare)
        found = await self.modalities.of(self.inbound, bare.values(), self._until - clock())
        for place, study in bare.items():
            if study in found:
                rows[place] = filled(rows[place], found[study])
        return rows

    def _looked_at(self, row: Row) -> bytes:
        if self.inbound.resource.level is not Level.STUDY:
            return row.raw
        tags = row.tags
        empty = MODALITIES in tags
        drop_empty_modalities(tags)
        if MODALITIES in tags:
            return row.raw
        self._bare[self._leaving] = Held(row.key, (self.source,))
        return written(tags) if empty else row.raw

    def _drop(self) -> None:
        ROWS_DROPPED.labels(self.source, "unmatched").inc()
        self.ignores()


def checkable(inbound: Inbound, asked: SearchQuery) -> Inbound:
    """The same request, asking for the identity keys it matches, so that they can be checked."""
    more = answerable(asked, inbound.resource).includefield[len(asked.includefield) :]
    fields = "".join(f"&includefield={quote(one.spelling)}" for one in more)
    return replace(inbound, query=inbound.query + fields) if fields else inbound
