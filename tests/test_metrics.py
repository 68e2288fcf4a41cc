"""The metrics' names keep to Prometheus's rules, and their labels to closed sets."""

from prometheus_client import CollectorRegistry, Counter

from edgerouter import metrics

OPEN = {
    "path",
    "url",
    "client",
    "uid",
    "study",
    "series",
    "instance",
    "patient",
    "query",
    "request_id",
    "rule",
}


def test_no_label_can_carry_a_value_from_the_wire() -> None:
    labels = {
        label for family in metrics.REGISTRY.collect() for sample in family.samples for label in sample.labels
    }

    assert labels.isdisjoint(OPEN)


def test_every_name_of_ours_begins_alike_and_has_a_sentence_of_help() -> None:
    names = {name: help for name, help in vars(metrics).items() if isinstance(help, metrics.Named)}
    families = [(family.name, family.documentation) for family in metrics.REGISTRY.collect()]
    ours = [*families, *names.values()]

    assert all(name.startswith(("edgerouter_", "process_")) for name, _ in ours)
    assert all(help.endswith(".") for _, help in ours)


def test_a_total_sums_the_series_that_match() -> None:
    counter = Counter("t", "T.", ["upstream", "outcome"], registry=CollectorRegistry())
    counter.labels("a", "2xx").inc(3)
    counter.labels("a", "5xx").inc(4)
    counter.labels("b", "2xx").inc(5)

    assert metrics.total(counter) == 12
    assert metrics.total(counter, upstream="a") == 7
    assert metrics.total(counter, upstream="a", outcome="5xx") == 4
    assert metrics.total(counter, upstream="c") == 0
