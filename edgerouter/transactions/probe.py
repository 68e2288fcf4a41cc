"""Asking one upstream whether it has a study or a series: a search for its UID, of one row."""

import asyncio
from dataclasses import dataclass, field

from edgerouter.dicomweb.media import parse
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row, RowError
from edgerouter.errors import NotFound, ProtocolError, ResponseTimeout
from edgerouter.http.fields import Fields
from edgerouter.transactions.acceptance import JSONS
from edgerouter.transactions.answered_rows import answered_rows
from edgerouter.transactions.pages import ANY_JSON, check_search
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.seam import Answer, Outbound

DEADLINE = 10.0  # seconds for an upstream to say whether it has a study
_MAX_BYTES = 4 << 20  # of an answer; sources that ignore the key answer with all they have


@dataclass(frozen=True, slots=True)
class Subject:
    """The study (series ""), or the series, that is looked for; `via` is the way of the request so far."""

    study: str
    series: str = ""
    via: str = field(default="", compare=False)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.study, self.series) if self.series else (self.study,)

    @property
    def collection(self) -> Resource:
        if self.series:
            return Resource(Kind.COLLECTION, Level.SERIES, self.study)
        return Resource(Kind.COLLECTION, Level.STUDY)

    @property
    def query(self) -> str:
        tag, uid = ("SeriesInstanceUID", self.series) if self.series else ("StudyInstanceUID", self.study)
        return f"{tag}={uid}"


async def probe(archive: Upstream, subject: Subject) -> int:
    """How many instances of it the upstream has, -1 when it has some and does not say how many.

    Raises NotFound when it says that it has none, UpstreamError or Overloaded when it could not say."""
    try:
        async with asyncio.timeout(DEADLINE):
            rows = await _rows(archive, subject)
    except TimeoutError:
        archive.overdue(DEADLINE)
        raise ResponseTimeout("The archive did not answer in time.", upstream=archive.name) from None
    if not rows:
        raise NotFound("The archive does not have it.")
    counts = [row.instances for row in rows if row.key == subject.key]
    if not counts:
        raise ProtocolError("The archive cannot be searched by UID.", upstream=archive.name)
    return max(counts)


async def _rows(archive: Upstream, subject: Subject) -> list[Row]:
    collection = subject.collection
    accept = spell_accept(archive.profile, collection.kind, collection.level, ANY_JSON)
    way = [("via", subject.via)] if subject.via else []
    fields = Fields([("accept", accept), ("accept-encoding", "gzip"), *way])
    outbound = Outbound("GET", Transaction.SEARCH, collection.path, subject.query, fields)
    async with archive.open(outbound) as answer:
        if not _has_rows(answer, archive.name):
            return []
        raws = await answered_rows(answer, archive.name, _MAX_BYTES)
    try:
        return [read(raw, collection, archive.name) for raw in raws]
    except RowError as error:
        raise ProtocolError("The archive's answer is no list of matches.", upstream=archive.name) from error


def _has_rows(answer: Answer, upstream: str) -> bool:
    if answer.status == 404:
        return False
    check_search(answer, upstream)
    if answer.status == 204 or answer.length == 0:
        return False
    media = parse(answer.fields.get("content-type") or "")
    if media is None or media.essence not in JSONS:
        raise ProtocolError("The archive did not answer with JSON.", upstream=upstream)
    return True
