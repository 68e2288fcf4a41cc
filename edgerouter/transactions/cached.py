"""Retrieve through the cache: what is held is answered from disk, what is not is fetched once for everybody.

The route was decided before (law 8): a look-up sees only the upstreams that it allows."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.desk import FAILURES
from edgerouter.cache.listings import Listing, Member
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import DICOM, ZIP, Wish
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.dicomweb.wado_uri import is_instance, read_wado_uri
from edgerouter.errors import Received
from edgerouter.http.reply import Reply
from edgerouter.parsing.describer import Describer
from edgerouter.routing.router import Route
from edgerouter.transactions import answers
from edgerouter.transactions.derived import Tables
from edgerouter.transactions.describing import Describing
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.flying import Flying
from edgerouter.transactions.held import LookUp, not_at
from edgerouter.transactions.hits import FRESH, Label
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.jobs import Larder
from edgerouter.transactions.keeping import ALL_BULKDATA, directives, is_kept
from edgerouter.transactions.provisions import Provisions
from edgerouter.transactions.read_ahead import ReadAhead
from edgerouter.transactions.retrieval import Request, Retrieval
from edgerouter.transactions.retrieve_bulkdata import BulkdataRetrieval
from edgerouter.transactions.retrieve_frames import FramesRetrieval
from edgerouter.transactions.retrieve_instances import InstancesRetrieval
from edgerouter.transactions.retrieve_metadata import MetadataRetrieval
from edgerouter.transactions.retrieve_pixels import PixelsRetrieval
from edgerouter.transactions.retrieve_renditions import RenditionRetrieval
from edgerouter.transactions.retrieve_values import ValueRetrieval, place_in
from edgerouter.transactions.retrieve_wado_uri import WadoUriRetrieval
from edgerouter.transactions.retrieve_zip import ZipRetrieval
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation
from edgerouter.transactions.values import Values
from edgerouter.transactions.viewing import Views
from edgerouter.transactions.zipped import ZipHit


class Cached:
    """Retrieves through one cache; `deriving` are the upstreams whose metadata may be made of instances."""

    def __init__(
        self,
        cache: Cache,
        describer: Describer,
        archives: Mapping[str, Upstream],
        box: TokenBox,
        federation: Federation,
        deriving: frozenset[str] = frozenset(),
    ) -> None:
        look_up = LookUp(cache, Tables(cache), Views(cache, describer), deriving)
        larder, flying = Larder(cache, look_up, set()), Flying(cache.fills)
        self.provisions = Provisions(larder, archives, box, flying, ReadAhead(larder, flying), describer)
        self.validation = Validation(larder, federation, describer)
        self.values = Values(cache, describer)
        self.describing = Describing(cache, describer)

    def retrieval(self, inbound: Inbound, wanted: Sequence[Wish], route: Route) -> "CachedRetrieval | None":
        """The request as the cache sees it; None when it asks for nothing that is kept."""
        if inbound.transaction is Transaction.WADO_URI:
            return self._wado_uri(inbound, wanted)
        if not is_kept(inbound, wanted):
            return None
        request = Request(self.provisions, inbound, wanted)
        return CachedRetrieval(request, self._of_its_kind(request, route))

    def _wado_uri(self, inbound: Inbound, wanted: Sequence[Wish]) -> "CachedRetrieval | None":
        """What the URI service is asked for: an instance as it is, or something rendered."""
        if "no-store" in directives(inbound.fields):
            return None
        asked = read_wado_uri(inbound.query)
        uids = (asked.study, asked.series, asked.instance)
        named = replace(inbound, resource=Resource(Kind.WADO_URI, Level.INSTANCE, *uids))
        if is_instance(asked):
            request = Request(self.provisions, named, wanted)
            return CachedRetrieval(request, WadoUriRetrieval(request, asked))
        if DICOM in {wish.media for wish in wanted} or not is_kept(named, wanted):
            return None
        request = Request(self.provisions, named, wanted)
        return CachedRetrieval(request, RenditionRetrieval(request, self.values))

    async def touched(self, study: str, instances: Collection[str] | None) -> None:
        """A Store may have changed the study: what it contains, and how that is described, is asked anew.

        What is held of the `instances` that were stored goes, whatever it was; None: a rejection note may be
        among them, and nobody knows what it says of the rest, so all of the study goes."""
        cache = self.provisions.cache
        await cache.catalog.void(study)
        with suppress(*FAILURES):
            if instances is None:
                await cache.purge(study=study)
            elif instances:
                await cache.replaced(study, instances)

    async def members(self, inbound: Inbound, archive: Upstream) -> tuple[Member, ...]:
        """See Validation.members."""
        return await self.validation.members(Request(self.provisions, inbound, ()), archive)

    async def contents(self, resource: Resource, upstream: str, grace: float = 0.0) -> tuple[Member, ...]:
        """See LookUp.members; `grace` is for how many seconds beyond its lifetime a listing counts."""
        return await self._look_up(grace).members(upstream, resource)

    async def lacks(self, study: str, holders: Collection[str], other: str, grace: float = 0.0) -> bool:
        """Whether the other upstream is known to have nothing of a study that one of these holds."""
        look_up = self._look_up(grace)
        for holder in holders:
            if holder != other and await look_up.lacks(holder, study, other):
                return True
        return False

    async def lacked(self, study: str, holders: Collection[str], others: Collection[str]) -> None:
        """The others said just now that they have nothing of the study: so it says beside what these have."""
        catalog = self.provisions.cache.catalog
        since, now = catalog.moment(), time.time()
        for holder in holders:
            for other in others:
                await catalog.put_listing(Listing(holder, study, not_at(other), True, now, ()), since)

    def _look_up(self, grace: float) -> LookUp:
        return replace(self.provisions.larder.look_up, grace=grace)

    async def zipped(
        self, inbound: Inbound, wanted: Sequence[Wish], sources: Sequence[tuple[Upstream, Inbound]]
    ) -> Reply:
        """One zip archive of the instances of several sources, each once; what is asked of each is given
        with it. Raises errors.UpstreamError, Unsuitable when they cannot all be kept."""
        request = Request(self.provisions, inbound, wanted)
        units: dict[Member, Held] = {}
        label = FRESH
        for archive, asked in sources:
            found = ZipRetrieval(Request(self.provisions, asked, wanted), self.validation)
            of_source, were_held = await found.units(archive)
            label = label if were_held else request.brought(archive.name)
            for unit in of_source:
                units.setdefault((unit.key.series, unit.key.instance), unit)
        hit = ZipHit(self.provisions, inbound, [*units.values()], request.mender(), label)
        reply = await hit.reply(request.larder.look_up.clock())
        if reply is None:
            raise Unsuitable("The archive cannot be made of what is kept.")
        return reply

    def _of_its_kind(self, request: Request, route: Route) -> Retrieval:
        match request.resource.kind:
            case Kind.FRAMES:
                return FramesRetrieval(request, promote=route.promote, read_ahead=route.read_ahead)
            case Kind.DICOM if request.wanted[0].media == ZIP:
                return ZipRetrieval(request, self.validation)
            case Kind.DICOM:
                return InstancesRetrieval(request, self.validation)
            case Kind.METADATA:
                return MetadataRetrieval(request, self.describing)
            case Kind.PIXELDATA:
                return PixelsRetrieval(request, self.validation, self.values)
            case Kind.BULKDATA if request.resource.tail == ALL_BULKDATA:
                return BulkdataRetrieval(request, self.validation, self.values, self.describing)
            case Kind.BULKDATA if where := place_in(request.resource):
                return ValueRetrieval(request, self.validation, self.values, where)
            case _:
                return RenditionRetrieval(request, self.values)


class CachedRetrieval:
    """One request for something that is kept."""

    def __init__(self, request: Request, retrieval: Retrieval) -> None:
        self._request = request
        self._retrieval = retrieval

    async def held(self, upstreams: Sequence[str]) -> Reply | None:
        """The answer of the first of these upstreams of which all is held and fresh; nobody is asked."""
        if self._request.inbound.bypass:
            return None
        return await self._first(upstreams, self._request.larder.look_up, FRESH)

    async def offline(self, upstreams: Sequence[str], max_stale: float) -> Reply | None:
        """The answer from what is held of upstreams that do not answer, up to so many seconds beyond its
        lifetime; it is labelled. Not for who wants no answer from memory (RFC 9111 §5.2.1.4)."""
        if max_stale <= 0 or self._request.inbound.bypass:
            return None
        look_up = replace(self._request.larder.look_up, grace=max_stale)
        text = "The archive did not answer; this is what was kept of it, and may be out of date"
        label = Label("hit", "offline", f"299 {self._request.inbound.public}: {text}")
        return await self._first(upstreams, look_up, label)

    async def fetched(self, archive: Upstream) -> Reply:
        """See retrieval.Retrieval.fetched."""
        try:
            return await self._retrieval.fetched(archive)
        except Received as error:
            raise answers.own_refusal(error, self._request.inbound.public) from error

    async def gone(self, upstream: str) -> None:
        """The upstream said that it does not have it (any more): what was held of it was deleted there.

        Only if something of it was held: a client may ask for anything. Then the whole study goes, since
        nobody says what else of it did."""
        resource, cache = self._request.resource, self._request.cache
        if resource.kind not in (Kind.DICOM, Kind.METADATA):
            return  # a frame number may be too large, a rendition may not be made
        study, series = resource.study or "", resource.series
        known = {*await cache.catalog.held_members([upstream], study, series)}
        known |= await cache.catalog.described(upstream, study, series)
        if resource.instance:
            known &= {(series or "", resource.instance)}
        if known:
            with suppress(*FAILURES):
                await cache.purge(study=study, upstream=upstream)

    async def _first(self, upstreams: Sequence[str], look_up: LookUp, label: Label) -> Reply | None:
        for upstream in upstreams:
            if (reply := await self._retrieval.held(upstream, look_up, label)) is not None:
                return reply
        return None
