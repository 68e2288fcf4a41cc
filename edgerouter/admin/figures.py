"""The figures that are shown, as the page asks for them: whoever owns them hands them in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgerouter import metrics


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """One upstream; `state` is up, resting, ejected or probing.

    `age` is how many seconds it has been up or ejected, None when it was never ejected; `wait` how many
    until it is asked again; `requests` and `received` (bytes of bodies) count from the router's start."""

    name: str
    profile: str
    state: str
    age: float | None
    wait: float
    last_error: str | None
    requests: int
    received: int
    in_flight: int
    waiting: int

    @property
    def is_up(self) -> bool:
        return self.state == "up"


class CacheCounts(Protocol):
    """What happened in the cache since it was opened, each a number of events."""

    @property
    def hits(self) -> Mapping[Any, int]:
        """Unit look-ups that found it, by kind of unit."""

    @property
    def misses(self) -> int: ...
    @property
    def damaged(self) -> int: ...
    @property
    def adopted(self) -> int: ...
    @property
    def evicted(self) -> int: ...
    @property
    def purged(self) -> int: ...
    @property
    def fills(self) -> int: ...
    @property
    def collapsed(self) -> int: ...
    @property
    def passed(self) -> int: ...
    @property
    def errors(self) -> int: ...


class CacheShare(Protocol):
    """What one upstream takes of the cache, in bytes; `quota` is None without one."""

    @property
    def upstream(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def pinned(self) -> int: ...
    @property
    def quota(self) -> int | None: ...


class CachePins(Protocol):
    """How many pins there are, and the studies and bytes they keep."""

    @property
    def pins(self) -> int: ...
    @property
    def studies(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def crowded(self) -> bool:
        """Pinned studies leave no room: what is fetched passes through."""

    @property
    def lost_at(self) -> float | None:
        """When pins may have been lost with the catalog (Unix seconds), None if none were."""


class CacheStatus(Protocol):
    """How full the cache is: `bytes` and `filling` (part files) of `size` are used."""

    @property
    def size(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def filling(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def studies(self) -> int: ...
    @property
    def paused(self) -> bool:
        """A write failed a moment ago: nothing is kept for now."""

    @property
    def shares(self) -> Sequence[CacheShare]: ...
    @property
    def pinned(self) -> CachePins: ...
    @property
    def verified(self) -> int:
        """Units whose digest a verification has checked."""

    @property
    def verifying(self) -> bool: ...

    @property
    def counts(self) -> CacheCounts: ...


ReadCache = Callable[[], Awaitable[CacheStatus | None]]
ReadUpstreams = Callable[[], Sequence[UpstreamStatus]]


async def no_cache() -> CacheStatus | None:
    """For a router that keeps nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passed since the start; bytes are bytes of bodies as they were on the wire."""

    requests: int
    active: int
    sent: int  # to clients
    received: int  # from upstreams
    hits: int
    forwarded: int  # answers that the cache could not give alone; what bypasses it is not its business

    @property
    def saved(self) -> int:
        """Bytes that clients got and the line did not carry; negative when more was fetched than sent."""
        return self.sent - self.received

    @property
    def hit_ratio(self) -> float | None:
        """The share of hits in the answers that the cache handled, None before the first."""
        handled = self.hits + self.forwarded
        return self.hits / handled if handled else None


def traffic() -> Traffic:
    """Read from the metrics, so that page and dashboard agree."""
    hits, bypassed = (metrics.total(metrics.CACHE_REQUESTS, outcome=word) for word in ("hit", "bypass"))
    active = sum(sample.value for family in metrics.ACTIVE.collect() for sample in family.samples)
    return Traffic(
        requests=metrics.total(metrics.REQUESTS),
        active=int(active),
        sent=metrics.total(metrics.SENT_BYTES),
        received=metrics.total(metrics.UPSTREAM_BYTES),
        hits=hits,
        forwarded=metrics.total(metrics.CACHE_REQUESTS) - hits - bypassed,
    )
