"""What the cache counted since it was opened: plain numbers for the status page and the metrics."""

from dataclasses import dataclass, field

from edgerouter.cache.unit import UnitKind


@dataclass(slots=True)
class Counts:
    """Each a number of events since the start."""

    hits: dict[UnitKind, int] = field(default_factory=lambda: dict.fromkeys(UnitKind, 0))
    misses: int = 0  # a unit was asked for by its key and is not here
    damaged: int = 0  # a unit's row or file was not as we left it, and was removed
    adopted: int = 0
    evicted: int = 0  # units taken out to keep within the limits
    purged: int = 0  # units taken out because an operator said so
    fills: int = 0
    collapsed: int = 0  # readers who joined a fill that another had begun
    passed: int = 0  # fills that went on without keeping
    errors: int = 0  # the disk or a database refused us; the client noticed nothing


@dataclass(frozen=True, slots=True)
class UpstreamShare:
    """What one upstream takes of the cache, in bytes, part files included; `quota` is None without one."""

    upstream: str
    bytes: int
    pinned: int
    quota: int | None


@dataclass(frozen=True, slots=True)
class PinStats:
    """How much is pinned. `crowded`: pinned studies leave no room, so what is fetched passes through.

    `lost_at` is when pins may have been lost with the catalog (Unix seconds), None if none were.
    """

    pins: int
    studies: int
    bytes: int
    crowded: bool
    lost_at: float | None


@dataclass(frozen=True, slots=True)
class Stats:
    """How full the cache is, and what happened; `bytes` and `filling` of `size` are used."""

    size: int
    bytes: int  # units and catalog rows
    filling: int  # part files
    units: int
    studies: int
    paused: bool  # a write failed a moment ago
    shares: tuple[UpstreamShare, ...]
    pinned: PinStats
    verified: int  # units whose digest a verification has checked
    verifying: bool
    counts: Counts
