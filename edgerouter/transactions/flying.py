"""Which job is bringing which frame."""

from collections.abc import Iterable
from dataclasses import replace
from weakref import WeakValueDictionary

from edgerouter.cache.fills import Fills
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.jobs import FrameJob, Larder


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
