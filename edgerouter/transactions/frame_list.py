"""A frame list as it leaves: every frame in the order asked, from disk where it is held, else from the fills
that fetch what is missing; a few fills ahead of what is being sent."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import islice
from weakref import WeakValueDictionary

from edgerouter.cache.fills import Fills
from edgerouter.cache.follower import FollowedPart, Follower
from edgerouter.errors import Cut
from edgerouter.transactions.fetch import Errand, Unsuitable
from edgerouter.transactions.jobs import FrameJob, Larder
from edgerouter.transactions.sending import HeldPart, Part

AHEAD = 4  # fills joined at once


class Mixture(Exception):
    """Some frames would leave in one transfer syntax and some in another."""


class Flying:
    """Which job is bringing which frame: lists that overlap share what they have in common (law 4)."""

    def __init__(self, fills: Fills) -> None:
        self._fills = fills
        self._jobs: WeakValueDictionary[tuple[object, ...], FrameJob] = WeakValueDictionary()

    def jobs(
        self, larder: Larder, errand: Errand, numbers: Iterable[int], *, again: bool
    ) -> dict[int, FrameJob]:
        """A job for each of these frames: one that is under way, or new ones, each of as many frames as the
        archive likes to be asked for at once.

        `again` as for the jobs: who wants nothing that is held wants no job that may look, either."""
        keys = {number: errand.of(replace(errand.resource, frames=(number,))).key for number in numbers}
        found = {number: job for number, key in keys.items() if again and (job := self._coming(key))}
        fresh = sorted(set(keys) - set(found))
        most = 1 if errand.archive.name in larder.unlocated else errand.archive.profile.frames_batch
        for at in range(0, len(fresh), most or len(fresh) or 1):
            some = tuple(fresh[at : at + most] if most else fresh)
            job = FrameJob(larder, errand.of(replace(errand.resource, frames=some)), again=again)
            for number in some:
                found[number] = self._jobs[keys[number]] = job
        return found

    def _coming(self, key: tuple[object, ...]) -> FrameJob | None:
        """The job that brings this frame, unless it is over."""
        job = self._jobs.get(key)
        return job if job and (not job.begun or self._fills.is_under_way(job.key)) else None


class _Picker:
    """The parts of one fill by their place. What was passed over is picked from disk later."""

    def __init__(self, job: FrameJob, follower: Follower) -> None:
        self.follower = follower
        self._job = job
        self._parts = follower.parts()
        self._seen: list[FollowedPart] = []

    async def frame(self, number: int) -> FollowedPart:
        place = self._job.numbers.index(number)
        while len(self._seen) <= place:
            part = await anext(self._parts, None)
            if part is None:
                raise Cut("The upstream sent fewer frames than were asked for.")
            self._seen.append(part)
        return self._seen[place]


class FrameList:
    """One client's frame list; `sources` are the frames in the order asked, and where each comes from."""

    def __init__(self, sources: Sequence[tuple[int, HeldPart | FrameJob]], fills: Fills) -> None:
        self._sources = sources
        self._jobs = [*dict.fromkeys(source for _, source in sources if isinstance(source, FrameJob))]
        self._fills = fills
        self._pickers: dict[FrameJob, _Picker] = {}
        self._stack = AsyncExitStack()

    async def begin(self) -> Follower:
        """Wait until the first frame that is fetched comes, and the last: then none is out of range.

        Raises errors.UpstreamError, Unsuitable when the frames cannot be put into the order asked, Mixture
        when what comes is not of the form of what is held."""
        fetched = [(number, job) for number, job in self._sources if isinstance(job, FrameJob)]
        first = await self._picker(fetched[0][1])
        form = (await first.frame(fetched[0][0])).fields.get("content-type")
        if any(
            isinstance(part, HeldPart) and part.fields.get("content-type") != form
            for _, part in self._sources
        ):
            raise Mixture
        if self._is_out_of_order(fetched) and not first.follower.stored:
            raise Unsuitable("The frames come in another order, and may not be kept.")
        last = await self._picker(max(fetched, key=lambda source: source[0])[1])
        if last is not first:
            await last.follower.head()
        return first.follower

    async def parts(self) -> AsyncGenerator[Part, None]:
        """The frames, in the order asked."""
        for number, source in self._sources:
            if isinstance(source, HeldPart):
                yield source
            else:
                yield await (await self._picker(source)).frame(number)

    async def aclose(self) -> None:
        await self._stack.aclose()

    async def _picker(self, job: FrameJob) -> _Picker:
        """The job's, joined now with the next few, so that they come while this one is sent."""
        at = self._jobs.index(job)
        for one in islice(self._jobs, at, at + AHEAD):
            if one not in self._pickers:
                follower = await self._stack.enter_async_context(self._fills.join(one.key, one))
                self._pickers[one] = _Picker(one, follower)
        return self._pickers[job]

    @staticmethod
    def _is_out_of_order(fetched: Sequence[tuple[int, FrameJob]]) -> bool:
        """Whether a frame is wanted after one that its fill brings later."""
        newest: dict[FrameJob, int] = {}
        for number, job in fetched:
            if number <= newest.get(job, 0):
                return True
            newest[job] = number
        return False
