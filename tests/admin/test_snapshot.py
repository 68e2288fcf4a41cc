"""The figures as JSON: plain names, seconds, bytes, and times that say their zone."""

import json
from datetime import timedelta, timezone

import msgspec

from edgerouter.admin.snapshot import document
from tests.admin.examples import NOON, snapshot

EAST = timezone(timedelta(hours=2))


def test_everything_is_there() -> None:
    read = json.loads(msgspec.json.encode(document(snapshot(at=NOON.astimezone(EAST)))))

    assert read["at"] == "2025-11-22T14:00:00+02:00"
    assert read["uptime_seconds"] == 273600
    assert read["requests"] == {"answered": 1500, "active": 3}
    assert read["bytes"] == {
        "sent_to_clients": 10_000_000,
        "received_from_upstreams": 4_000_000,
        "saved": 6_000_000,
    }
    assert read["hits"] == {"hit": 3, "forwarded": 1, "ratio": 0.75}
    assert read["cache"]["unit_hits"] == {"instance": 11, "frame": 22, "rendition": 0}
    assert (read["cache"]["bytes"], read["cache"]["fills"]) == (700_000_000, 34)
    assert [(row["name"], row["state"], row["age"]) for row in read["upstreams"]] == [
        ("north", "up", None),
        ("south", "ejected", 95.0),
    ]
    assert read["recent"] == [
        {
            "at": "2025-11-22T14:00:00+02:00",
            "method": "GET",
            "template": "/dicomweb/studies/{studies}/metadata",
            "status": 200,
            "bytes": 12_345,
            "seconds": 0.0421,
            "cache": "hit",
            "outcome": "complete",
            "error": None,
        }
    ]


def test_a_router_without_a_cache_has_none() -> None:
    assert document(snapshot(cache=None))["cache"] is None
