"""All figures of one moment, and their form as JSON."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from edgerouter.admin.figures import CacheStatus, Traffic, UpstreamStatus
from edgerouter.admin.recent import Answered


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is shown; `at` knows its zone, `uptime` is in seconds."""

    version: str
    at: datetime
    uptime: float
    traffic: Traffic
    upstreams: tuple[UpstreamStatus, ...]
    cache: CacheStatus | None
    recent: tuple[Answered, ...]


def document(snapshot: Snapshot) -> dict[str, Any]:
    """As JSON has it: seconds, bytes, and times with their zone."""
    passed = snapshot.traffic
    return {
        "version": snapshot.version,
        "at": snapshot.at.isoformat(timespec="seconds"),
        "uptime_seconds": round(snapshot.uptime, 1),
        "requests": {"answered": passed.requests, "active": passed.active},
        "bytes": {
            "sent_to_clients": passed.sent,
            "received_from_upstreams": passed.received,
            "saved": passed.saved,
        },
        "hits": {"hit": passed.hits, "forwarded": passed.forwarded, "ratio": passed.hit_ratio},
        "cache": None if snapshot.cache is None else _cache(snapshot.cache),
        "upstreams": [_upstream(upstream) for upstream in snapshot.upstreams],
        "recent": [_answered(answered, snapshot) for answered in snapshot.recent],
    }


def _cache(cache: CacheStatus) -> dict[str, Any]:
    counts, pins = cache.counts, cache.pinned
    return {
        "size": cache.size,
        "bytes": cache.bytes,
        "filling": cache.filling,
        "units": cache.units,
        "studies": cache.studies,
        "paused": cache.paused,
        "upstreams": [
            {"upstream": one.upstream, "bytes": one.bytes, "pinned": one.pinned, "quota": one.quota}
            for one in cache.shares
        ],
        "pinned": {
            "pins": pins.pins,
            "studies": pins.studies,
            "bytes": pins.bytes,
            "full": pins.crowded,
            "lost_at": None if pins.lost_at is None else _time(pins.lost_at),
        },
        "verifying": cache.verifying,
        "verified": cache.verified,
        "unit_hits": {str(kind): number for kind, number in counts.hits.items()},
        "unit_misses": counts.misses,
        "fills": counts.fills,
        "collapsed": counts.collapsed,
        "passed": counts.passed,
        "adopted": counts.adopted,
        "evicted": counts.evicted,
        "purged": counts.purged,
        "damaged": counts.damaged,
        "errors": counts.errors,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _upstream(upstream: UpstreamStatus) -> dict[str, Any]:
    return asdict(upstream)


def _answered(answered: Answered, snapshot: Snapshot) -> dict[str, Any]:
    at = answered.at.astimezone(snapshot.at.tzinfo).isoformat(timespec="seconds")
    return asdict(answered) | {"at": at}
