"""Figures to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from edgerouter.admin import Traffic, UpstreamStatus
from edgerouter.admin.recent import Answered
from edgerouter.admin.snapshot import Snapshot
from edgerouter.middleware import Access

NOON = datetime(2025, 11, 22, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Counts:
    hits: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"instance": 11, "frame": 22, "rendition": 0})
    )
    misses: int = 31
    damaged: int = 0
    adopted: int = 32
    evicted: int = 33
    purged: int = 37
    fills: int = 34
    collapsed: int = 35
    passed: int = 36
    errors: int = 0


@dataclass(frozen=True)
class Share:
    upstream: str = "north"
    bytes: int = 600_000_000
    pinned: int = 0
    quota: int | None = None


@dataclass(frozen=True)
class Pins:
    pins: int = 2
    studies: int = 3
    bytes: int = 80_000_000
    crowded: bool = False
    lost_at: float | None = None


@dataclass(frozen=True)
class Stats:
    """A CacheStatus: three quarters of a GB are used."""

    size: int = 1_000_000_000
    bytes: int = 700_000_000
    filling: int = 50_000_000
    units: int = 1234
    studies: int = 56
    paused: bool = False
    shares: tuple[Share, ...] = (Share(), Share("south", 100_000_000, 80_000_000, 400_000_000))
    pinned: Pins = Pins()
    verified: int = 38
    verifying: bool = False
    counts: Counts = Counts()


def upstream(**changes: Any) -> UpstreamStatus:
    figures: dict[str, Any] = {
        "name": "north",
        "profile": "orthanc",
        "state": "up",
        "age": None,
        "wait": 0.0,
        "last_error": None,
        "requests": 7,
        "received": 8_000_000,
        "in_flight": 2,
        "waiting": 1,
    }
    return UpstreamStatus(**figures | changes)


DOWN = upstream(name="south", state="ejected", age=95.0, wait=12.0, last_error="ConnectError ECONNREFUSED")


def answered(**changes: Any) -> Answered:
    figures: dict[str, Any] = {
        "at": NOON,
        "method": "GET",
        "template": "/dicomweb/studies/{studies}/metadata",
        "status": 200,
        "bytes": 12_345,
        "seconds": 0.0421,
        "cache": "hit",
        "outcome": "complete",
        "error": None,
    }
    return Answered(**figures | changes)


def access(**changes: Any) -> Access:
    figures: dict[str, Any] = {
        "request_id": "request-1",
        "client": "192.0.2.7",
        "method": "GET",
        "transaction": "retrieve",
        "resource": "frames",
        "template": "/dicomweb/studies/{studies}",
        "status": 200,
        "bytes": 10,
        "seconds": 0.5,
        "outcome": "complete",
        "error": None,
        "cache": None,
    }
    return Access(**figures | changes)


def snapshot(**changes: Any) -> Snapshot:
    figures: dict[str, Any] = {
        "version": "9.8.7",
        "at": NOON,
        "uptime": 3 * 86400 + 4 * 3600,
        "traffic": Traffic(requests=1500, active=3, sent=10_000_000, received=4_000_000, hits=3, forwarded=1),
        "upstreams": (upstream(), DOWN),
        "cache": Stats(),
        "recent": (answered(),),
    }
    return Snapshot(**figures | changes)
