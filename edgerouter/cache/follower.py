"""A reader of a fill: the head, then part after part, each byte as soon as it is here."""

from collections.abc import AsyncIterator

from edgerouter.cache.disk import File
from edgerouter.cache.fill import Fill, Head, State
from edgerouter.cache.part import Part
from edgerouter.cache.unit import UnitKey
from edgerouter.cache.units import Unit
from edgerouter.cache.window import Place
from edgerouter.errors import Cut, RouterError
from edgerouter.http.fields import Fields


class Follower:
    """One reader. `collapsed` is whether another had begun the fetch."""

    def __init__(self, fill: Fill, place: Place, collapsed: bool) -> None:
        self.collapsed = collapsed
        self._fill = fill
        self._place = place

    @property
    def state(self) -> State:
        return self._fill.state

    @property
    def stored(self) -> bool:
        """Whether what comes is going to be kept, as far as is known by now."""
        return self._fill.is_keeping

    async def head(self) -> Head:
        """What the response began with. Raises the RouterError of a fetch that failed before."""
        fill = self._fill
        while fill.head is None or (fill.state is State.FAILED and not fill.parts):
            if fill.error is not None:
                raise fill.error.with_traceback(None)
            await fill.bell.wait()
        return fill.head

    async def parts(self) -> AsyncIterator["FollowedPart"]:
        """Every part in order; ends cleanly only if the answer is whole. Raises Cut when it broke off.

        The bytes of a part that is not read, or not to its end, are passed over.
        """
        fill, place = self._fill, self._place
        await self.head()
        while True:
            if place.part < len(fill.parts):
                yield FollowedPart(fill, fill.parts[place.part], place)
                place.part, place.offset = place.part + 1, 0
                fill.moved()
            elif fill.has_ended:
                _raise_if_cut(fill)
                return
            else:
                await fill.bell.wait()


class FollowedPart:
    """A part of a fill, as one reader sees it."""

    def __init__(self, fill: Fill, part: Part, place: Place) -> None:
        self._fill = fill
        self._part = part
        self._place = place

    @property
    def fields(self) -> Fields:
        return self._part.fields

    @property
    def length(self) -> int | None:
        """How many bytes it has, or was said to have."""
        return self._part.size if self._part.whole else self._part.length

    @property
    def here(self) -> int:
        """How many of its bytes have come."""
        return self._part.size

    @property
    def key(self) -> UnitKey | None:
        """The unit it became, if it did yet."""
        return self._part.adopted

    async def unit(self) -> Unit | None:
        """The unit it becomes, when it is one; None when it is not kept. Raises Cut."""
        fill, part = self._fill, self._part
        while not part.settled:
            if not part.keeping:
                return None  # at once: its writer may be waiting for this very reader to go on
            if not part.whole:
                _raise_if_cut(fill)
            await fill.bell.wait()
        return None if part.adopted is None else await fill.means.units.get(part.adopted)

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a range, as they come; ends cleanly only if they are whole. Raises Cut."""
        fill, part, place = self._fill, self._part, self._place
        source = _Source(fill, part)
        while stop is None or start < stop:
            end = part.size if stop is None else min(stop, part.size)
            if start < end:
                data = part.tail.at(start, end) or await source.piece(start, end)
                yield data
                start += len(data)
                place.offset = start
                fill.moved()
            elif part.whole:
                return
            else:
                _raise_if_cut(fill)
                await fill.bell.wait()


class _Source:
    """What of a part is not in memory: from the file it is written to, or from the unit it became."""

    def __init__(self, fill: Fill, part: Part) -> None:
        self._means = fill.means
        self._part = part
        self._file: File | None = part.disk.file
        self._unit: Unit | None = None

    async def piece(self, start: int, stop: int) -> bytes:
        """Some bytes from `start`. Raises Cut when they cannot be had any more."""
        try:
            file = self._file = self._file or self._part.disk.file
            if file is None and self._part.adopted is None:
                file = self._file = await self._part.reopened()
            if file is not None:
                return await self._means.reading.piece(file, start, min(stop, self._part.disk.written))
            unit = self._unit = self._unit or await self._reopened(self._part.adopted, start)
            return await unit.piece(start, stop)
        except OSError:
            raise Cut("What was fetched could not be read back.") from None

    async def _reopened(self, key: UnitKey | None, start: int) -> Unit:
        unit = None if key is None else await self._means.units.get(key, start)
        if unit is None:
            raise OSError("The unit is not held any more.")
        return unit


def _raise_if_cut(fill: Fill) -> None:
    error: RouterError | None = fill.error
    if isinstance(error, Cut):
        raise error.with_traceback(None)
    if error is not None:
        raise Cut(error.detail, upstream=error.upstream)
