"""Search over one upstream (passed through) or several (merged, ordered, sliced from a snapshot)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from edgerouter.dicomweb import query
from edgerouter.dicomweb.domains import BareIds, Question
from edgerouter.dicomweb.filters import Filter, answerable
from edgerouter.dicomweb.media import XML
from edgerouter.dicomweb.merge import Match, Merger
from edgerouter.dicomweb.query import SearchQuery, Spelling
from edgerouter.dicomweb.resource import Level, Transaction
from edgerouter.dicomweb.rows import Row
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import NotFound, Received, ResponseTimeout, RouterError
from edgerouter.http.reply import Reply
from edgerouter.routing.guard import Guard
from edgerouter.routing.router import Route
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.finishing import Finishing
from edgerouter.transactions.guarding import asking
from edgerouter.transactions.held_search import HeldSearch
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.matches import as_json, as_xml, head
from edgerouter.transactions.modalities import modalities
from edgerouter.transactions.passing import Passing, checkable
from edgerouter.transactions.patients import Patients
from edgerouter.transactions.relay import UNCACHED, relay
from edgerouter.transactions.shared import Shared
from edgerouter.transactions.snapshots import Snapshot, Snapshots
from edgerouter.transactions.sources import Source
from edgerouter.transactions.taking import Enquiry, Taking
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profiles.wording import worded

logger = logging.getLogger(__name__)

NO_GUARD = Guard()
OFFLINE = "edgerouter; hit; detail=offline"
HIT = "edgerouter; hit"  # RFC 9211 §2.1: a page of an answer given before
_LEARNED = 1000  # matches of a page of which it is remembered who lacks them
_NO_DOMAIN = "No archive of this route has that IssuerOfPatientID"


@dataclass(frozen=True, slots=True)
class Settings:
    """How searches are answered.

    `issuers` are the assigning authorities of the upstreams' patient IDs, `home` is our own, `mapping` the
    file of cross-referenced patients, and `bare_ids` what a PatientID without an issuer means where the route
    does not say. `patience` are seconds that an upstream has at most, `max_rows` the bytes that it may answer
    to one search. Snapshots that memory has no room for go to `folder`."""

    issuers: Mapping[str, str] = field(default_factory=dict)
    home: str | None = None
    mapping: Path | None = None
    bare_ids: BareIds = "all"
    patience: Mapping[str, float] = field(default_factory=dict)
    max_rows: int = 64 * 1000**2
    folder: Path | None = None


class Search:
    """The Search transaction: one upstream's answer passed on, or several made one."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        locations: Locations,
        settings: Settings,
        held: HeldSearch | None = None,
    ) -> None:
        self._archives = archives
        self._box = box
        self._locations = locations
        self._settings = settings
        self._patients = Patients(settings.issuers, settings.home, settings.mapping)
        federation = Federation(archives, settings.issuers, settings.max_rows, settings.patience)
        self._federation = federation
        self._modalities = modalities(federation)
        self._finishing = Finishing(federation, self._modalities)
        self._snapshots = Snapshots(settings.folder)
        self._take = Taking(archives, federation, locations, self._snapshots.clock, held)
        self._held = held
        self._taking: Shared[Snapshot] = Shared()
        self._ignoring: set[str] = set()  # upstreams that do not match by every key

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to a search that these upstreams may answer; raises errors.RouterError."""
        able = [name for name in route.upstreams if self._archives[name].takes(Transaction.SEARCH)]
        if not able:
            raise NotFound("No upstream of this route can be searched.")
        wanted = wishes_of(inbound)
        guard = route.guard or NO_GUARD
        asked = query.parse(inbound.query)
        guarded = guard.let_through(asked, inbound.resource)
        if guarded.asked != asked:
            inbound = asking(inbound, guarded.asked)
        domains = await self._patients.now()
        bare = route.bare_ids or self._settings.bare_ids
        questions = domains.questions(guarded.asked, inbound.resource, able, bare)
        enquiry = Enquiry(inbound, guarded, questions, domains, route)
        xml = wanted[0].media == XML
        if self._can_pass(enquiry, xml=xml):
            [(name, question)] = questions.items()
            try:
                return await self._passed(enquiry, question, self._archives[name])
            except RouterError as error:
                if self._held is not None and Source(name, error=error).silent:
                    enquiry = replace(enquiry, failed={name: error})
                elif not _refuses_fields(error, answerable(question.sent, inbound.resource)):
                    raise
                # It may refuse a field: then it is asked again without, and remembered for it.
        return await self._paged(enquiry, able, xml=xml)

    def _can_pass(self, enquiry: Enquiry, *, xml: bool) -> bool:
        """Whether one source's answer, page by page, is the answer."""
        guarded, guard = enquiry.guarded, enquiry.route.guard or NO_GUARD
        if len(enquiry.questions) != 1 or guarded.demanded or guarded.gates or guard.max_results is not None:
            return False
        [(name, question)] = enquiry.questions.items()
        resource = enquiry.inbound.resource
        matching = Filter(question.meant, resource)
        # Rows are looked at in JSON only; what ignores a key pages through other rows than were asked.
        if (xml and matching.identifies) or (name in self._ignoring and matching.checks):
            return False
        ways = self._archives[name].profile.search
        if not worded(ways, question.sent, resource).faithful:
            return False
        return not self._federation.refuses(name, question.sent, resource)

    async def _paged(self, enquiry: Enquiry, able: Sequence[str], *, xml: bool) -> Reply:
        began = self._snapshots.clock()
        inbound, asked, route = enquiry.inbound, enquiry.asked, enquiry.route
        level = inbound.resource.level or Level.STUDY
        persons = enquiry.domains.persons
        merger = Merger(level, inbound.public, tuple(able), route.counts, route.apart, persons)
        snapshot = await self._snapshot(enquiry, merger)
        total = (route.guard or NO_GUARD).most(len(snapshot))
        offset = asked.offset or 0
        end = total if asked.limit is None else min(offset + asked.limit, total)
        places = range(offset, max(offset, end))
        try:
            matches = await snapshot.page(places) if places else ()
        except OSError as error:
            # As if it had not been kept: the next page is of a new list, and this one, too.
            logger.warning("a search answer on disk cannot be read: %s", error.strerror or error)
            self._snapshots.drop(snapshot)
            return await self._paged(enquiry, able, xml=xml)
        self._learn_lacks(snapshot, matches)
        rows, uncounted = await self._finishing.rows(inbound, matches, snapshot.merger, route.deadline)
        remaining = max(0, total - offset - len(rows))
        fields = head(inbound, snapshot, remaining, uncounted)
        status = HIT if snapshot.taken < began else UNCACHED
        fields = fields.set("cache-status", OFFLINE if snapshot.offline else status)
        if not enquiry.questions:
            fields = fields.add("warning", f"299 {inbound.public}: {_NO_DOMAIN}")
        if total < len(snapshot):
            text = f"A rule cuts the results at {total}; narrow the search"
            fields = fields.add("warning", f"299 {inbound.public}: {text}")
        return await as_xml(inbound, rows, fields) if xml else as_json(inbound, rows, fields)

    def _learn_lacks(self, snapshot: Snapshot, matches: Sequence[Match]) -> None:
        """Who lacks what the client sees is not asked for it when the client wants it."""
        if snapshot.merger.level is Level.INSTANCE or len(snapshot.merger.preference) < 2:
            return
        for match in matches[:_LEARNED]:
            rows = (match,) if isinstance(match, Row) else match.rows
            sources = {row.source for row in rows}
            if lacking := [name for name in snapshot.exhaustive if name not in sources]:
                study, series = (*rows[0].key, "")[:2]
                self._locations.learn_lack(study, series, lacking)

    async def _passed(self, enquiry: Enquiry, question: Question, archive: Upstream) -> Reply:
        inbound, route, name = enquiry.inbound, enquiry.route, archive.name
        if question.sent is not enquiry.asked:
            inbound = replace(inbound, query=query.emit(question.sent, Spelling()))
        passing = Passing(
            name,
            inbound,
            Filter(question.meant, inbound.resource),
            self._locations,
            self._modalities,
            self._settings.issuers.get(name),
            partial(self._ignores, name),
        )
        patience = min(route.deadline, self._settings.patience.get(name, route.deadline))
        asking = checkable(inbound, question.sent)
        try:
            async with asyncio.timeout(patience):
                return await relay(asking, archive, self._box, self._settings.max_rows, passing)
        except TimeoutError:
            archive.overdue(patience)
            raise ResponseTimeout("The archive did not answer in time.", upstream=name) from None

    def _ignores(self, name: str) -> None:
        if name not in self._ignoring:
            self._ignoring.add(name)
            logger.warning("upstream %s ignores a match key: its searches are read whole from now on", name)

    async def _snapshot(self, enquiry: Enquiry, merger: Merger) -> Snapshot:
        """Pages of one client are slices of one list, however many ask at once and whatever changes."""
        inbound, route, guarded = enquiry.inbound, enquiry.route, enquiry.guarded
        offset = enquiry.asked.offset or 0
        # Whoever asks the same of the same sources is given the same; what each source is asked, and what
        # its rows are checked against, is what the route and the patients' policy allow (law 8).
        asking = tuple((name, *map(_whole, (one.sent, one.meant))) for name, one in enquiry.questions.items())
        how = route.strict, route.counts, route.apart, merger.preference, guarded.demanded, guarded.gates
        key = inbound.resource, inbound.public, _whole(enquiry.asked), asking, how
        fresh = inbound.bypass and not offset
        kept = None if fresh else self._snapshots.get(key, inbound.client, offset)
        if kept is not None:
            return kept

        async def take() -> Snapshot:
            snapshot = await self._take(enquiry, merger)
            self._snapshots.put(key, inbound.client, snapshot)
            return snapshot

        if inbound.bypass:
            return await take()
        snapshot = await self._taking(key, take)
        self._snapshots.share(key, inbound.client, snapshot)
        return snapshot


def _refuses_fields(error: RouterError, asked: SearchQuery) -> bool:
    return (
        isinstance(error, Received) and error.status == 400 and bool(asked.includefield or asked.include_all)
    )


def _whole(asked: SearchQuery) -> SearchQuery:
    """The same question, without the page of its answer."""
    return asked.page(None, None)
