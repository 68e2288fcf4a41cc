"""A search that one upstream answers alone: its rows pass as they come, and are looked at on the way."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.merge import MODALITIES, drop_empty_modalities
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.rows import Row, RowError, read, with_issuer, written
from edgerouter.metrics import ROWS_DROPPED
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Passing:
    """What becomes of each row: other patients' rows are dropped (law 6), the issuer is added where it is
    missing, and where a study is found is learned.

    `correct` is called when a row had to be dropped or lacks its modalities: then paging by the
    upstream's own offsets is not right any more, and its answers are not passed through again."""

    source: str
    inbound: Inbound
    matching: Filter
    locations: Locations
    issuer: str | None
    correct: Callable[[], object]
    _corrected: bool = field(default=False, init=False)

    def __call__(self, raw: bytes) -> bytes:
        """The row to pass on; nothing of one that is not. What is no row of ours is left as it is."""
        try:
            row = read(
                with_issuer(raw, self.issuer) if self.issuer else raw, self.inbound.resource, self.source
            )
        except RowError:
            return raw
        if not self.matching(row):
            ROWS_DROPPED.labels(self.source, "unmatched").inc()
            self._distrust("ignores a match key")
            return b""
        self.locations.learn_row(row.key, self.source, row.instances)
        return self._with_modalities(row) if self.inbound.resource.level is Level.STUDY else row.raw

    def _with_modalities(self, row: Row) -> bytes:
        tags = row.tags
        drop_empty_modalities(there := dict(tags))
        if MODALITIES in there:
            return row.raw
        self._distrust("leaves out the modalities of studies")
        return written(there) if MODALITIES in tags else row.raw

    def _distrust(self, why: str) -> None:
        if not self._corrected:
            self._corrected = True
            logger.warning("upstream %s %s: its answers are read whole from now on", self.source, why)
            self.correct()


def checkable(inbound: Inbound, asked: SearchQuery) -> Inbound:
    """The same request, asking for the identity keys it matches, so that they can be checked."""
    more = answerable(asked, inbound.resource).includefield[len(asked.includefield) :]
    fields = "".join(f"&includefield={quote(field.spelling)}" for field in more)
    return replace(inbound, query=inbound.query + fields) if fields else inbound
