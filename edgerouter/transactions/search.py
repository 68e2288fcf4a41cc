"""Search over one upstream (passed through) or several (merged, ordered, sliced from a snapshot)."""

import asyncio
import logging
from collections.abc import Hashable, Mapping, Sequence
from functools import partial

from edgerouter.dicomweb import query
from edgerouter.dicomweb.filters import Filter
from edgerouter.dicomweb.media import XML
from edgerouter.dicomweb.merge import Merged, Merger, grouped
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level, Transaction
from edgerouter.dicomweb.rows import Row
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import NotFound, Overloaded, Received, ResponseTimeout
from edgerouter.http.reply import Reply
from edgerouter.metrics import CONFLICTS, SEARCH_SOURCES
from edgerouter.routing.guard import Guard, Guarded
from edgerouter.routing.router import Route
from edgerouter.transactions import outcomes
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.federation import Federation, Source
from edgerouter.transactions.guarding import asking, past_gates
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.matches import as_json, as_xml, head
from edgerouter.transactions.modalities import Bare, Modalities, filled
from edgerouter.transactions.passing import Passing, checkable
from edgerouter.transactions.relay import UNCACHED, relay
from edgerouter.transactions.shared import Shared
from edgerouter.transactions.snapshots import Snapshot, Snapshots
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.profiles.wording import worded

logger = logging.getLogger(__name__)

HIT = "edgerouter; hit"  # RFC 9211 §2.1: a page of an answer given before
_BATCH = 256  # studies merged between two looks at what else there is to do
_LATE = 0.25  # of the deadline has to be left for those that rest, when nobody else answered


class Search:
    """The Search transaction: one upstream's answer passed on, or several made one.

    `issuers` are the assigning authorities of the upstreams' patient IDs, `max_rows` the bytes that one
    upstream may answer to one search."""

    def __init__(
        self,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        locations: Locations,
        issuers: Mapping[str, str],
        max_rows: int,
    ) -> None:
        self._archives = archives
        self._box = box
        self._locations = locations
        self._issuers = issuers
        self._max_rows = max_rows
        self._federation = Federation(archives, issuers, max_rows)
        self._modalities = Modalities(self._federation)
        self._snapshots = Snapshots()
        self._taking: Shared[Snapshot] = Shared()
        self._ignoring: set[str] = set()  # upstreams that do not match by every key

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to a search that these upstreams may answer; raises errors.RouterError."""
        able = [name for name in route.upstreams if self._archives[name].takes(Transaction.SEARCH)]
        if not able:
            raise NotFound("No upstream of this route can be searched.")
        wanted = wishes_of(inbound)
        asked = query.parse(inbound.query)
        guard = route.guard or Guard()
        guarded = guard.let_through(asked, inbound.resource)
        if guarded.asked != asked:
            inbound, asked = asking(inbound, guarded.asked), guarded.asked
        matching = Filter(asked, inbound.resource)
        xml = wanted[0].media == XML
        # Rows are looked at in JSON only; and what ignores a key pages through other rows than were asked.
        doubted = (xml and matching.identifies) or (able[0] in self._ignoring and matching.checks)
        ways = self._archives[able[0]].profile.search
        doubted |= not worded(ways, asked, inbound.resource).faithful
        doubted |= bool(guarded.demanded or guarded.gates or guard.max_results)
        if len(able) == 1 and not doubted and not self._federation.refused(able[0], asked, inbound.resource):
            try:
                return await self._passed(inbound, asked, matching, self._archives[able[0]], route)
            except Received as error:
                if error.status != 400 or not (asked.includefield or asked.include_all):
                    raise
                # It may refuse a field: then it is asked again without, and remembered for it.
        began = self._snapshots.clock()
        snapshot = await self._snapshot(inbound, guarded, able, route)
        offset, total = asked.offset or 0, guard.most(len(snapshot.rows))
        end = total if asked.limit is None else offset + asked.limit
        rows = await self._rows(inbound, snapshot, range(offset, min(end, total)))
        remaining = max(0, total - offset - len(rows))
        fields = head(inbound, snapshot, remaining).set(
            "cache-status", HIT if snapshot.taken < began else UNCACHED
        )
        if total < len(snapshot.rows):
            text = f"A rule cuts the results at {total}; narrow the search"
            fields = fields.add("warning", f"299 {inbound.public}: {text}")
        return await as_xml(inbound, rows, fields) if xml else as_json(inbound, rows, fields)

    async def _passed(
        self, inbound: Inbound, asked: SearchQuery, matching: Filter, archive: Upstream, route: Route
    ) -> Reply:
        name = archive.name
        passing = Passing(
            name,
            inbound,
            matching,
            self._locations,
            self._modalities,
            self._issuers.get(name),
            partial(self._ignores, name),
        )
        try:
            async with asyncio.timeout(route.deadline):
                return await relay(checkable(inbound, asked), archive, self._box, self._max_rows, passing)
        except TimeoutError:
            archive.overdue(route.deadline)
            raise ResponseTimeout("The archive did not answer in time.", upstream=name) from None

    def _ignores(self, name: str) -> None:
        if name not in self._ignoring:
            self._ignoring.add(name)
            logger.warning("upstream %s ignores a match key: its searches are read whole from now on", name)

    async def _snapshot(
        self, inbound: Inbound, guarded: Guarded, names: Sequence[str], route: Route
    ) -> Snapshot:
        """Pages of one client are slices of one list, however many ask at once and whatever changes."""
        asked = guarded.asked
        offset = asked.offset or 0
        about = (inbound.resource, asked.page(None, None), guarded.demanded, guarded.gates)
        key = (*about, tuple(names), route.strict, inbound.public, inbound.client)
        kept = None if inbound.bypass and not offset else self._snapshots.get(key, offset)
        if kept is not None:
            return kept
        work = partial(self._taken, key, inbound, guarded, names, route)
        return await (work() if inbound.bypass else self._taking(key, work))

    async def _taken(
        self, key: Hashable, inbound: Inbound, guarded: Guarded, names: Sequence[str], route: Route
    ) -> Snapshot:
        asked = guarded.asked
        names, unsure = await past_gates(self._federation, inbound, guarded.gates, names, route)
        sources = await self._sources(inbound, guarded, names, route) + unsure
        if failure := outcomes.failure(sources, strict=route.strict):
            raise failure
        merger = Merger(inbound.resource.level or Level.STUDY, inbound.public, tuple(names))
        matches = await self._matches(sources, merger)
        listing = inbound.resource.study is not None and not asked.matches
        if not matches and listing and (failure := outcomes.unproven(sources)):
            raise failure
        snapshot = Snapshot(
            rows=tuple(matches),
            merger=merger,
            warnings=outcomes.warnings(sources, inbound.public),
            proxy_statuses=outcomes.proxy_statuses(sources),
            complete=all(source.error is None and not source.truncated for source in sources),
            taken=self._snapshots.clock(),
        )
        self._snapshots.put(key, snapshot)
        return snapshot

    async def _sources(
        self, inbound: Inbound, guarded: Guarded, names: Sequence[str], route: Route
    ) -> list[Source]:
        """Outcomes of all, in the route's order. An ejected upstream is named without being waited for,
        unless every one is wanted, or no other answered and there is time left."""
        clock = asyncio.get_running_loop().time
        until = clock() + route.deadline
        resting = [name for name in names if not (route.strict or self._archives[name].healthy)]
        awake = [name for name in names if name not in resting]
        asked = partial(self._federation.ask, inbound, guarded.asked, demanded=guarded.demanded)
        sources = await asked(awake, route.deadline)
        left = until - clock()
        if left > route.deadline * _LATE and not any(source.answered for source in sources):
            sources += await asked(resting, left)
        else:
            sources += map(_rested, resting)
        return sorted(sources, key=lambda source: names.index(source.name))

    async def _matches(self, sources: Sequence[Source], merger: Merger) -> list[Row | Merged]:
        """All matches in order. Where things are is learned from them."""
        matches: list[Row | Merged] = []
        groups = grouped(row for source in sources for row in source.rows)
        for start in range(0, len(groups), _BATCH):
            for group in groups[start : start + _BATCH]:
                matches.append(group[0] if len(group) == 1 else merger(group))
                for row in group:
                    self._locations.learn_row(row.key, row.source, row.instances)
            await asyncio.sleep(0)
        matches.sort(key=lambda match: match.order)
        if conflicts := sum(isinstance(match, Merged) and match.conflict for match in matches):
            CONFLICTS.inc(conflicts)
            logger.warning("%d merged rows have other patients at other archives", conflicts)
        return matches

    async def _rows(self, inbound: Inbound, snapshot: Snapshot, places: range) -> list[bytes]:
        """The rows of a page, with modalities found where the archives left them out."""
        matches: list[Merged] = []
        for start in range(places.start, places.stop, _BATCH):
            matches += map(snapshot.match, range(start, min(start + _BATCH, places.stop)))
            await asyncio.sleep(0)
        bare = {match.key: Bare(match.key[0], tuple(match.sources)) for match in matches if match.bare}
        found = await self._modalities.of(inbound, bare.values()) if bare else {}
        return [
            filled(match.body, modalities)
            if match.bare and (modalities := found.get(bare[match.key]))
            else match.body
            for match in matches
        ]


def _rested(name: str) -> Source:
    SEARCH_SOURCES.labels(name, "resting").inc()
    resting = Overloaded("The archive is resting after failures.", upstream=name)
    return Source(name, error=resting, resting=True)
