"""All pixel data of an instance, series or study: the frames of held instances, one part each, and videos
whole."""

from collections.abc import Mapping, Sequence

from edgerouter.cache.freshness import Kept
from edgerouter.cache.listings import Member
from edgerouter.cache.unit import Held
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.http.reply import Reply
from edgerouter.transactions.derived import Derived, unit_of
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.held import LookUp
from edgerouter.transactions.hits import Label
from edgerouter.transactions.pixels import choose, frames_of, has_no_pixels
from edgerouter.transactions.promotion import instance_wishes
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.retrieve_instances import InstancesRetrieval
from edgerouter.transactions.upstreams import Upstream
from edgerouter.transactions.validation import Validation
from edgerouter.transactions.values import Values

_MOST = 20_000  # frames of one answer: what is known of each is in memory while it leaves


class PixelsRetrieval:
    """See retrieval.Retrieval. Instances without pixels contribute nothing. What is missing of one instance
    is fetched with it; of a study or series it is left to the upstream."""

    def __init__(self, request: Request, validation: Validation, values: Values) -> None:
        self._request = request
        self._values = values
        resource = request.resource
        uids = (resource.study, resource.series, resource.instance)
        self._whole = request.for_instances(
            Resource(Kind.DICOM, resource.level, *uids), instance_wishes(request.wanted)
        )
        self._instances = InstancesRetrieval(self._whole, validation)

    async def held(self, upstream: str, look_up: LookUp, label: Label) -> Reply | None:
        request, resource = self._request, self._whole.resource
        if resource.level is Level.INSTANCE:
            member = (resource.series or "", resource.instance or "")
            held = {member: await look_up.representations(upstream, resource, Kept.PIXELS)}
            frames = await self._frames([member], held)
        else:
            members = await look_up.members(upstream, resource)
            held = await look_up.each_representation(upstream, resource, Kept.PIXELS) if members else {}
            frames = await self._frames(members, held)
        return await request.hit(frames, label) if frames else None

    async def fetched(self, archive: Upstream) -> Reply:
        request, resource = self._request, self._whole.resource
        lacking = "The pixels are not to be had from what is kept."
        if resource.level is not Level.INSTANCE:
            raise Unsuitable(lacking, upstream=archive.name)
        units = await self._instances.brought(archive)
        member = (resource.series or "", resource.instance or "")
        frames = await self._frames([member], {member: [unit_of(unit) for unit in units]})
        return await request.hit_of_brought(frames, archive, lacking)

    async def _frames(
        self, members: Sequence[Member], held: Mapping[Member, Sequence[Held]]
    ) -> Sequence[Derived]:
        """The frames of all members; [] when there are none, or some of them cannot be cut out."""
        request, frames = self._request, list[Derived]()
        tables = request.larder.look_up.tables
        for member in members:
            some = [unit for unit in held.get(member, ()) if request.trusted(unit)]
            chosen = await choose(some, request.wanted, tables)
            if chosen and len(frames) + chosen[1].frames <= _MOST:
                frames += await frames_of(*chosen)
            elif not chosen and (stream := await self._values.stream(some, request.wanted)):
                frames.append(stream)
            elif chosen or not await has_no_pixels(some, tables):
                return []
        return frames
