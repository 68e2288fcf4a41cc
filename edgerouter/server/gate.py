"""What all connections of one listening server share: the limits, and who may stay when it is full."""

from collections.abc import Callable
from typing import Protocol

from edgerouter.server.head import Refusal
from edgerouter.server.limits import Limits

REFUSED_REASONS = (
    "chunk",
    "expectation",
    "framing",
    "head-size",
    "head-timeout",
    "host",
    "method",
    "overload",
    "target",
    "target-size",
    "version",
)


class Idler(Protocol):
    """A connection on which nothing is going on."""

    def evict(self) -> None: ...


def uncounted(reason: str) -> None:
    """A refusal counter for those who do not count."""


class Gate:
    """Admits connections; `refused` is called with one of REFUSED_REASONS for each refusal."""

    def __init__(self, limits: Limits, refused: Callable[[str], None] = uncounted) -> None:
        self.limits = limits
        self.refused = refused
        self._idle: dict[Idler, None] = {}  # in the order in which they became idle

    def rests(self, connection: Idler) -> None:
        """The connection has nothing to do from now on."""
        self._idle[connection] = None

    def wakes(self, connection: Idler) -> bool:
        """The connection has something to do, or is gone; whether it was idle."""
        if connection not in self._idle:
            return False
        del self._idle[connection]
        return True

    def admit(self, connections: int) -> None:
        """Make room for the last of so many connections, at the cost of the one idle longest.

        Raises Refusal when all others are at work."""
        if connections <= self.limits.max_connections:
            return
        oldest = next(iter(self._idle), None)
        if oldest is None:
            raise Refusal(503, "overload", "All connections are in use.", retry_after=1)
        oldest.evict()

    def flooded(self, connections: int) -> bool:
        """Whether there are so many that not even a refusal can be afforded."""
        return connections > 2 * self.limits.max_connections
