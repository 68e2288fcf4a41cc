"""Instances as one zip archive, made of those that are held; what is missing is fetched first, as for any
other answer of them."""

from dataclasses import replace

from edgerouter.cache.unit import Held
from edgerouter.dicomweb.media import DICOM, ZIP
from edgerouter.http.reply import Reply
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.retrieve_instances import InstancesRetrieval
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation
from edgerouter.transactions.zipped import ZipHit


class ZipRetrieval:
    """See retrieval.Retrieval. An archive of what may not be kept is the upstream's own."""

    def __init__(self, request: Request, validation: Validation) -> None:
        files = [replace(wish, media=DICOM, multipart=True) for wish in request.wanted if wish.media == ZIP]
        self._request = request.for_instances(request.resource, files)
        self._instances = InstancesRetrieval(self._request, validation)

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        found = await self._instances.found(upstream, look_up)
        return await self._zip(found.whole, label) if found.whole else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        unsuitable = Unsuitable("The archive cannot be made of what is kept.", upstream=archive.name)
        if request.inbound.method == "HEAD":
            raise unsuitable  # not worth a fetch of everything
        units = await self._instances.brought(archive)
        reply = await self._zip(units, request.brought(archive.name))
        if reply is None:
            raise unsuitable
        return reply

    async def units(self, archive: Upstream) -> tuple[tuple[Held, ...], bool]:
        """The instances, once they are held, and whether they were. Raises as InstancesRetrieval.brought."""
        request = self._request
        found = await self._instances.found(archive.name, request.larder.look_up)
        if found.whole and not request.inbound.bypass:
            return found.whole, True
        return await self._instances.brought(archive), False

    async def _zip(self, units: tuple[Held, ...], label: Label) -> Reply | None:
        request = self._request
        hit = ZipHit(request.provisions, request.inbound, units, request.mender(), label)
        reply = await hit.reply(request.larder.look_up.clock())
        if reply is None:
            request.lost.add(units[0].key)
        return reply
