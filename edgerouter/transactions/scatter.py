"""Store (PS3.18 §10.5) of an upload whose instances go different ways: each streams to its own upstream as
it comes, and one answer tells what became of all. The slowest upstream sets the pace of the whole."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence, Set

from edgerouter.dicomweb.media import DICOM, content_type_of_multipart
from edgerouter.dicomweb.multipart import new_boundary
from edgerouter.dicomweb.store_merge import merge
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import BadRequest, UnsupportedMediaType
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Sorting
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.leg import Leg
from edgerouter.transactions.sorter import Sorter
from edgerouter.transactions.split import Piece, Splitter
from edgerouter.transactions.upload import Parts, upload_type
from edgerouter.upstream.seam import Archive

IDLE = 10.0  # seconds; archives give up a request that says nothing for 30 or more


async def scatter(
    inbound: Inbound, sorting: Sorting, archives: Mapping[str, Archive], box: TokenBox
) -> Reply:
    """Send each instance where the rules want it, and answer for all of them.

    What goes wrong with one upstream fails its own instances only. Raises RequestError for an upload that
    is not one, and what reading it raises; then every request under way is cut."""
    parts = _parts(inbound.fields)
    media = wishes_of(inbound)[0].media
    if inbound.body is None or inbound.body_length == 0:
        raise BadRequest("The upload has no body.")
    sorter = Sorter(sorting, archives, inbound.resource.study)
    scattering = _Scattering(inbound, archives, box, sorter, parts)
    legs = await scattering.run()
    # Some 20,000 instances take a second of many small steps: between those, others get their turn.
    status, body = await asyncio.to_thread(_module, legs, sorter, media)
    fields = [("content-type", media), ("vary", "accept"), ("cache-control", "no-store")]
    if status == 405:
        fields.append(("allow", ""))  # RFC 9110 §15.5.6 asks for Allow; empty: no method at all
    fields += [("warning", f"299 {inbound.public}: {text}") for text in _warnings(legs, sorter)]
    return Reply(status, Fields(fields), body, length=len(body))


class _Scattering:
    """One upload on its way through: a leg for each upstream, from its first instance on."""

    def __init__(
        self,
        inbound: Inbound,
        archives: Mapping[str, Archive],
        box: TokenBox,
        sorter: Sorter,
        parts: Parts,
    ) -> None:
        self._inbound = inbound
        self._archives = archives
        self._box = box
        self._sorter = sorter
        self._boundary = new_boundary()
        self._splitter = Splitter(parts, sorter.place, self._boundary)
        self._legs: list[Leg] = []
        self._open: dict[str, Leg] = {}

    async def run(self) -> list[Leg]:
        """Pass the whole upload on, wait for all answers, and hand over the legs that have them."""
        fault: Exception | None = None
        async with asyncio.TaskGroup() as group:
            try:
                await self._pass_on(group)
            except Exception as error:
                fault = error
                for leg in self._legs:
                    leg.cancel()
        if fault is not None:
            raise fault
        return self._legs

    async def _pass_on(self, group: asyncio.TaskGroup) -> None:
        assert self._inbound.body is not None
        async for chunk in self._inbound.body:
            pieces = await self._sorted(chunk)
            for at, (upstream, data) in enumerate(pieces):
                while not await self._leg(upstream, group).put_within(IDLE, data):
                    await self._end_the_idle({name for name, _ in pieces[at:]})
            await self._end_the_idle(set())
        for upstream, data in await asyncio.to_thread(self._splitter.close):
            await self._end(self._leg(upstream, group), data)

    async def _sorted(self, chunk: bytes) -> list[Piece]:
        """A head costs a tenth of a millisecond, a hostile one two hundred."""
        events = self._splitter.read(chunk)
        if self._splitter.looks_into(events):
            return await asyncio.to_thread(self._splitter.sorted, events)
        return self._splitter.sorted(events)

    def _leg(self, upstream: str, group: asyncio.TaskGroup) -> Leg:
        if upstream not in self._open:
            leg = Leg(self._inbound, self._archives[upstream], self._box, self._boundary)
            leg.start(group)
            self._open[upstream] = leg
            self._legs.append(leg)
        return self._open[upstream]

    async def _end_the_idle(self, needed: Set[str]) -> None:
        """Complete the requests that wait while all goes elsewhere, before their upstreams give them up;
        what comes for one of those later, not being `needed` now, goes in a new request."""
        for leg in list(self._open.values()):
            if leg.idle > IDLE and leg.name not in needed and leg.name != self._splitter.current:
                await self._end(leg, self._splitter.end(leg.name))

    async def _end(self, leg: Leg, data: bytes) -> None:
        del self._open[leg.name]
        leg.instances = self._sorter.sent.pop(leg.name)
        await leg.put(data, last=True)


def _parts(fields: Fields) -> Parts:
    """The reader of an upload of whole instances; raises RequestError for any other."""
    content_type, reader = upload_type(fields, single_part=True)
    envelope = content_type_of_multipart(content_type)
    if envelope and envelope[0] and envelope[0].essence != DICOM:
        what = "Rules look at each instance here: it has to come whole, as application/dicom."
        raise UnsupportedMediaType(what)
    return Parts(reader)


def _module(legs: Sequence[Leg], sorter: Sorter, media: str) -> tuple[int, bytes]:
    """The status and the module for the client."""
    status, response = merge([*(leg.told() for leg in legs), *sorter.refusals()])
    if not legs and len(sorter.refused) == 1:
        # Nobody was asked, and all were refused alike: so is the request.
        [status] = sorter.refused
    return status, response.write(media)


def _warnings(legs: Sequence[Leg], sorter: Sorter) -> Iterator[str]:
    """What the module cannot tell: which upstream failed, and why a rule refuses."""
    troubles = (f"Source {leg.name} did not take its instances: {leg.trouble}" for leg in legs if leg.trouble)
    yield from dict.fromkeys(troubles)
    yield from (reason.encode("ascii", "replace").decode("ascii") for reason in sorter.reasons)
