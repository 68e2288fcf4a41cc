"""One upload taken apart into several while it comes: each part leaves, unchanged, in the body of its own
destination. No I/O; of each part at most its head is held back until it tells where the part goes."""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

from edgerouter.dicom.part10 import ROUTING_LIMIT
from edgerouter.dicom.source import NeedMore
from edgerouter.dicomweb.media import DICOM
from edgerouter.dicomweb.multipart import Event, PartBegin, PartData, closing, delimiter
from edgerouter.http.fields import Fields
from edgerouter.transactions.upload import Parts

Piece = tuple[str, bytes]
"""Bytes, and the name of the upstream whose body they belong to."""

Place = Callable[[bytes, bool], str | None]
"""From the first bytes of an instance, and whether they are all, to its upstream or None for nowhere; raises
NeedMore, but not when they are all, nor with the first 64 KiB."""

_INSTANCE = Fields([("content-type", DICOM)])


class Splitter:
    """The bodies that the parts of one upload make; each is multipart with the same `boundary`."""

    def __init__(self, parts: Parts, place: Place, boundary: str) -> None:
        self._parts = parts
        self._place = place
        self._boundary = boundary
        self._begun: dict[str, None] = {}
        self._upstream: str | None = None  # of the current part, once it is placed
        self._held: bytearray | None = None  # the current part, until it is
        self._due = 0

    def read(self, data: bytes) -> list[Event]:
        """What these bytes are, to be `sorted` before the next; raises RequestError for what is no upload."""
        return self._parts.feed(data)

    def looks_into(self, events: Iterable[Event]) -> bool:
        """Whether sorting these means to read heads, which takes a while and may be done in a thread."""
        return self._held is not None or any(isinstance(event, PartBegin) for event in events)

    def sorted(self, events: Iterable[Event]) -> list[Piece]:
        """What they add to which body."""
        return _runs(piece for event in events for piece in self._taken(event))

    @property
    def current(self) -> str | None:
        """The upstream that the last part that was placed went to, or is going to."""
        return self._upstream

    def end(self, upstream: str) -> bytes:
        """The end of a body that is not `current`; its next part begins another one."""
        del self._begun[upstream]
        return closing(self._boundary)

    def close(self) -> list[Piece]:
        """The end of every body begun, one piece for each; raises RequestError when there may be none yet."""
        rest = self.sorted(self._parts.close())
        return _runs([*rest, *((upstream, closing(self._boundary)) for upstream in self._begun)])

    def _taken(self, event: Event) -> list[Piece]:
        if isinstance(event, PartBegin):
            self._held, self._due = bytearray(), 0
            return []
        if isinstance(event, PartData):
            if self._held is None:
                return [(self._upstream, event.data)] if self._upstream else []
            self._held += event.data
            return self._placed(self._held, False) if len(self._held) >= self._due else []
        return [] if self._held is None else self._placed(self._held, True)

    def _placed(self, held: bytearray, complete: bool) -> list[Piece]:
        data = bytes(held)
        try:
            self._upstream = self._place(data, complete)
        except NeedMore as more:
            # Twice as much each time: a head that comes in single bytes is not read again at each of them.
            self._due = min(max(more.wanted, 2 * len(data)), ROUTING_LIMIT)
            return []
        self._held = None
        if self._upstream is None:
            return []
        opening = delimiter(self._boundary, _INSTANCE, self._upstream not in self._begun)
        self._begun[self._upstream] = None
        return [(self._upstream, opening), (self._upstream, data)]


def _runs(pieces: Iterable[Piece]) -> list[Piece]:
    """The same with neighbours of one body joined: small parts are not written one by one."""
    groups = groupby(pieces, key=itemgetter(0))
    return [(upstream, b"".join([data for _, data in run])) for upstream, run in groups]
