"""A study or series that several archives have, retrieved from all of them, each instance once; the best
holder's copy wins (law 5). Whether it is all there is known, and said, before the first byte."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from edgerouter.dicomweb.media import JSON, ZIP, Wish
from edgerouter.dicomweb.multipart import new_boundary
from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.errors import ProtocolError, RouterError, UpstreamError
from edgerouter.http.coding import accepts_gzip
from edgerouter.http.reply import Reply
from edgerouter.routing.router import Route
from edgerouter.transactions import outcomes
from edgerouter.transactions.bodies import gzipped
from edgerouter.transactions.cached import Cached
from edgerouter.transactions.holding import ABSENT, Holding, Standing
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.keeping import directives
from edgerouter.transactions.probe import Subject
from edgerouter.transactions.sources import Source
from edgerouter.transactions.streams import OwnedBody, begun
from edgerouter.transactions.union_body import Answer, dropped, one_array, one_envelope
from edgerouter.transactions.union_plan import Step
from edgerouter.transactions.union_work import Work, marked_partial, union_fields
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)

AHEAD = 4  # requests begun at once where what comes goes to disk

One = Callable[[Inbound, Route], Awaitable[Reply]]
"""A retrieve from the only upstream of a route."""


class _Lost(Exception):
    """A source did not give its share before the first byte."""

    def __init__(self, source: str, error: RouterError) -> None:
        self.source = source
        self.error = error


def is_divisible(inbound: Inbound) -> bool:
    """Whether what is asked for is made of instances that several archives may have."""
    resource = inbound.resource
    kinds = (Kind.DICOM, Kind.METADATA)
    divided = resource.kind in kinds and resource.level in (Level.STUDY, Level.SERIES)
    return divided and inbound.transaction is Transaction.RETRIEVE and bool(resource.study)


class Union:
    """Retrieves from all holders; `one` retrieves from one of them."""

    def __init__(
        self, archives: Mapping[str, Upstream], holding: Holding, cached: Cached | None, one: One
    ) -> None:
        self._archives = archives
        self._holding = holding
        self._cached = cached
        self._one = one

    async def answer(
        self, inbound: Inbound, wanted: Sequence[Wish], able: Sequence[str], route: Route
    ) -> Reply | Standing:
        """The reply; or who holds it, where one archive at most does and all others said so, or nobody gave
        anything. Raises errors.RouterError where a rule wants all of it."""
        subject = Subject(inbound.resource.study or "", inbound.resource.series or "", inbound.via)
        ask = "only-if-cached" not in directives(inbound.fields)
        standing = await self._holding.standing(inbound, subject, able, route.max_stale, ask=ask)
        if not standing.holders or (len(standing.holders) == 1 and not standing.failed):
            return standing
        if len(standing.holders) == 1:
            lists = dict.fromkeys(standing.holders)
        else:
            lists = await self._holding.lists(inbound, subject, standing, route.max_stale, ask=ask)
        kept = bool(self._cached and self._cached.retrieval(inbound, wanted, route))
        work = Work(inbound, wanted, route, able, lists, standing.failed, kept=kept)
        return await self._held(work) or await self._answered(work) or standing

    async def _held(self, work: Work) -> Reply | None:
        """A copy of all of it that is held, whoever is the better holder: nobody need be asked."""
        copies = [] if work.missing else work.copies
        retrieval = self._cached and self._cached.retrieval(work.inbound, work.wanted, work.route)
        return await retrieval.held(copies) if retrieval and len(copies) > 1 else None

    async def _answered(self, work: Work) -> Reply | None:
        """The answer of those that give their share; None when nobody does."""
        while work.lists:
            missing = work.missing
            if missing and work.route.strict:
                failure = outcomes.failure([*missing, *map(Source, work.lists)], strict=True)
                raise failure or ProtocolError("Not all of it can be had.")
            try:
                reply = await self._assembled(work)
            except _Lost as lost:
                work.lose(lost.source, None if lost.error.status in ABSENT else lost.error)
            else:
                if reply is not None:
                    return marked_partial(reply, missing, work.inbound.public) if missing else reply
        return None

    async def _assembled(self, work: Work) -> Reply | None:
        """The reply with its first bytes here; None when fewer sources than thought can be put together.

        Raises _Lost."""
        inbound, steps = work.inbound, work.steps()
        if len(steps) == 1 and steps[0].resource == inbound.resource:
            return await self._alone(work, steps[0].source)
        if work.wanted[0].media == ZIP:
            return await self._zipped(work, steps)
        boundary = new_boundary()
        if inbound.method == "HEAD":
            return Reply(200, union_fields(work, (), boundary))
        ahead = AHEAD if work.kept else 1
        answers = await self._begun(work, steps[:ahead])
        fields = union_fields(work, answers, boundary)
        status = 206 if any(reply.status == 206 for _, reply in answers) else 200
        following = self._following(work, answers, steps[ahead:], ahead)
        metadata = inbound.resource.kind is Kind.METADATA
        if metadata and work.wanted[0].media == JSON:
            body = one_array(following, inbound.resource)
        else:
            body = one_envelope(following, boundary)
        if metadata and accepts_gzip(inbound.fields.get("accept-encoding")):
            body, fields = gzipped(body), fields.set("content-encoding", "gzip")
        stack = AsyncExitStack()
        stack.push_async_callback(_drop_all, answers)
        return Reply(status, fields, OwnedBody(body, stack))

    async def _alone(self, work: Work, source: str) -> Reply:
        """One source has all that can be had."""
        inbound = work.unconditional if work.missing else work.inbound
        try:
            reply = await self._one(inbound, replace(work.route, upstreams=(source,)))
            return reply if inbound.method == "HEAD" else await begun(reply)
        except RouterError as error:
            raise _Lost(source, error) from error

    async def _zipped(self, work: Work, steps: Sequence[Step]) -> Reply | None:
        """One zip archive of what is kept of all; where that is not to be had, the others are missing."""
        if work.kept and self._cached and work.inbound.method != "HEAD":
            sources = [(self._archives[step.source], work.asking(step)) for step in steps]
            try:
                return await self._cached.zipped(work.inbound, work.wanted, sources)
            except UpstreamError as error:
                logger.info("instances of several archives are not put in one zip archive: %s", error.detail)
        for name in {step.source for step in steps[1:]} - {steps[0].source}:
            work.lose(name, ProtocolError("Its instances cannot be added to a zip archive.", upstream=name))
        return None

    async def _begun(self, work: Work, steps: Sequence[Step]) -> list[Answer]:
        """The answers to these, each with its first bytes here. Raises _Lost, and leaves nothing open."""
        found: dict[Step, Reply] = {}
        losses: list[_Lost] = []

        async def one(step: Step) -> None:
            try:
                found[step] = await self._first(work, step)
            except _Lost as lost:
                losses.append(lost)

        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(one(step), name="retrieve a share")
        except BaseException:
            await dropped(*found.values())
            raise
        if losses:
            await dropped(*found.values())
            raise losses[0]
        return [(step, found[step]) for step in steps]

    async def _first(self, work: Work, step: Step) -> Reply:
        """The reply to a step, from another source that has all of it where the first does not give it."""
        failures: list[RouterError] = []
        for each in (step, *work.others(step)):
            try:
                reply = await self._one(work.asking(each), replace(work.route, upstreams=(each.source,)))
                if reply.status < 300:
                    return await begun(reply)
                await dropped(reply)
                what = "The archive does not answer with what it has."
                failures.append(ProtocolError(what, upstream=each.source))
            except RouterError as error:
                failures.append(error)
        raise _Lost(step.source, failures[0])

    async def _following(
        self, work: Work, answers: list[Answer], steps: Sequence[Step], ahead: int
    ) -> AsyncGenerator[Answer, None]:
        """Every answer in turn, a few begun before they are due; `answers` are those begun and not read."""
        left = list(steps)
        while answers or left:
            if not answers:
                some, left = left[:ahead], left[ahead:]
                try:
                    answers += await self._begun(work, some)
                except _Lost as lost:
                    raise lost.error from None  # too late to say so otherwise: the body breaks off
            yield answers.pop(0)


async def _drop_all(answers: list[Answer]) -> None:
    await dropped(*(reply for _, reply in answers))
