"""Which studies are being read: eviction leaves them alone."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

# (upstream, StudyInstanceUID)
StudyName = tuple[str, str]


class Readers:
    """Counts the readers of each study."""

    def __init__(self) -> None:
        self._counts: Counter[StudyName] = Counter()

    def come(self, study: StudyName) -> None:
        self._counts[study] += 1

    def go(self, study: StudyName) -> None:
        self._counts[study] -= 1
        if self._counts[study] == 0:
            del self._counts[study]

    @contextmanager
    def reading(self, upstream: str, study: str) -> Iterator[None]:
        """Keep the study from eviction for as long as the block runs."""
        self.come((upstream, study))
        try:
            yield
        finally:
            self.go((upstream, study))

    @property
    def busy(self) -> frozenset[StudyName]:
        return frozenset(self._counts)
