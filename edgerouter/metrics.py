"""Every Prometheus name, label and bucket, once. README.md lists them; grafana/ queries only these.

Label values come from closed sets: transactions, resource kinds, configured upstream names, RFC 9211 and
RFC 9209 tokens, statuses. Nothing from the wire becomes a label (law 12).
"""

from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from edgerouter import __version__

# A third of every scrape, and no query needs them.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)

BUILD = Info("edgerouter_build", "The router's version.", registry=REGISTRY)
BUILD.info({"version": __version__})

REQUESTS = Counter(
    "edgerouter_requests",
    "Requests answered, by transaction, resource kind and status.",
    ["transaction", "resource", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "edgerouter_request_seconds",
    "Seconds from the request head to the last byte of the answer.",
    ["transaction"],
    buckets=SECONDS,
    registry=REGISTRY,
)
FIRST_BYTE_SECONDS = Histogram(
    "edgerouter_first_byte_seconds",
    "Seconds from the request head to the first byte of the answer's body.",
    ["transaction"],
    buckets=SECONDS,
    registry=REGISTRY,
)
SENT_BYTES = Counter(
    "edgerouter_sent_bytes", "Body bytes sent to clients.", ["transaction"], registry=REGISTRY
)
RECEIVED_BYTES = Counter(
    "edgerouter_received_bytes", "Body bytes received from clients.", ["transaction"], registry=REGISTRY
)
CUTS = Counter(
    "edgerouter_answers_cut",
    "Answers that broke off: cut (by us, after a fault) or client_gone.",
    ["reason"],
    registry=REGISTRY,
)
REFUSALS = Counter(
    "edgerouter_refusals",
    "Connections and requests refused before routing, by reason.",
    ["reason"],
    registry=REGISTRY,
)
ACTIVE = Gauge("edgerouter_active_requests", "Requests being answered now.", registry=REGISTRY)
UPSTREAM_REQUESTS = Counter(
    "edgerouter_upstream_requests",
    "Requests sent to an upstream, by outcome: a status class (2xx…) or an RFC 9209 error token.",
    ["upstream", "transaction", "outcome"],
    registry=REGISTRY,
)
UPSTREAM_SECONDS = Histogram(
    "edgerouter_upstream_head_seconds",
    "Seconds until an upstream's response head.",
    ["upstream", "transaction"],
    buckets=SECONDS,
    registry=REGISTRY,
)
UPSTREAM_BYTES = Counter(
    "edgerouter_upstream_received_bytes",
    "Body bytes received from an upstream, content coding included.",
    ["upstream", "transaction"],
    registry=REGISTRY,
)
UPSTREAM_SENT_BYTES = Counter(
    "edgerouter_upstream_sent_bytes",
    "Body bytes sent to an upstream.",
    ["upstream", "transaction"],
    registry=REGISTRY,
)
UPSTREAM_UP = Gauge(
    "edgerouter_upstream_up",
    "1 while passive health holds the upstream usable, 0 while it is ejected.",
    ["upstream"],
    registry=REGISTRY,
)
UPSTREAM_MALFORMED = Counter(
    "edgerouter_upstream_malformed",
    "Answers whose body is not what its media type or coding says.",
    ["upstream"],
    registry=REGISTRY,
)
UPSTREAM_CUTS = Counter(
    "edgerouter_upstream_cuts",
    "Answers that broke off or stalled before their framing said that they were whole.",
    ["upstream"],
    registry=REGISTRY,
)

SEARCH_SOURCES = Counter(
    "edgerouter_search_sources",
    "Shares of federated searches, by upstream and outcome: answered, timeout, error, unauthorized, "
    "overloaded or resting.",
    ["upstream", "outcome"],
    registry=REGISTRY,
)
ROWS_DROPPED = Counter(
    "edgerouter_search_rows_dropped",
    "Rows not passed on: unusable (no UID), or unmatched (the archive ignored a match key).",
    ["upstream", "reason"],
    registry=REGISTRY,
)
LOCATED = Counter(
    "edgerouter_located",
    "Retrieves whose holder was known, or had to be asked for, where several upstreams may hold it.",
    ["outcome"],
    registry=REGISTRY,
)
FAILOVERS = Counter(
    "edgerouter_failovers",
    "Retrieves that went past an upstream because it failed to give what it may hold.",
    ["upstream"],
    registry=REGISTRY,
)
SNAPSHOTS = Counter(
    "edgerouter_search_snapshots",
    "Ordered answers of federated searches: taken (asked of the upstreams), used (another page, or the same "
    "search within seconds), spilled to disk, or dropped because neither memory nor disk had room.",
    ["outcome"],
    registry=REGISTRY,
)
SNAPSHOT_BYTES = Gauge(
    "edgerouter_search_snapshot_bytes",
    "Bytes of the answers kept for paging, in memory and on disk.",
    ["place"],
    registry=REGISTRY,
)
MAPPING_READS = Counter(
    "edgerouter_patient_mapping_reads",
    "Times that the file of cross-referenced patients was read after a change, or refused as it is.",
    ["outcome"],
    registry=REGISTRY,
)
for _outcome in ("read", "refused"):
    MAPPING_READS.labels(_outcome)  # zero is a figure, too: alerts watch for its change
CONFLICTS = Counter(
    "edgerouter_patient_conflicts",
    "Matches whose sources name different patients under one UID.",
    registry=REGISTRY,
)

CACHE_REQUESTS = Counter(
    "edgerouter_cache_requests",
    "Answers that say in Cache-Status what the cache had to do with them, by resource kind and"
    " RFC 9211 outcome: hit, or why they were forwarded (miss, partial, stale, bypass).",
    ["resource", "outcome"],
    registry=REGISTRY,
)


class Named(NamedTuple):
    """A metric whose value is read from its owner at each scrape."""

    name: str
    help: str


CACHE_BYTES = Named("edgerouter_cache_bytes", "Bytes of units and catalog.")
CACHE_FILLING_BYTES = Named("edgerouter_cache_filling_bytes", "Bytes of part files.")
CACHE_SIZE_BYTES = Named("edgerouter_cache_size_bytes", "Bytes the cache may take: `size`.")
CACHE_UNITS = Named("edgerouter_cache_units", "Units held: instances, frames, renditions.")
CACHE_STUDIES = Named("edgerouter_cache_studies", "Studies of which something is held.")
CACHE_PAUSED = Named(
    "edgerouter_cache_paused", "1 while nothing is kept because a write failed a moment ago."
)
CACHE_UNIT_HITS = Named("edgerouter_cache_unit_hits", "Look-ups of a unit that found it, by kind of unit.")
CACHE_UNIT_MISSES = Named("edgerouter_cache_unit_misses", "Look-ups of a unit that did not find it.")
CACHE_FILLS = Named("edgerouter_cache_fills", "Fills begun.")
CACHE_COLLAPSED = Named("edgerouter_cache_collapsed", "Readers who joined a fill that another had begun.")
CACHE_PASSED = Named("edgerouter_cache_passed", "Fills that went on without keeping.")
CACHE_ADOPTED = Named("edgerouter_cache_adopted", "Units taken in.")
CACHE_EVICTED = Named("edgerouter_cache_evicted", "Units evicted to keep `size` and `min_free`.")
CACHE_DAMAGED = Named("edgerouter_cache_damaged", "Units removed because row or file was not as we left it.")
CACHE_UPSTREAM_BYTES = Named(
    "edgerouter_cache_upstream_bytes", "Bytes of units, catalog and part files, by upstream."
)
CACHE_QUOTA_BYTES = Named(
    "edgerouter_cache_quota_bytes", "Bytes that an upstream may take of the cache: `cache_quota`."
)
CACHE_PINNED_BYTES = Named("edgerouter_cache_pinned_bytes", "Bytes of pinned studies.")
CACHE_PINNED_STUDIES = Named("edgerouter_cache_pinned_studies", "Studies that are pinned.")
CACHE_PINS_FULL = Named(
    "edgerouter_cache_pins_full", "1 while pinned studies leave no room: what is fetched passes through."
)
CACHE_PURGED = Named("edgerouter_cache_purged", "Units taken out by an operator.")
CACHE_VERIFIED = Named("edgerouter_cache_verified", "Units whose digest was checked by `cache verify`.")
CACHE_ERRORS = Named("edgerouter_cache_errors", "Failures of disk or database that no client noticed.")


def refused(reason: str) -> None:
    """Count a connection or request refused at the front door; `reason` comes from a closed set."""
    REFUSALS.labels(reason).inc()


def total(counter: Counter, **labels: str) -> int:
    """The sum of a counter's series whose labels have these values."""
    samples = (sample for family in counter.collect() for sample in family.samples)
    return int(
        sum(
            sample.value
            for sample in samples
            if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
        )
    )
