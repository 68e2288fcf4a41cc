"""A unit that is damaged while it is being sent is fetched again, alone, and the answer goes on with it."""

from collections.abc import AsyncIterator, Callable

from edgerouter.cache.fills import Fills
from edgerouter.cache.follower import FollowedPart
from edgerouter.cache.segments import Digester
from edgerouter.cache.unit import Held, UnitKey, UnitKind
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import Cut, RouterError
from edgerouter.transactions.jobs import FrameJob, Job, unit_fields
from edgerouter.transactions.sending import closed

_CHANGED = "What was held of it is damaged, and what the upstream has now is not the same; ask again."


class Mender:
    """Fetches units anew for one request; `job` makes the fetch of one."""

    def __init__(self, fills: Fills, job: Callable[[UnitKey], Job | FrameJob]) -> None:
        self._fills = fills
        self._job = job

    async def __call__(
        self, held: Held, digests: bytes | None, start: int, stop: int
    ) -> AsyncIterator[bytes]:
        """The bytes from `start` to `stop` of the unit as it is now, if it has the size, and the digests when
        they are known, of the one that was held. Raises Cut."""
        job = self._job(held.key)
        async with self._fills.join(job.key, job) as follower:
            parts = follower.parts()
            try:
                part = await anext(parts, None)
            except RouterError as error:
                raise Cut("What was held of it is damaged, and cannot be fetched.") from error
            if part is None or not await _is_same(part, held, digests):
                raise Cut(_CHANGED)
            async with closed(part.read(start, stop)) as pieces:
                async for piece in pieces:
                    yield piece


async def _is_same(part: FollowedPart, held: Held, digests: bytes | None) -> bool:
    """Whether the whole part is, as far as can be known, what was held."""
    expected = unit_fields(held, "").get("content-type")
    if expected not in (None, part.fields.get("content-type")):
        return False
    digester, size = Digester(), 0
    async with closed(part.read()) as pieces:
        async for piece in pieces:
            digester.update(memoryview(piece))
            size += len(piece)
    return size == held.size and (digests is None or digester.finish() == digests)


def resource_of(key: UnitKey, asked: Resource) -> Resource:
    """What to ask for to get a unit; a rendition is what was asked for."""
    place = (Level.INSTANCE, key.study, key.series, key.instance)
    if key.kind is UnitKind.INSTANCE:
        return Resource(Kind.DICOM, *place)
    return Resource(Kind.FRAMES, *place, (int(key.which),)) if key.kind is UnitKind.FRAME else asked
