"""Who holds a study: known from before, else asked of the upstreams at once (law 5).

A retrieve does not wait for a sick upstream when a healthy one says that it has the study; a 404 is said
only when every upstream that may hold it has said so."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from edgerouter.dicomweb.merge import Row, RowError, read
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.errors import (
    NotFound,
    Overloaded,
    ProtocolError,
    Received,
    ResponseTimeout,
    RouterError,
    UpstreamError,
)
from edgerouter.http.fields import Fields
from edgerouter.transactions.federation import ANY_JSON
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profile import spell_accept
from edgerouter.upstream.seam import Outbound

DEADLINE = 10.0  # seconds for the upstreams to say whether they have a study
GRACE = 0.25  # seconds a first holder waits for a better one
MAX_PROBE = 1 << 20  # bytes of a probe's answer


@dataclass(slots=True)
class Survey:
    """What the upstreams said of one study or series; `instances` is -1 where the number is unsaid."""

    holds: dict[str, int] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    failed: dict[str, RouterError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """The study (series ""), or the series, that is looked for."""

    study: str
    series: str

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
        return f"{tag}={uid}&limit=1"


class Holders:
    """Answers "which of these upstreams has it", asking only when nobody told before."""

    def __init__(self, archives: Mapping[str, Upstream], locations: Locations) -> None:
        self._archives = archives
        self._locations = locations

    async def of(self, study: str, series: str, able: Sequence[str]) -> list[Upstream]:
        """Those of the able upstreams that hold the study (series ""), or the series; the best first.

        Raises NotFound when all of them said that they have nothing of it, else the failure of one
        that could not say. A lone upstream is not asked: its answer to the request itself tells."""
        known = self._locations.holders(study, series, able)
        if not known and len(able) > 1:
            known = await self._survey(study, series, able)
        names = known or list(able)
        healthy = [name for name in names if self._archives[name].healthy]
        return [self._archives[name] for name in healthy + [name for name in names if name not in healthy]]

    async def _survey(self, study: str, series: str, able: Sequence[str]) -> list[str]:
        survey = Survey()
        asking = [name for name in able if self._archives[name].takes(Transaction.SEARCH)]
        blind = [name for name in able if name not in asking]
        await self._ask(Subject(study, series), asking, survey)
        ranked = sorted(survey.holds, key=lambda name: (-survey.holds[name], able.index(name)))
        if ranked or blind:
            return [*ranked, *blind]
        if survey.failed:
            raise next(iter(survey.failed.values()))
        raise NotFound("No archive of this route holds the study.")

    async def _ask(self, subject: Subject, names: Sequence[str], survey: Survey) -> None:
        """Ask all at once; a first yes shortens the wait for the rest to a moment of grace."""
        async with asyncio.TaskGroup() as group:
            found = asyncio.Event()
            tasks = [group.create_task(self._probe(subject, name, survey, found)) for name in names]
            waiter = group.create_task(found.wait())
            all_done = group.create_task(_all(tasks))
            await asyncio.wait([waiter, all_done], return_when=asyncio.FIRST_COMPLETED)
            if not all_done.done():
                await asyncio.wait([all_done], timeout=GRACE)
            for task in (*tasks, waiter, all_done):
                task.cancel()

    async def _probe(self, subject: Subject, name: str, survey: Survey, found: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                rows = await _probe_rows(self._archives[name], subject)
        except TimeoutError:
            survey.failed[name] = ResponseTimeout("The archive did not answer in time.", upstream=name)
        except Received as error:
            if error.status == 404:
                survey.lacks.append(name)
            else:
                survey.failed[name] = error
        except (UpstreamError, Overloaded) as error:
            survey.failed[name] = error
        else:
            if not rows:
                survey.lacks.append(name)
                return
            survey.holds[name] = rows[0].count()
            self._locations.learn(subject.study, subject.series, name, rows[0].count())
            found.set()


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _probe_rows(archive: Upstream, subject: Subject) -> list[Row]:
    """The rows by which an archive says that it has the study, or the series."""
    collection = subject.collection
    accept = spell_accept(archive.profile, collection.kind, collection.level, ANY_JSON)
    outbound = Outbound(
        "GET", Transaction.SEARCH, collection.path, subject.query, Fields([("accept", accept)])
    )
    async with archive.open(outbound) as answer:
        if answer.status >= 400:
            raise Received(answer.status, upstream=archive.name)
        body = bytearray()
        async for chunk in answer.chunks():
            body += chunk
            if len(body) > MAX_PROBE:
                raise ProtocolError("The archive's answer is too long for one row.", upstream=archive.name)
    try:
        raws = msgspec.json.decode(body, type=list[msgspec.Raw]) if body else []
        rows = [read(bytes(raw), collection, archive.name) for raw in raws]
    except (msgspec.DecodeError, RowError) as error:
        raise ProtocolError("The archive's answer is no list of matches.", upstream=archive.name) from error
    return [row for row in rows if row.key == subject.key]
