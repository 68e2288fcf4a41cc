"""Values cut out of an instance: bulk data under URIs of ours, and the document that is one."""

import re
from collections.abc import Sequence

from edgerouter.cache.freshness import Kept
from edgerouter.cache.unit import Held
from edgerouter.dicom.dictionary import hex_tag
from edgerouter.dicom.part10 import PIXELS
from edgerouter.dicom.syntaxes import transfer_syntax
from edgerouter.dicomweb.media import DICOM, Wish, best
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.http.reply import Reply
from edgerouter.transactions.derived import Derived, unit_of
from edgerouter.transactions.describing import WORD
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.pixels import choose, frames_of
from edgerouter.transactions.promotion import instance_wishes
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.retrieve_instances import InstancesRetrieval
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation
from edgerouter.transactions.values import DOCUMENT, Values

_TAIL = re.compile(WORD + r"/([0-9A-F]{8}(?:/[1-9][0-9]{0,8}/[0-9A-F]{8}){0,32})\Z")
_PIXELS = frozenset(map(hex_tag, PIXELS))


def place_in(resource: Resource) -> str | None:
    """The place in the data set that a BulkDataURI of ours names, None for any other."""
    if resource.kind is not Kind.BULKDATA or resource.level is not Level.INSTANCE:
        return None
    found = _TAIL.match(resource.tail)
    return found[1] if found else None


class ValueRetrieval:
    """See retrieval.Retrieval. The instance is fetched first when it is not held; what is not in it may
    still be known to the upstream."""

    def __init__(self, request: Request, validation: Validation, values: Values, where: str) -> None:
        self._request = request
        self._values = values
        self._where = where
        resource = request.resource
        instance = Resource(Kind.DICOM, Level.INSTANCE, resource.study, resource.series, resource.instance)
        wanted = [Wish(DICOM, "*", multipart=True)]
        if where in _PIXELS:
            wanted = instance_wishes(request.wanted)
        self._whole = request.for_instances(instance, wanted)
        self._instances = InstancesRetrieval(self._whole, validation)

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request = self._request
        found = await self._instances.found(upstream, look_up)
        request.forwarded[upstream] = found.forwarded
        held = await look_up.representations(upstream, self._whole.resource, Kept.INSTANCE)
        units = await cut(request, self._values, held, self._where)
        return await request.hit(units, label) if units else None

    async def fetched(self, archive: Upstream) -> Reply:
        request = self._request
        held = [unit_of(unit) for unit in await self._instances.brought(archive)]
        units = await cut(request, self._values, held, self._where)
        return await request.hit_of_brought(units, archive, "The value is not in what is kept.")


async def cut(request: Request, values: Values, held: Sequence[Held], where: str) -> Sequence[Derived]:
    """The value at a place of one of these representations of an instance, as it is wished; [] if there is
    none. Compressed pixels are their frames, a part each."""
    wanted, name = request.wanted, f"{WORD}/{where}"
    for one in held:
        if where in _PIXELS and transfer_syntax(one.key.syntax).encapsulated:
            if units := await _compressed(request, values, one):
                return units
            continue
        found = [await values.value(one, where, name)]
        if where == DOCUMENT:
            found.append(await values.document(one, name))
        forms = {(value.key.media, value.key.syntax or None): value for value in found if value}
        if pick := best(wanted, list(forms)):
            return [forms[pick[1]]]
    return []


async def _compressed(request: Request, values: Values, held: Held) -> Sequence[Derived]:
    """Its frames, a part each, or the stream of a video; [] when that is not what is wished."""
    wanted, tables = request.wanted, request.larder.look_up.tables
    chosen = await choose([held], wanted, tables)
    if chosen is None:
        stream = await values.stream([held], wanted)
        return [stream] if stream else []
    if chosen[1].frames > 1:  # only an envelope holds them
        most = wanted[0].q
        chosen = await choose([held], [one for one in wanted if one.multipart and one.q == most], tables)
    return await frames_of(*chosen) if chosen else []
