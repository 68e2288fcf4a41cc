"""Metadata through the cache: rows kept as they came, answered as an array with our links."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from urllib.parse import urljoin

import msgspec

from edgerouter.cache.catalog import Catalog
from edgerouter.cache.fill import Fill
from edgerouter.cache.follower import Follower
from edgerouter.cache.listings import Listing, Member, Row
from edgerouter.dicomweb.json_links import BulkDataLinks
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.errors import ProtocolError
from edgerouter.http.coding import Gzip, accepts_gzip
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.fetch import check_status
from edgerouter.transactions.held import Described
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import cache_status, may_keep, proves_its_end
from edgerouter.transactions.passage import check_type
from edgerouter.transactions.rewrite import MAX_METADATA_BYTES, bulkdata_links, faults_of, gzipped, inflated
from edgerouter.transactions.row import uids
from edgerouter.transactions.streams import OwnedBody
from edgerouter.transactions.upstreams import Upstream
from edgerouter.upstream.seam import Answer, Outbound

_JSON = "application/dicom+json"
_BATCH = 100  # rows written to the catalog at once
_END = b"\x1e"  # behind each row of a fill: no JSON text can hold it (RFC 7464)
_REVALIDATE = "private, no-cache"


async def fetch_metadata(
    fill: Fill, archive: Upstream, outbound: Outbound, resource: Resource, catalog: Catalog
) -> None:
    """One upstream's metadata into the fill and, row by row, into the catalog."""
    since, asked_at = catalog.moment(), time.time()
    here = archive.url(outbound)
    async with archive.open(outbound) as answer:
        check_status(answer, archive.name)
        media = check_type(resource, answer, archive.name)
        if media is None or media.essence not in (_JSON, "application/json"):
            raise ProtocolError("The upstream did not answer with JSON.", upstream=archive.name)
        await fill.begin(answer.status, Fields())
        keeping = may_keep(answer) and proves_its_end(answer)
        fill.keep(keeping)
        await fill.open_part(Fields([("content-type", _JSON)]))
        keeper = _Keeper(catalog, archive.name, resource, since, asked_at) if keeping else None
        async for batch in _batches(answer, archive.name):
            found = [absolute(row, here) for row in batch]
            await fill.write(b"".join(row + _END for row in found))
            if keeper:
                await keeper.add(found)
        await fill.close_part(None)
        if keeper:
            await keeper.finish()


async def _batches(answer: Answer, upstream: str) -> AsyncGenerator[list[bytes], None]:
    """The rows of the answer as they come."""
    coded = (answer.fields.get("content-encoding") or "").lower() == "gzip"
    splitter = ArraySplitter(total_limit=MAX_METADATA_BYTES)
    async for chunk in inflated(answer.chunks(), upstream) if coded else answer.chunks():
        with faults_of(upstream):
            found = splitter.feed(chunk)
        if found:
            yield found
    with faults_of(upstream):
        splitter.finish()


def absolute(row: bytes, here: str) -> bytes:
    """The row with relative BulkDataURIs resolved: kept, it answers requests with other URLs than `here`."""
    if b"BulkDataURI" not in row:
        return row
    rewriter = BulkDataLinks(lambda url: url if ":" in url else urljoin(here, url))
    return rewriter.feed(row) + rewriter.finish()


class _Keeper:
    """Puts rows into the catalog as they come, and at the end says what the study or series contains."""

    def __init__(
        self, catalog: Catalog, upstream: str, resource: Resource, since: int, asked_at: float
    ) -> None:
        self._catalog = catalog
        self._upstream = upstream
        self._resource = resource
        self._since = since
        self._asked_at = asked_at
        self._members: list[Member] = []
        self._unnamed = 0
        self._date = ""

    async def add(self, found: list[bytes]) -> None:
        study = self._resource.study or ""
        kept = []
        for data in found:
            member = self._member(data)
            if member is None:
                self._unnamed += 1
                continue
            self._members.append(member)
            kept.append(Row(*member, data, self._asked_at))
            self._date = self._date or study_date(data)
        for start in range(0, len(kept), _BATCH):
            await self._catalog.put_metadata(self._upstream, study, kept[start : start + _BATCH], self._since)

    def _member(self, data: bytes) -> Member | None:
        """Whose metadata it is; None when it is not of what was asked for."""
        asked = (self._resource.study, self._resource.series, self._resource.instance)
        try:
            found = uids(data, Resource(self._resource.kind))
        except ValueError:
            return None
        if not all(found) or any(want and want != got for want, got in zip(asked, found, strict=True)):
            return None
        return found[1] or "", found[2] or ""

    async def finish(self) -> None:
        resource, study = self._resource, self._resource.study or ""
        if resource.level is not Level.INSTANCE and not self._unnamed:
            members = tuple(dict.fromkeys(self._members))
            listing = Listing(self._upstream, study, resource.series or "", True, self._asked_at, members)
            await self._catalog.put_listing(listing, self._since)
        if self._date:
            await self._catalog.date(self._upstream, study, self._date)


async def followed_metadata(
    inbound: Inbound, follower: Follower, stack: AsyncExitStack, links: LinkMap
) -> Reply:
    """A miss: the rows of a fill as they come. Raises errors.UpstreamError before its head is here."""
    head = await follower.head()
    status = cache_status(hit=False, collapsed=follower.collapsed, stored=follower.stored)
    fields = Fields([("cache-control", _REVALIDATE), ("cache-status", status), *_JSON_FIELDS])
    body = _joined(_lines(follower), links)
    if accepts_gzip(inbound.fields.get("accept-encoding")):
        body, fields = gzipped(body), fields.set("content-encoding", "gzip")
    return Reply(head.status, fields, OwnedBody(body, stack.pop_all()))


async def _lines(follower: Follower) -> AsyncGenerator[list[bytes], None]:
    """The rows of a metadata fill, each up to its end mark."""
    rest = b""
    async for part in follower.parts():
        async for chunk in part.read():
            *found, rest = (rest + chunk).split(_END)
            if found:
                yield found


async def _joined(batches: AsyncIterator[list[bytes]], links: LinkMap) -> AsyncGenerator[bytes, None]:
    change, before = bulkdata_links(links), b"["
    async for batch in batches:
        yield before + b",".join(change(row) for row in batch)
        before = b","
    yield b"]" if before == b"," else b"[]"


def described_reply(inbound: Inbound, described: Described, links: LinkMap) -> Reply:
    """A hit: the rows held, under a validator of what leaves."""
    change = bulkdata_links(links)
    body = b"[" + b",".join(change(row.data) for row in described.rows) + b"]"
    coded = accepts_gzip(inbound.fields.get("accept-encoding"))
    etag = ETag(sha256(body).hexdigest()[:32] + ("-gzip" if coded else ""))
    age = int(max(0.0, time.time() - min(row.fetched_at for row in described.rows)))
    fields = Fields(
        [
            ("etag", str(etag)),
            ("age", str(age)),
            ("cache-control", _REVALIDATE),
            ("cache-status", cache_status(hit=True)),
            *_JSON_FIELDS,
        ]
    )
    status = precondition(inbound.method, inbound.fields, etag)
    if status is not None:
        return Reply(status, fields.without("content-type"), length=0)
    if coded:
        gzip = Gzip()
        body, fields = gzip.feed(body) + gzip.close(), fields.set("content-encoding", "gzip")
    return Reply(200, fields, body, length=len(body))


def study_date(row: bytes) -> str:
    """StudyDate (DICOM DA) of a metadata row, "" when it has none."""
    try:
        values = _dated.decode(row).date.value
    except msgspec.DecodeError:
        return ""
    return values[0] if values and isinstance(values[0], str) else ""


class _Date(msgspec.Struct):
    value: list[object] = msgspec.field(name="Value", default_factory=list)


class _Dated(msgspec.Struct):
    date: _Date = msgspec.field(name="00080020", default_factory=_Date)


_dated = msgspec.json.Decoder(_Dated)
_JSON_FIELDS = (("content-type", _JSON), ("vary", "accept, accept-encoding"))
