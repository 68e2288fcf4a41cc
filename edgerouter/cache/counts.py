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
    evicted: int = 0
    fills: int = 0
    collapsed: int = 0  # readers who joined a fill that another had begun
    passed: int = 0  # fills that went on without keeping
    errors: int = 0  # the disk or a database refused us; the client noticed nothing


@dataclass(frozen=True, slots=True)
class Stats:
    """How full the cache is, and what happened; `bytes` and `filling` of `size` are used."""

    size: int
    bytes: int  # units and catalog rows
    filling: int  # part files
    units: int
    studies: int
    paused: bool  # a write failed a moment ago
    counts: Counts
