"""Search over one upstream (passed through) or several (merged, ordered, sliced from a snapshot)."""

import logging
import re
from collections.abc import Mapping, Sequence

from edgerouter.dicom.xml_model import json_to_xml
from edgerouter.dicomweb import query
from edgerouter.dicomweb.filters import Filter
from edgerouter.dicomweb.media import Wish, multipart_content_type
from edgerouter.dicomweb.merge import Row, merge
from edgerouter.dicomweb.multipart import closing, delimiter, new_boundary
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Level, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import NotFound, Overloaded, RouterError
from edgerouter.http.coding import Gzip, accepts_gzip
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.metrics import CONFLICTS, ROWS_DROPPED
from edgerouter.routing.router import Route
from edgerouter.transactions.federation import Source, all_failed, ask_all
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.relay import relay, wishes_of
from edgerouter.transactions.snapshots import Snapshot, Snapshots
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)

_UNSUPPORTED = re.compile(
    r"The (?:fuzzymatching|emptyvaluematching|multiplevaluematching) parameter is not supported\.[^\"]*"
)


class Search:
    """The Search transaction: one upstream's answer passed on, or several made one."""

    def __init__(
        self, archives: Mapping[str, Upstream], box: TokenBox, locations: Locations, snapshots: Snapshots
    ) -> None:
        self._archives = archives
        self._box = box
        self._locations = locations
        self._snapshots = snapshots

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply to a search that these upstreams may answer; raises errors.RouterError."""
        archives = [self._archives[name] for name in route.upstreams]
        able = [archive for archive in archives if archive.takes(Transaction.SEARCH)]
        if not able:
            raise NotFound("No upstream of this route can be searched.")
        if len(able) == 1:
            return await relay(inbound, able[0], self._box)
        wanted = wishes_of(inbound)
        asked = query.parse(inbound.query)
        snapshot = await self._snapshot(inbound, asked, able, route)
        return _page(inbound, asked, snapshot, wanted)

    async def _snapshot(
        self, inbound: Inbound, asked: SearchQuery, able: Sequence[Upstream], route: Route
    ) -> Snapshot:
        offset = asked.offset or 0
        names = tuple(archive.name for archive in able)
        key = (inbound.resource, inbound.public, asked.page(None, None), names)
        kept = None if inbound.bypass and not offset else self._snapshots.get(key, offset)
        if kept is not None:
            return kept
        sources = await self._ask(inbound, asked, able, route)
        kept_rows = Filter(asked)
        rows = [row for source in sources for row in _kept(source, kept_rows)]
        level = inbound.resource.level or Level.STUDY
        matches = merge(rows, level, inbound.public, names)
        for match in matches:
            if match.conflict:
                CONFLICTS.inc()
                logger.warning("a %s has other patients at %s", level, " and ".join(match.sources))
            for name in match.sources:
                series = match.key[1] if len(match.key) > 1 else ""
                self._locations.learn(match.key[0], series, name, match.counts[name])
                if series:
                    self._locations.learn(match.key[0], "", name)
        bodies = tuple(match.body for match in matches)
        complete = all(source.error is None and not source.truncated for source in sources)
        return self._snapshots.put(key, bodies, tuple(_warnings(sources, inbound.public)), complete)

    async def _ask(
        self, inbound: Inbound, asked: SearchQuery, able: Sequence[Upstream], route: Route
    ) -> list[Source]:
        """Outcomes of all; an ejected upstream is named without being waited for, unless all are."""
        healthy = [archive for archive in able if archive.healthy] or list(able)
        sources = await ask_all(inbound, healthy, asked, route.deadline)
        for archive in able:
            if archive not in healthy:
                resting = Overloaded("The archive is resting after failures.", upstream=archive.name)
                sources.append(Source(archive.name, error=resting))
        failed = [source for source in sources if source.error is not None]
        if len(failed) == len(sources):
            raise all_failed(sources)
        if failed and route.strict:
            raise _incomplete(failed)
        return sources


def _kept(source: Source, matching: Filter) -> list[Row]:
    """The rows that match the identity keys asked for: a source may legally ignore a key, and then
    answers with other patients' studies (law 6)."""
    kept = [row for row in source.rows if matching(row.tags)]
    if len(kept) < len(source.rows):
        ROWS_DROPPED.labels(source.name, "unmatched").inc(len(source.rows) - len(kept))
        logger.warning("upstream %s ignores a match key: rows that do not match were dropped", source.name)
    return kept


def _incomplete(failed: Sequence[Source]) -> RouterError:
    error = failed[0].error
    assert error is not None
    names = ", ".join(f"{source.name} ({source.outcome})" for source in failed)
    failure = RouterError(f"The rule wants every archive; missing: {names}.", upstream=failed[0].name)
    failure.status, failure.token = (504 if error.status == 504 else 502), error.token
    return failure


def _warnings(sources: Sequence[Source], public: str) -> list[str]:
    found = []
    for source in sources:
        if source.error is not None:
            why = f"Source {source.name} did not answer ({source.outcome}); results may be incomplete"
            found.append(f"299 {public}: {why}")
        if source.truncated:
            more = f"Source {source.name} has more matches than were taken; narrow the query"
            found.append(f"299 {public}: {more}")
        for line in source.warnings:
            text = unsupported(line)
            if text and f"299 {public}: {text}" not in found:
                found.append(f"299 {public}: {text}")
    return found


def unsupported(line: str) -> str | None:
    """The text by which a source says that it did not match as asked (PS3.18 §8.3.4), without its agent."""
    found = _UNSUPPORTED.search(line)
    return found[0] if found else None


def _page(inbound: Inbound, asked: SearchQuery, snapshot: Snapshot, wanted: Sequence[Wish]) -> Reply:
    offset = asked.offset or 0
    end = len(snapshot.rows) if asked.limit is None else offset + asked.limit
    rows = snapshot.rows[offset:end]
    fields = Fields([("cache-control", "no-store"), ("vary", "accept, accept-encoding")])
    for warning in snapshot.warnings:
        fields = fields.add("warning", warning)
    if remaining := max(0, len(snapshot.rows) - offset - len(rows)):
        text = f"There are {remaining} additional results that can be requested"
        fields = fields.add("warning", f"299 {inbound.public}: {text}")
    if wanted[0].media == "application/dicom+xml":
        return _xml(rows, fields)
    body = b"[" + b",".join(rows) + b"]"
    return _sized(body, fields.set("content-type", "application/dicom+json"), inbound)


def _sized(body: bytes, fields: Fields, inbound: Inbound) -> Reply:
    if accepts_gzip(inbound.fields.get("accept-encoding")) and len(body) > 1024:
        gzip = Gzip()
        body = gzip.feed(body) + gzip.close()
        fields = fields.set("content-encoding", "gzip")
    return Reply(200, fields, body, length=len(body))


def _xml(rows: Sequence[bytes], fields: Fields) -> Reply:
    """One part per match; an empty multipart cannot be written, so no match is 204 (dicomweb 1.4)."""
    if not rows:
        return Reply(204, fields, length=0)
    boundary = new_boundary()
    part = Fields([("content-type", "application/dicom+xml")])
    body = bytearray()
    for place, row in enumerate(rows):
        body += delimiter(boundary, part, place == 0) + json_to_xml(row)
    body += closing(boundary)
    media = multipart_content_type("application/dicom+xml", boundary)
    return Reply(200, fields.set("content-type", media), bytes(body), length=len(body))
