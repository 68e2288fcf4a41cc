"""One request for something that is kept: what every kind of it has in common.

The route was decided before (law 8): a look-up sees only the upstreams that it allows."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Protocol

from edgerouter.cache.follower import Follower
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import DICOM, OCTETS, Wish
from edgerouter.dicomweb.resource import Kind, Resource, Transaction
from edgerouter.dicomweb.syntaxes import is_lossless
from edgerouter.http.reply import Reply
from edgerouter.transactions import answers
from edgerouter.transactions.asking import outbound_for
from edgerouter.transactions.assembly import Fetching
from edgerouter.transactions.fetch import Errand, Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Hit, Label
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.jobs import FrameJob, Job, unit_fields
from edgerouter.transactions.keeping import Forwarded, names
from edgerouter.transactions.mending import Mender, resource_of
from edgerouter.transactions.provisions import Provisions
from edgerouter.transactions.sending import HeldPart
from edgerouter.transactions.upstreams import Upstream

NOT_SHARED = ("range", "if-range")
REFUSALS = (400, 406, 415, 501)  # of a form; another may be had


class Retrieval(Protocol):
    """What the Retrieve transaction does with a request that the cache has to do with."""

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        """The answer from what is held of this upstream and, to the look-up, fresh; nobody is asked."""

    async def fetched(self, archive: Upstream) -> Reply:
        """The answer from one upstream, while it arrives; simultaneous requests share the fetch.

        Raises errors.UpstreamError or Overloaded until the first part is here; Unsuitable for what has to
        be passed on as it comes."""


class Request:
    """The request as retrieves through the cache see it; what goes wrong with the held is noted in it."""

    def __init__(self, provisions: Provisions, inbound: Inbound, wanted: Sequence[Wish]) -> None:
        self.provisions = provisions
        self.larder = provisions.larder
        self.cache = provisions.cache
        self.inbound = inbound
        self.wanted = wanted
        self.names = names(inbound)
        self.forwarded: dict[str, Forwarded] = {}  # why an upstream has to be asked
        self.lost: set[UnitKey] = set()  # believed to be held, and not there

    @property
    def resource(self) -> Resource:
        return self.inbound.resource

    @property
    def again(self) -> bool:
        """Whether a fetch looks first what is held by now: not if that is not wanted, or was not true."""
        return not self.inbound.bypass and not self.lost

    def for_instances(self, resource: Resource, wanted: Sequence[Wish]) -> "Request":
        """The request for the instances that what the client wants is made of."""
        inbound = replace(self.inbound, resource=resource, transaction=Transaction.RETRIEVE, query="")
        return Request(self.provisions, inbound, wanted)

    def brought(self, upstream: str) -> Label:
        """How an answer is called that is made of units which were fetched for it."""
        forwarded = "request" if self.inbound.bypass else self.forwarded.get(upstream, "miss")
        return Label(f"fwd={forwarded}; stored")

    def trusted(self, unit: Held | None) -> Held | None:
        """The unit, unless it was found not to be there."""
        return None if unit is None or unit.key in self.lost else unit

    async def hit(self, units: Sequence[Held], label: Label) -> Reply | None:
        """The answer of these units, None when the first is not there after all."""
        hit = Hit(self.inbound, self.wanted, units, self.cache, self.mender(), label)
        reply = await hit.reply(self.larder.look_up.clock())
        if reply is None:
            self.lost.add(units[0].key)
        return reply

    async def hit_of_brought(self, units: Sequence[Held], archive: Upstream, lacking: str) -> Reply:
        """The answer of what was cut out of units that were fetched for it; raises Unsuitable when there is
        nothing, `lacking` saying what."""
        reply = await self.hit(units, self.brought(archive.name)) if units else None
        if reply is None:
            raise Unsuitable(lacking, upstream=archive.name)
        return reply

    def part(self, unit: Held, base: str) -> HeldPart:
        """A held unit as a part, its location below `base`."""
        return HeldPart(unit, unit_fields(unit, base), self.cache, self.mender())

    def join(self, job: Fetching) -> AbstractAsyncContextManager[Follower]:
        """Follow the fill that a job does, or does already."""
        return self.cache.fills.join(job.key, job, finish_alone=self.inbound.is_looking)

    def reading(self, errand: Errand) -> AbstractContextManager[None]:
        """Keeps the study from eviction while it is being read, also between two of its parts."""
        return self.cache.readers.reading(errand.archive.name, errand.resource.study or "")

    def following(self, errand: Errand) -> answers.Following:
        """The client's answer from the fill of an errand."""
        archive, inbound = errand.archive, self.inbound
        here = archive.url(errand.outbound)
        links = LinkMap(archive.name, archive.bases, inbound.public, self.provisions.box, here)
        forwarded = "request" if inbound.bypass else self.forwarded.get(archive.name, "miss")
        return answers.Following(
            inbound, self.wanted, links, self.cache.secret, "miss" if self.lost else forwarded
        )

    def errand(self, archive: Upstream, resource: Resource, wanted: Sequence[Wish] | None = None) -> Errand:
        """What to ask for: whole, and of instances and frames in an envelope, whose end proves it whole."""
        wishes = list(self.wanted if wanted is None else wanted)
        if resource.kind is Kind.DICOM:
            wishes = [wish for wish in wishes if wish.media == DICOM]
        if resource.kind in (Kind.DICOM, Kind.FRAMES):
            wishes = list(dict.fromkeys(replace(wish, multipart=True) for wish in wishes))
        inbound = replace(self.inbound, resource=resource)
        if resource.kind is not self.resource.kind:  # asked for on the way to what the client wants
            inbound = replace(inbound, transaction=Transaction.RETRIEVE, query="")
        outbound = outbound_for(inbound, archive, wishes, self.provisions.box)
        outbound = replace(outbound, fields=outbound.fields.without(*NOT_SHARED))
        return Errand(archive, outbound, resource, wishes, self.provisions.box)

    def mender(self) -> Mender:
        """Fetches anew what turns out to be damaged."""
        return Mender(self.cache.fills, self._mending)

    def _mending(self, key: UnitKey) -> Job | FrameJob:
        resource = resource_of(key, self.resource)
        wanted = None
        lossy = not is_lossless(key.syntax) if key.syntax else False
        if key.kind is UnitKind.INSTANCE and (lossy or self.resource.kind is not Kind.DICOM):
            wanted = [Wish(DICOM, "*" if lossy else key.syntax, multipart=True)]
        elif key.kind is UnitKind.FRAME and lossy:
            wanted = [Wish(OCTETS, "*", multipart=True)]
        errand = self.errand(self.provisions.archives[key.upstream], resource, wanted)
        job = FrameJob if key.kind is UnitKind.FRAME else partial(Job, name=key.which)
        return job(self.larder, errand, again=False)
