"""All bulk data of an instance (PS3.18 §10.4.1.1.5): its values out of the held file, each under its URI."""

import re
from collections.abc import Sequence

from edgerouter.cache.freshness import Kept
from edgerouter.dicomweb.media import DICOM, Wish
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.http.reply import Reply
from edgerouter.transactions.derived import Derived
from edgerouter.transactions.describing import WORD, Describing
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.retrieve_instances import InstancesRetrieval
from edgerouter.transactions.retrieve_values import cut
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation
from edgerouter.transactions.values import Values

_LINK = re.compile(rb'"BulkDataURI":"[^"]*/' + WORD.encode() + rb'/([0-9A-F/]+)"')
_MOST = 5000  # parts of one answer: what is known of each is in memory while it leaves


class BulkdataRetrieval:
    """See retrieval.Retrieval. Only where the URIs in the metadata are ours: where those are made of the
    instances. An upstream's own say nothing of where in a file their values are."""

    def __init__(
        self, request: Request, validation: Validation, values: Values, describing: Describing
    ) -> None:
        self._request = request
        self._values = values
        self._describing = describing
        resource = request.resource
        uids = (resource.study, resource.series, resource.instance)
        self._row = Resource(Kind.METADATA, Level.INSTANCE, *uids)
        whole = Resource(Kind.DICOM, Level.INSTANCE, *uids)
        self._whole = request.for_instances(whole, [Wish(DICOM, "*", multipart=True)])
        self._instances = InstancesRetrieval(self._whole, validation)

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        if not look_up.derives(upstream):
            return None
        request = self._request
        found = await self._instances.found(upstream, look_up)
        request.forwarded[upstream] = found.forwarded
        units = await self._each(upstream, look_up)
        return await request.hit(units, label) if units else None

    async def fetched(self, archive: Upstream) -> Reply:
        request, look_up = self._request, self._request.larder.look_up
        units: Sequence[Derived] = ()
        if look_up.derives(archive.name):
            await self._instances.brought(archive)
            units = await self._each(archive.name, look_up)
        return await request.hit_of_brought(units, archive, "The values are not in what is kept.")

    async def _each(self, upstream: str, look_up: LookUp) -> Sequence[Derived]:
        """Every value that the metadata refer to, in their order; [] when there is none, or one of them
        cannot be had as it is wished."""
        units: list[Derived] = []
        held = await look_up.representations(upstream, self._whole.resource, Kept.INSTANCE)
        for where in await self._places(upstream, look_up) if held else ():
            some = await cut(self._request, self._values, held, where)
            units += some
            if not some or len(units) > _MOST:
                return []
        return units if len({unit.key.media for unit in units}) == 1 else []

    async def _places(self, upstream: str, look_up: LookUp) -> Sequence[str]:
        """The places of the values in the data set, by the metadata that we made of it."""
        archive = self._request.provisions.archives[upstream]
        row = await self._describing.rows(archive, self._row, look_up)
        if row is None or not row.derived or not row.rows:
            return ()
        return places_in(row.rows[0].data)


def places_in(row: bytes) -> list[str]:
    """The places in the data set that a row of ours refers to; a quote inside a text is never bare there."""
    return [found.decode() for found in _LINK.findall(row)]
