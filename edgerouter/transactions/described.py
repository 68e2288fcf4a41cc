"""Metadata through the cache: rows kept as they came, answered as an array with our links (PS3.18 §F).

A fill of metadata holds the array as text, so that readers follow it like any other; its rows go into the
catalog as they come."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from urllib.parse import urljoin

import msgspec

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fill
from edgerouter.cache.listings import Member, Row
from edgerouter.dicomweb.json_links import BulkDataLinks
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import JSON
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.fields import Fields
from edgerouter.transactions.acceptance import JSONS, check_type
from edgerouter.transactions.bodies import Bytes, decoded, faults_of, pieces
from edgerouter.transactions.fetch import Errand, begin, has_content
from edgerouter.transactions.held import Described
from edgerouter.transactions.jobs import Larder, learn
from edgerouter.transactions.keeping import may_keep, proves_its_end
from edgerouter.transactions.row import uids
from edgerouter.transactions.sending import closed
from edgerouter.upstream.seam import Answer

_BATCH = 100  # rows written to the catalog at once
MAX_KEPT = 16 << 20  # bytes of a row that is kept; the catalog unpacks no more than a few times that
_FIELDS = Fields([("content-type", JSON)])
_RELATIVE = re.compile(rb'"BulkDataURI"\s*:\s*"(?![A-Za-z][A-Za-z0-9+.-]*:)')


class MetadataJob:
    """Fetches the metadata of a study, series or instance."""

    def __init__(self, larder: Larder, errand: Errand, *, again: bool) -> None:
        self.key = errand.key
        self._larder = larder
        self._errand = errand
        self._again = again

    async def __call__(self, fill: Fill) -> None:
        if not (self._again and await self._handed_on(fill)):
            await fetch_metadata(fill, self._errand, self._larder.cache)

    async def _handed_on(self, fill: Fill) -> bool:
        upstream = self._errand.archive.name
        described = await self._larder.look_up.described(upstream, self._errand.resource)
        if described is None:
            return False
        await fill.begin(200, Fields())
        await _write(fill, array(rows_of(described, self._larder.cache)))
        return True


async def fetch_metadata(fill: Fill, errand: Errand, cache: Cache) -> None:
    """One upstream's metadata into the fill and, row by row, into the catalog. Raises errors.UpstreamError.

    The part begins with the first row: what fails before may still be asked of another holder."""
    upstream, here = errand.archive.name, errand.archive.url(errand.outbound)
    fill.upstream = upstream
    keeper = Keeper(cache, errand, time.time())
    async with errand.archive.open(errand.outbound) as answer:
        if not has_content(answer, errand):
            await begin(fill, answer)
            return
        media = check_type(errand.resource.kind, answer, errand.wanted, upstream)
        if media.essence not in JSONS:
            raise ProtocolError("The upstream did not answer with JSON.", upstream=upstream)
        keeping = may_keep(answer) and proves_its_end(answer)
        fill.keep(keeping)
        await begin(fill, answer)
        batches = _batches(answer, upstream, here)
        async with aclosing(array(_kept(batches, keeper) if keeping else batches)) as texts:
            await _write(fill, texts)
        if keeping:
            await keeper.finish()


async def _write(fill: Fill, texts: Bytes) -> None:
    begun = False
    async for text in texts:
        if not begun:
            await fill.open_part(_FIELDS)
            begun = True
        await fill.write(text)
    await fill.close_part(None)


async def _batches(answer: Answer, upstream: str, here: str) -> AsyncGenerator[list[bytes], None]:
    """The rows of the answer as they come, their links absolute."""
    splitter = ArraySplitter()
    async with aclosing(decoded(answer, upstream)) as chunks:
        async for chunk in chunks:
            for piece in pieces(chunk):
                with faults_of(upstream):
                    found = [absolute(row, here) for row in splitter.feed(piece)]
                if found:
                    yield found
                await asyncio.sleep(0)
    with faults_of(upstream):
        splitter.finish()


async def _kept(batches: AsyncIterator[list[bytes]], keeper: "Keeper") -> AsyncGenerator[list[bytes], None]:
    """The same, each kept once its readers have it."""
    async with closed(batches):
        async for batch in batches:
            yield batch
            await keeper.add(batch)


def absolute(row: bytes, here: str) -> bytes:
    """The row with relative BulkDataURIs resolved: kept, it answers requests with other URLs than `here`."""
    if b"\\u" not in row and not _RELATIVE.search(row):
        return row
    rewriter = BulkDataLinks(lambda url: url if ":" in url else urljoin(here, url))
    return rewriter.feed(row) + rewriter.finish()


class Keeper:
    """Puts rows into the catalog as they come, and says at the end what the study or series contains."""

    def __init__(self, cache: Cache, errand: Errand, asked_at: float) -> None:
        self._cache = cache
        self._errand = errand
        self._since = cache.catalog.moment()
        self._asked_at = asked_at
        self._members: list[Member] = []
        self._unnamed = 0
        self._date = ""
        self._waiting: list[Row] = []

    async def add(self, found: list[bytes]) -> None:
        """Keep the rows that are of what was asked for."""
        for data in found:
            member = member_of(data, self._errand.resource)
            if member is None:
                self._unnamed += 1
                continue
            if not self._members:
                self._date = study_date(data)
            self._members.append(member)
            if len(data) <= MAX_KEPT:
                self._waiting.append(Row(*member, data, self._asked_at))
        if len(self._waiting) >= _BATCH or sum(len(row.data) for row in self._waiting) >= MAX_KEPT:
            await self._write()

    async def finish(self) -> None:
        """The answer was whole."""
        await self._write()
        members = () if self._unnamed else self._members
        await learn(self._cache, self._errand, members, self._date, self._since, self._asked_at)

    async def _write(self) -> None:
        rows, self._waiting = self._waiting, []
        if rows:
            study = self._errand.resource.study or ""
            await self._cache.catalog.put_metadata(self._errand.archive.name, study, rows, self._since)


def member_of(row: bytes, asked: Resource) -> Member | None:
    """Whose metadata a row is; None when it is not of what was asked for, or does not say."""
    try:
        study, series, instance = uids(row, Resource(asked.kind))
    except ValueError:
        return None
    if not (study and series and instance) or study != asked.study:
        return None
    if asked.series not in (None, series) or asked.instance not in (None, instance):
        return None
    return series, instance


async def rows_of(described: Described, cache: Cache) -> AsyncGenerator[list[bytes], None]:
    """The rows, a few in memory at a time; their study stays meanwhile. Raises Cut when one changed since the
    look-up."""
    if described.rows is not None:
        yield [row.data for row in described.rows]
        return
    times = iter(described.times)
    with cache.readers.reading(described.upstream, described.study):
        async for row in cache.catalog.metadata(described.upstream, described.study, described.members):
            if row is None or row.fetched_at != next(times):
                raise Cut("The metadata changed while it was sent; ask again.")
            yield [row.data]


async def array(batches: AsyncIterator[list[bytes]]) -> Bytes:
    """Rows as one JSON array."""
    before = b"["
    async with closed(batches):
        async for batch in batches:
            yield before + b",".join(batch)
            before = b","
    yield b"]" if before == b"," else b"[]"


async def linked(text: AsyncIterator[bytes], links: LinkMap) -> Bytes:
    """The JSON text with every BulkDataURI, at any depth, naming us."""
    rewriter = BulkDataLinks(links.map_here)
    async with closed(text):
        async for chunk in text:
            for piece in pieces(chunk):
                if out := rewriter.feed(piece):
                    yield out
                await asyncio.sleep(0)
    if rest := rewriter.finish():
        yield rest


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
