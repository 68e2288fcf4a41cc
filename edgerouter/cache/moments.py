"""Whether something was touched while an answer about it was on its way: a bounded memory of marks.

Whoever asks an upstream takes the moment first; what comes back is kept only if nobody stored into,
deleted from or purged what it speaks of since.
"""

from collections import OrderedDict

Mark = tuple[str | None, str | None]


class Moments:
    """Counts marks; a forgotten mark makes everything before it look touched, never untouched."""

    def __init__(self, limit: int = 10_000) -> None:
        self._count = 0
        self._floor = 0
        self._marks: OrderedDict[Mark, int] = OrderedDict()
        self._limit = limit

    def now(self) -> int:
        return self._count

    def mark(self, study: str | None, upstream: str | None) -> None:
        """Touch a study of an upstream; None for either means all."""
        self._count += 1
        self._marks[study, upstream] = self._count
        self._marks.move_to_end((study, upstream))
        if len(self._marks) > self._limit:
            _, self._floor = self._marks.popitem(last=False)

    def untouched(self, study: str, upstream: str, since: int) -> bool:
        """Whether no mark since that moment covers this study of this upstream."""
        covering = ((study, upstream), (study, None), (None, upstream), (None, None))
        return max(self._floor, *(self._marks.get(mark, 0) for mark in covering)) <= since
