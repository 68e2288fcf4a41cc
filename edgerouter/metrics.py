"""Every Prometheus name, label and bucket, once. README.md lists them; grafana/ queries only these.

Label values come from closed sets: transactions, resource kinds, configured upstream names, RFC 9211 and
RFC 9209 tokens, statuses. Nothing from the wire becomes a label (law 12).
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

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
    "Answers whose body was cut or malformed.",
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
CONFLICTS = Counter(
    "edgerouter_patient_conflicts",
    "Merged rows whose sources name different patients under one UID.",
    registry=REGISTRY,
)


def refused(reason: str) -> None:
    """Count a connection or request refused at the front door; `reason` comes from a closed set."""
    REFUSALS.labels(reason).inc()
