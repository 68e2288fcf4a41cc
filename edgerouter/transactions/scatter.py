"""Store (PS3.18 §10.5) of an upload whose instances go different ways: each streams to its own upstream as
it comes, and one answer tells what became of all. The slowest upstream sets the pace of the whole."""

import asyncio
from collections.abc import Iterator, Mapping

from edgerouter.dicomweb.media import DICOM, content_type_of_multipart
from edgerouter.dicomweb.multipart import new_boundary
from edgerouter.dicomweb.store_merge import merge
from edgerouter.dicomweb.store_response import StoreResponse
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import BadRequest, UnsupportedMediaType
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Sorting
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.leg import Leg
from edgerouter.transactions.sorter import Sorter
from edgerouter.transactions.split import Splitter
from edgerouter.transactions.upload import Parts, upload_type
from edgerouter.upstream.seam import Archive


async def scatter(
    inbound: Inbound, sorting: Sorting, archives: Mapping[str, Archive], box: TokenBox
) -> Reply:
    """Send each instance where the rules want it, and answer for all of them.

    What goes wrong with one upstream fails its own instances only. Raises RequestError for an upload that
    is not one, and what reading it raises; then every upstream sees its share cut."""
    parts = _parts(inbound.fields)
    media = wishes_of(inbound)[0].media
    if inbound.body is None or inbound.body_length == 0:
        raise BadRequest("The upload has no body.")
    boundary = new_boundary()
    sorter = Sorter(sorting, archives, inbound.resource.study)
    legs = _Legs(inbound, archives, box, boundary)
    await legs.feed(Splitter(parts, sorter.place, boundary))
    # Some 20,000 instances take a second of many small steps: between those, others get their turn.
    status, body = await asyncio.to_thread(_module, legs, sorter, media)
    fields = [("content-type", media), ("vary", "accept"), ("cache-control", "no-store")]
    if status == 405:
        fields.append(("allow", ""))  # RFC 9110 §15.5.6 asks for Allow; empty: no method at all
    fields += [("warning", f"299 {inbound.public}: {text}") for text in _warnings(legs, sorter)]
    return Reply(status, Fields(fields), body, length=len(body))


class _Legs(dict[str, Leg]):
    """The shares of one upload, by upstream, in the order of their first instances."""

    def __init__(
        self, inbound: Inbound, archives: Mapping[str, Archive], box: TokenBox, boundary: str
    ) -> None:
        super().__init__()
        self._inbound = inbound
        self._archives = archives
        self._box = box
        self._boundary = boundary

    async def feed(self, splitter: Splitter) -> None:
        """Pass the whole upload on and wait for all answers."""
        fault: Exception | None = None
        async with asyncio.TaskGroup() as group:
            try:
                await self._pass_on(splitter, group)
            except Exception as error:
                fault = error
                for leg in self.values():
                    leg.cancel()
        if fault is not None:
            raise fault

    async def _pass_on(self, splitter: Splitter, group: asyncio.TaskGroup) -> None:
        assert self._inbound.body is not None
        async for chunk in self._inbound.body:
            for upstream, data in splitter.feed(chunk):
                await self._leg(upstream, group).put(data)
        for upstream, data in splitter.close():
            await self._leg(upstream, group).put(data, last=True)

    def _leg(self, upstream: str, group: asyncio.TaskGroup) -> Leg:
        if upstream not in self:
            self[upstream] = Leg(self._inbound, self._archives[upstream], self._box, self._boundary)
            self[upstream].start(group)
        return self[upstream]


def _parts(fields: Fields) -> Parts:
    """The reader of an upload of whole instances; raises RequestError for any other."""
    content_type, reader = upload_type(fields, single_part=True)
    envelope = content_type_of_multipart(content_type)
    if envelope and envelope[0] and envelope[0].essence != DICOM:
        what = "Rules look at each instance here: it has to come whole, as application/dicom."
        raise UnsupportedMediaType(what)
    return Parts(reader)


def _module(legs: Mapping[str, Leg], sorter: Sorter, media: str) -> tuple[int, bytes]:
    """The status and the module for the client."""
    status, response = _merged(legs, sorter)
    return status, response.write(media)


def _merged(legs: Mapping[str, Leg], sorter: Sorter) -> tuple[int, StoreResponse]:
    answers = [leg.told(sorter.sent[name]) for name, leg in legs.items()]
    status, response = merge([*answers, *sorter.refusals()])
    if not answers and len(sorter.refused) == 1:
        # Nobody was asked, and all were refused alike: so is the request.
        [status] = sorter.refused
    return status, response


def _warnings(legs: Mapping[str, Leg], sorter: Sorter) -> Iterator[str]:
    """What the module cannot tell: which upstream failed, and why a rule refuses."""
    for name, leg in legs.items():
        if leg.trouble:
            yield f"Source {name} did not take its instances: {leg.trouble}"
    for reason in sorter.reasons:
        yield reason.encode("ascii", "replace").decode("ascii")
