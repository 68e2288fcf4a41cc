"""A fill: one writer fetching a group of units, many readers following while they grow.

The writer is a task of the app and speaks through this object: the head, then part after part. A part
that is whole becomes a unit at once, whatever happens to the answer later. An answer that may not be kept,
or that the disk cannot take, turns the fill to passing: its present readers get the rest through a bounded
window, and pace it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edgerouter.cache.adoptions import Adoptions, Notes
from edgerouter.cache.bell import Bell
from edgerouter.cache.means import Means
from edgerouter.cache.part import Part
from edgerouter.cache.partfile import PartFile
from edgerouter.cache.unit import UnitKey, kept
from edgerouter.cache.window import Place, Window
from edgerouter.errors import Cut, RouterError
from edgerouter.http.fields import Fields

_log = logging.getLogger(__name__)


class State(Enum):
    """Where a fill stands; the table in the package's docstring says what each means."""

    WAITING = "waiting"
    STREAMING = "streaming"
    PASSING = "passing"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Head:
    """What the upstream's response began with."""

    status: int
    fields: Fields


# Fetches, and hands over what it gets; written where upstreams are known.
Fetch = Callable[["Fill"], Awaitable[None]]


class Fill:
    """One fetch under way: first the writer's methods, then the readers'.

    `refused` is called when the answer may not be kept, `closed` when nobody is to join any more.
    """

    def __init__(
        self,
        fetch: Fetch,
        means: Means,
        *,
        keeping: bool,
        refused: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self.state = State.WAITING
        self.upstream = ""  # whose quota bears what comes; the writer says so before the first part
        self.head: Head | None = None
        self.error: RouterError | None = None
        self.parts: list[Part] = []
        self.bell = Bell()
        self.means = means
        self._fetch = fetch
        self._keeping = keeping
        self._finish_alone = False
        self._refused = refused
        self._closed = closed
        self._part: Part | None = None
        self._window = Window(self.parts)
        self._adoptions = Adoptions(means, self.bell, self._pass)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._stop_after_part = False
        self._disposed = False

    async def begin(self, status: int, fields: Fields) -> None:
        """The head of the response is known."""
        self.head = Head(status, fields)
        self.state = State.STREAMING
        if not self._keeping or self.means.room.is_paused:
            self._pass()
        self.bell.ring()

    def keep(self, keeping: bool) -> None:
        """Say that the answer may not be kept, from here on; it cannot be taken back."""
        if not keeping and self._keeping:
            self._keeping = False
            self._refused()
            self._pass()

    async def open_part(self, fields: Fields, length: int | None = None) -> None:
        """A part begins; `length` is how many bytes it will have, as far as anybody said."""
        self._part = self._made(fields, length)
        self.parts.append(self._part)
        self.bell.ring()

    async def held(self, key: UnitKey, size: int, fields: Fields) -> None:
        """A part that need not be fetched: it is a unit already; readers get it in its turn."""
        self._adoptions.hold(key)
        part = self._made(fields, size)
        part.is_held(key, size)
        self.parts.append(part)
        self.bell.ring()

    async def write(self, data: bytes) -> None:
        """The next bytes of the open part; waits for the disk, or when passing for the readers."""
        part = self._opened()
        await part.write(data)
        if not part.keeping:
            self._pass()
        await self._window.wait(lambda: self.state is State.PASSING)
        await self._given_up()

    async def close_part(
        self,
        key: UnitKey | None,
        *,
        fields: Fields | None = None,
        validator: str = "",
        frame_table: bytes = b"",
        made: bool = False,
    ) -> None:
        """The open part is whole: it becomes this unit, or with None is only handed on.

        `fields` are written down beside it (else those it was opened with), as far as they are allowed
        to be; `validator` is the upstream's own; `made` as of Held.
        """
        part = self._opened()
        self._part = None
        part.close()
        if part.keeping:
            notes = Notes(kept(part.fields if fields is None else fields), validator, frame_table, made)
            self._adoptions.begin(part, key if key is not None and key.is_sound else None, notes)
        if self._stop_after_part:
            self.stop()
        await self._adoptions.wait()
        await self._given_up()

    async def run(self) -> None:
        """Fetch to the end. A task of the app."""
        self._task = asyncio.current_task()
        try:
            if not self._stopping:
                await self._fetch(self)
            is_whole = self.head is not None and self._part is None
            self._end(None if is_whole else Cut("The answer ended too early."))
        except asyncio.CancelledError:
            self._end(Cut("The fetch was given up."))
            raise
        except RouterError as error:
            self._end(error)
        except Exception as error:
            _log.error("a fetch broke: %s at %s", type(error).__name__, _where(error))
            self._end(RouterError("The fetch broke inside the router."))
        finally:
            await self._wind_up()

    @property
    def has_ended(self) -> bool:
        return self.state in (State.FINISHED, State.FAILED)

    @property
    def is_keeping(self) -> bool:
        """Whether what comes is, as far as we know, going to be kept."""
        return self._keeping

    @property
    def readers(self) -> int:
        return len(self._window.places)

    def follow(self, *, finish_alone: bool) -> Place:
        """A reader comes, who may wish the fill to go on without him."""
        place = Place()
        self._finish_alone |= finish_alone
        self._window.places.add(place)
        self._stop_after_part = False
        return place

    def leave(self, place: Place) -> None:
        """A reader goes; after the last one the fill ends, unless a unit is more than half here."""
        self._window.places.discard(place)
        self._window.drained.ring()
        if self.readers:
            return
        if self.has_ended:
            self._dispose()
        elif not self._is_worth_finishing():
            self.stop()
        else:
            self._stop_after_part = not self._finish_alone

    def moved(self) -> None:
        """A reader got further: a passing writer may be waiting for that."""
        if self.state is State.PASSING:
            self._window.drained.ring()

    def stop(self) -> None:
        """Give the fetch up; what is whole stays."""
        self._stopping = True
        self._closed()
        if self._task is not None and not self.has_ended:
            self._task.cancel()

    def _made(self, fields: Fields, length: int | None) -> Part:
        means = self.means
        disk = PartFile(means.parts, means.opener)
        keeping = self.state is State.STREAMING
        room = means.room.share(self.upstream)
        return Part(fields, length, room, means.reading, disk, self.bell, keeping=keeping)

    def _opened(self) -> Part:
        if self._part is None:
            raise RuntimeError("No part is open.")
        return self._part

    async def _given_up(self) -> None:
        """Let a cancellation arrive, even in a writer that never has to wait."""
        if self._stopping:
            await asyncio.sleep(0)

    def _is_worth_finishing(self) -> bool:
        if self._finish_alone:
            return self.state is not State.PASSING
        return self.state is State.STREAMING and self._part is not None and self._part.more_than_half

    def _pass(self) -> None:
        """Keep no more: for good, and only once something is streaming."""
        if self.state is not State.STREAMING:
            return
        self.state = State.PASSING
        self._keeping = False
        self.means.counts.passed += 1
        self._closed()
        if self._part is not None:
            self._part.keeping = False
        self.bell.ring()
        if not self.readers:
            self.stop()

    def _end(self, error: RouterError | None) -> None:
        self.error = error
        self.state = State.FAILED if error else State.FINISHED
        if error:
            self._closed()
        self.bell.ring()

    async def _wind_up(self) -> None:
        """Whoever asks from now on finds the units: so not before they are there."""
        try:
            await self._adoptions.wait(0)
        finally:
            self._closed()
            self._dispose()

    def _dispose(self) -> None:
        """Neither writer nor reader is left: what did not become a unit goes."""
        if self.readers or self._adoptions.outstanding or self._disposed:
            return
        self._disposed = True
        for part in self.parts:
            part.drop()
        self._adoptions.let_go()


def _where(error: BaseException) -> str:
    """The place in our code, without the error's text: that may hold anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
