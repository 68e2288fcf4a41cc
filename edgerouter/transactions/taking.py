"""One search of several upstreams, taken to its end: who is asked, what is learned, and the ordered whole."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from edgerouter.dicomweb.domains import Domains, Questions
from edgerouter.dicomweb.merge import Group, Match, Merger, grouped
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.rows import STUDY, STUDY_DATE, STUDY_TIME
from edgerouter.errors import BadRequest, Overloaded, RouterError
from edgerouter.metrics import CONFLICTS, SEARCH_SOURCES
from edgerouter.routing.guard import Guarded
from edgerouter.routing.router import Route
from edgerouter.transactions import outcomes
from edgerouter.transactions.allowance import Allowance, Portion
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.guarding import past_gates
from edgerouter.transactions.held_search import HeldSearch
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.snapshots import Snapshot
from edgerouter.transactions.sources import Source
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)

_BATCH = 256  # studies looked at between two looks at what else there is to do
_OF_EVERY_COPY = frozenset({STUDY, STUDY_DATE, STUDY_TIME})
_HELD_FOR = 5.0  # seconds for what is held, after nobody answered
_LATE = 0.25  # of the deadline has to be left for those that rest, when nobody else answered


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A search as it is to be taken: what a rule's guard makes of it, what each source is asked, and what is
    known of patients' domains."""

    inbound: Inbound
    guarded: Guarded
    questions: Questions
    domains: Domains
    route: Route
    failed: Mapping[str, RouterError] = field(default_factory=dict)
    """Sources that did not answer just now, and are not asked again."""

    @property
    def asked(self) -> SearchQuery:
        """What the client asks, as far as the rule lets it."""
        return self.guarded.asked

    @property
    def lists(self) -> bool:
        """Whether everything in a study or series is asked for: then nothing found is only believed when
        nobody failed."""
        return self.inbound.resource.study is not None and not self.asked.matches

    def is_exhaustive(self, source: Source) -> bool:
        """Whether the source lacks the studies, or the series of a study, that others found and it did not.

        Copies of one study may differ in what a search asks for, so only by keys that are the same of all."""
        resource, question = self.inbound.resource, self.questions.get(source.name)
        keys = {match.attribute.tag for match in self.asked.matches}
        alike = _OF_EVERY_COPY if resource.level is Level.STUDY else frozenset[str]()
        if question is None or question.sent != question.meant or self.guarded.demanded or not keys <= alike:
            return False
        if resource.level is Level.SERIES and resource.study is None:
            return False  # more of them than anybody reads to the end
        return source.error is None and not (source.truncated or source.unusable or source.unmatched)


class Taking:
    """Takes snapshots; all that are being taken share one allowance of memory."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        federation: Federation,
        locations: Locations,
        clock: Callable[[], float],
        held: HeldSearch | None = None,
    ) -> None:
        self._archives = archives
        self._federation = federation
        self._locations = locations
        self._allowance = Allowance()
        self._clock = clock
        self._held = held

    async def __call__(self, enquiry: Enquiry, merger: Merger) -> Snapshot:
        """The whole answer. Raises Overloaded when there was no room within the deadline, NotFound when no
        source may be searched in, and what outcomes.failure says."""
        until = asyncio.get_running_loop().time() + enquiry.route.deadline
        async with AsyncExitStack() as stack:
            portion = await self._admitted(stack, until)
            sources = await self._sources(enquiry, until, portion.add)
            await self._add_held(enquiry, sources, portion.add)
            if failure := outcomes.failure(sources, strict=enquiry.route.strict):
                raise failure
            matches = await self._matches(sources, merger)
        if not matches and enquiry.lists and (failure := outcomes.unproven(sources)):
            raise failure
        return Snapshot(
            matches=tuple(matches),
            merger=merger,
            warnings=outcomes.warnings(sources, enquiry.inbound.public),
            proxy_statuses=outcomes.proxy_statuses(sources),
            complete=all(source.error is None and not source.truncated for source in sources),
            exhaustive=tuple(source.name for source in sources if enquiry.is_exhaustive(source)),
            offline=any(source.held for source in sources) and not any(source.pages for source in sources),
            taken=self._clock(),
        )

    async def _admitted(self, stack: AsyncExitStack, until: float) -> Portion:
        """A portion of the allowance, as soon as there is room."""
        try:
            async with asyncio.timeout_at(until):
                return await stack.enter_async_context(self._allowance.portion())
        except TimeoutError:
            raise Overloaded("Too many searches are under way.") from None

    async def _sources(self, enquiry: Enquiry, until: float, held: Callable[[int], None]) -> list[Source]:
        """Outcomes of all, in the route's order. An ejected upstream is named without being waited for,
        unless every one is wanted, or no other answered and there is time left."""
        clock = asyncio.get_running_loop().time
        route, gates, order = enquiry.route, enquiry.guarded.gates, list(enquiry.questions)
        ask = partial(self._federation.ask, enquiry.inbound, held=held, demanded=enquiry.guarded.demanded)
        open_to, unsure = order, list[Source]()
        if gates:
            open_to, unsure = await past_gates(
                self._federation, enquiry.inbound, gates, order, enquiry.domains, until
            )
        questions = _only(enquiry.questions, open_to)
        failed = [Source(name, error=enquiry.failed[name]) for name in questions if name in enquiry.failed]
        questions = _only(questions, (name for name in questions if name not in enquiry.failed))
        resting = [name for name in questions if not (route.strict or self._archives[name].healthy)]
        awake = _only(questions, (name for name in questions if name not in resting))
        sources = await ask(awake, until - clock())
        left = until - clock()
        if left > route.deadline * _LATE and not any(source.answered for source in sources):
            sources += await ask(_only(questions, resting), left)
        else:
            sources += map(_rested, resting)
        return sorted([*sources, *failed, *unsure], key=lambda source: order.index(source.name))

    async def _add_held(
        self, enquiry: Enquiry, sources: Sequence[Source], held: Callable[[int], None]
    ) -> None:
        """What is held of sources that do not answer stands in for them.

        Not where a rule wants every source, or has to see the study that is searched in, and not for who
        wants no answer from memory (RFC 9111 §5.2.1.4)."""
        if self._held is None or enquiry.route.strict or enquiry.guarded.gates or enquiry.inbound.bypass:
            return
        until = asyncio.get_running_loop().time() + _HELD_FOR
        for source in (source for source in sources if source.silent):
            question, resource = enquiry.questions[source.name], enquiry.inbound.resource
            known = {row.key for row in source.rows}
            try:
                rows = await self._held.rows(
                    source.name, resource, question.meant, enquiry.guarded.demanded, until
                )
            except BadRequest:
                return  # a key that is no value of its VR: what that means, archives have to judge
            new = [row for row in rows if row.key not in known]
            held(sum(len(row.raw) for row in new))
            source.rows += new
            source.held = len(new)

    async def _matches(self, sources: Sequence[Source], merger: Merger) -> list[Match]:
        """All matches in order. Where things are is learned from them."""
        groups = grouped(row for source in sources for row in source.rows)
        matches: list[Match] = []
        for start in range(0, len(groups), _BATCH):
            some = groups[start : start + _BATCH]
            for group in some:
                if len(group) == 1:
                    matches.append(group[0])
                else:
                    matches += merger.match(group)
            self._locations.learn_rows([row for group in some for row in group])
            await asyncio.sleep(0)
        matches.sort(key=lambda match: match.order)
        _tell_conflicts(matches, merger.level)
        return matches


def _tell_conflicts(matches: Sequence[Match], level: Level) -> None:
    """One study with two patients is an archive's mistake that people have to mend; a log names the
    archives, never the study (law 12)."""
    conflicts = [match for match in matches if isinstance(match, Group) and match.conflict]
    if not conflicts:
        return
    CONFLICTS.inc(len(conflicts))
    among = sorted({row.source for match in conflicts for row in match.rows})
    what = f"{len(conflicts)} matches ({level.value}) have other patients at other archives"
    logger.warning("%s: %s", what, ", ".join(among))


def _only(questions: Questions, names: Iterable[str]) -> Questions:
    return {name: questions[name] for name in names}


def _rested(name: str) -> Source:
    SEARCH_SOURCES.labels(name, "resting").inc()
    resting = Overloaded("The archive is resting after failures.", upstream=name)
    return Source(name, error=resting, resting=True)
