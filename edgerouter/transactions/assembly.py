"""An answer put together: every part in the order asked, from disk where it is held, else from the fills that
fetch what is missing; a few fills ahead of what is being sent."""

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from itertools import islice
from typing import Protocol

from edgerouter.cache.fill import Fill
from edgerouter.cache.follower import FollowedPart, Follower
from edgerouter.errors import Cut
from edgerouter.transactions.fetch import Unsuitable
from edgerouter.transactions.sending import HeldPart, Part

AHEAD = 4  # fills joined at once


class Fetching(Protocol):
    """A fetch under the key that makes two of them the same."""

    key: tuple[str, ...]

    async def __call__(self, fill: Fill) -> None: ...


class Bringer(Fetching, Protocol):
    """A fetch that brings several parts."""

    def brings(self, name: Hashable, place: int, part: FollowedPart) -> bool:
        """Whether that part, the `place`th (from 0), is the one of this name."""


# How a job's fill is followed.
Join = Callable[[Bringer], AbstractAsyncContextManager[Follower]]
# What a part is called, and where it comes from.
Source = tuple[Hashable, HeldPart | Bringer]
EVERY = object()  # in the place of a name: all that the fetch brings, in its order


class Mixture(Exception):
    """Some parts would leave in one transfer syntax and some in another."""


class _Picker:
    """The parts of one fill by their names. What was passed over is picked from disk later."""

    def __init__(self, job: Bringer, follower: Follower) -> None:
        self.follower = follower
        self._job = job
        self._parts = follower.parts()
        self._found: dict[Hashable, FollowedPart] = {}
        self._passed: list[tuple[int, FollowedPart]] = []
        self._seen = 0

    async def part(self, name: Hashable) -> FollowedPart:
        """The part of this name, when it is here. Raises Cut when the answer is over without it."""
        if name is EVERY:
            return await self._first()
        found = self._found.get(name) or self._picked(name)
        while found is None:
            part = await anext(self._parts, None)
            if part is None:
                raise Cut("The upstream did not send all that it was asked for.")
            if self._job.brings(name, self._seen, part):
                found = part
            else:
                self._passed.append((self._seen, part))
            self._seen += 1
        self._found[name] = found
        return found

    async def every(self) -> AsyncGenerator[FollowedPart, None]:
        """All parts. Raises Cut when the answer breaks off."""
        yield await self._first()
        async for part in self._parts:
            yield part

    async def _first(self) -> FollowedPart:
        if EVERY not in self._found:
            part = await anext(self._parts, None)
            if part is None:
                raise Cut("The upstream did not send all that it was asked for.")
            self._found[EVERY] = part
        return self._found[EVERY]

    def _picked(self, name: Hashable) -> FollowedPart | None:
        for at, (place, part) in enumerate(self._passed):
            if self._job.brings(name, place, part):
                del self._passed[at]
                return part
        return None


class Assembly:
    """One client's answer; `sources` are its parts in the order asked.

    `uniform`: all parts are of one form, as clients take the first frame of a list for the model of all."""

    def __init__(self, sources: Sequence[Source], join: Join, *, uniform: bool) -> None:
        self._sources = sources
        self._jobs = [*dict.fromkeys(source for _, source in sources if not isinstance(source, HeldPart))]
        self._join = join
        self._uniform = uniform
        self._pickers: dict[Bringer, _Picker] = {}
        self._stack = AsyncExitStack()

    async def begin(self, last: Hashable | None = None) -> Follower:
        """Wait until the first part that is fetched comes, and the answer that has the one called `last`.

        Raises errors.UpstreamError, Mixture when what comes is not of the form of what is held."""
        name, job = next((name, job) for name, job in self._sources if not isinstance(job, HeldPart))
        first = await self._picker(job)
        form = (await first.part(name)).fields.get("content-type")
        if self._uniform and any(
            isinstance(source, HeldPart) and source.fields.get("content-type") != form
            for _, source in self._sources
        ):
            raise Mixture
        if last is not None:
            await self._answered(last)
        return first.follower

    async def parts(self) -> AsyncGenerator[Part, None]:
        """The parts, in the order asked."""
        for name, source in self._sources:
            if isinstance(source, HeldPart):
                yield source
            elif name is EVERY:
                async with aclosing((await self._picker(source)).every()) as parts:
                    async for part in parts:
                        yield part
            else:
                yield await (await self._picker(source)).part(name)

    async def aclose(self) -> None:
        await self._stack.aclose()

    def check_order(self, follower: Follower, places: dict[Hashable, int]) -> None:
        """Raise Unsuitable when a part is wanted before one that its fill, which may not be kept, brings
        earlier: it could not be read back. `places` are where the fills have them."""
        newest: dict[Bringer, int] = {}
        for name, job in self._sources:
            if isinstance(job, HeldPart):
                continue
            if places[name] <= newest.get(job, -1) and not follower.stored:
                raise Unsuitable("The parts come in another order, and may not be kept.")
            newest[job] = places[name]

    async def _answered(self, name: Hashable) -> None:
        job = next(job for known, job in self._sources if known == name)
        if not isinstance(job, HeldPart):
            await (await self._picker(job)).follower.head()

    async def _picker(self, job: Bringer) -> _Picker:
        """The job's, joined now with the next few, so that they come while this one is sent."""
        at = self._jobs.index(job)
        for one in islice(self._jobs, at, at + AHEAD):
            if one not in self._pickers:
                follower = await self._stack.enter_async_context(self._join(one))
                self._pickers[one] = _Picker(one, follower)
        return self._pickers[job]
