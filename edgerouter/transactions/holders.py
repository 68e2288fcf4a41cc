"""Who holds a study: known from before, else asked of the upstreams at once (law 5).

A retrieve does not wait for a sick upstream when a healthy one says that it has the study; a 404 is said
only when every upstream that may hold it has said so."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import NotFound, ProtocolError, Received, ResponseTimeout, RouterError
from edgerouter.metrics import LOCATED
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.probe import Subject, probe
from edgerouter.transactions.shared import Shared
from edgerouter.transactions.upstreams import Upstream

GRACE = 0.25  # seconds a first holder waits for a better one
PATIENCE = 2.0  # seconds it waits for those that may have another part of it


@dataclass(slots=True)
class Survey:
    """What upstreams said of one study or series: how many instances (-1: unsaid), that they lack it, or
    nothing. Who was not heard, because a holder was found before, is in none of them."""

    holds: dict[str, int] = field(default_factory=dict)
    lacks: set[str] = field(default_factory=set)
    failed: dict[str, RouterError] = field(default_factory=dict)

    def among(self, names: Sequence[str]) -> "Survey":
        """What these said."""
        return Survey(
            {name: count for name, count in self.holds.items() if name in names},
            self.lacks & {*names},
            {name: error for name, error in self.failed.items() if name in names},
        )

    def heard(self, names: Iterable[str]) -> bool:
        """Whether all of these said something, or failed."""
        return {*names} <= {*self.holds, *self.lacks, *self.failed}

    def ranked(self, order: Sequence[str]) -> list[str]:
        return sorted(self.holds, key=lambda name: (-self.holds[name], order.index(name)))


class Holders:
    """Answers "which of these upstreams has it", asking only when nobody told before."""

    def __init__(self, archives: Mapping[str, Upstream], locations: Locations) -> None:
        self._archives = archives
        self._locations = locations
        self._asking: Shared[Survey] = Shared()
        self._probing: Shared[int] = Shared()

    async def of(
        self,
        subject: Subject,
        able: Sequence[str],
        failures: list[RouterError],
        survey: Survey | None = None,
    ) -> AsyncGenerator[Upstream, None]:
        """Those of the able upstreams that may hold it, best first; take the next when one did not give it.

        Who lacks it is left out; why one could not say is added to `failures`. A lone upstream is not
        asked beforehand: its answer to the request itself tells. Sick upstreams come last. `survey` is what
        some of them said just now: they are not asked again."""
        left = list(able)
        known = self._locations.holders(subject.study, subject.series, able)
        if len(able) > 1:
            LOCATED.labels("known" if known else "asked").inc()
        for name in [name for name in known if self._archives[name].healthy]:
            left.remove(name)
            yield self._archives[name]
        while left:
            healthy = [name for name in left if self._archives[name].healthy]
            for name in await self._next(subject, healthy or list(left), failures, left, survey):
                yield self._archives[name]
            survey = None

    async def _next(
        self,
        subject: Subject,
        asked: Sequence[str],
        failures: list[RouterError],
        left: list[str],
        said: Survey | None,
    ) -> list[str]:
        """One round: who of those asked may hold it; all that are done with leave `left`."""
        if len(asked) == 1 and not (said and said.heard(asked)):
            left.remove(asked[0])
            return [asked[0]]
        mute = [name for name in asked if not self._archives[name].takes(Transaction.SEARCH)]
        vocal = [name for name in asked if name not in mute]
        if said is not None and said.heard(vocal):
            survey = said.among(vocal)
        else:
            survey = await self._asking((subject, *vocal), partial(self._survey, subject, vocal))
        candidates = survey.ranked(asked)
        for name, error in survey.failed.items():
            if isinstance(error, Received | ProtocolError):
                mute.append(name)  # it cannot be searched so, and may give the study all the same
            else:
                failures.append(error)
        candidates += mute
        done = {*candidates, *survey.lacks, *survey.failed}
        left[:] = [name for name in left if name not in done]
        return candidates

    async def survey(self, subject: Subject, names: Sequence[str], *, known: bool) -> Survey:
        """What all of these say, each waited for, but not for long once somebody has it; `known`: somebody
        else does."""
        LOCATED.labels("asked").inc()
        key = (subject, *names, "all", known)
        survey = await self._asking(key, partial(self._survey, subject, names, PATIENCE, known=known))
        heard = {*survey.holds, *survey.lacks, *survey.failed}
        for name in (name for name in names if name not in heard):
            survey.failed[name] = ResponseTimeout("The archive did not answer in time.", upstream=name)
        return survey

    async def _survey(
        self, subject: Subject, names: Sequence[str], grace: float | None = None, *, known: bool = False
    ) -> Survey:
        """Ask all at once; a first yes shortens the wait for the rest to a moment of grace."""
        grace = GRACE if grace is None else grace
        survey = Survey()
        clock = asyncio.get_running_loop().time
        until: float | None = clock() + grace if known else None
        async with asyncio.TaskGroup() as group:
            pending = {group.create_task(self._ask(subject, name, survey), name="probe") for name in names}
            while pending:
                patience = None if until is None else until - clock()
                done, pending = await asyncio.wait(
                    pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if survey.holds and until is None:
                    until = clock() + grace
                if not done:
                    break
            _cancel(pending)
        return survey

    async def _ask(self, subject: Subject, name: str, survey: Survey) -> None:
        try:
            # Surveys of different upstreams at the same time are one question to each.
            instances = await self._probing((subject, name), partial(probe, self._archives[name], subject))
        except NotFound:
            survey.lacks.add(name)
            self._locations.learn_lack(subject.study, subject.series, [name])
        except RouterError as error:
            survey.failed[name] = error
        else:
            survey.holds[name] = instances
            self._locations.learn(subject.study, subject.series, name, instances)


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
