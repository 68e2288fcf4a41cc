"""The dashboard is whole in itself: it asks only for what is exported, and every panel can be read."""

import re
from itertools import combinations
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edgerouter import metrics
from tests.grafana.dashboard import DASHBOARD, PANELS, metrics_in, queries

WANTED = {
    *("Requests by outcome", "Time to the last byte", "Time to the first byte", "Hit ratio", "Saved"),
    *("Bytes: clients and upstreams", "Fill", "Upstream up", "Upstream errors", "Search sources"),
    *("Cuts", "Refusals"),
}


def exported() -> set[str]:
    """The names of all samples that metrics.py can lead to."""
    families = text_string_to_metric_families(generate_latest(metrics.REGISTRY).decode())
    names = {sample.name for family in metrics.REGISTRY.collect() for sample in family.samples}
    for family in families:
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        names |= {family.name + ending for ending in endings.get(family.type, [""])}
    owned = [named.name for named in vars(metrics).values() if isinstance(named, metrics.Named)]
    return names | {name + ending for name in owned for ending in ("", "_total")}


def test_it_asks_only_for_metrics_that_exist() -> None:
    asked = {name for query in queries() for name in metrics_in(query)}

    assert asked - exported() == set()


def test_every_metric_of_ours_has_a_place_in_it() -> None:
    asked = {re.sub("_(total|bucket|info)$", "", name) for query in queries() for name in metrics_in(query)}
    families = {family.name for family in metrics.REGISTRY.collect()}
    owned = {named.name for named in vars(metrics).values() if isinstance(named, metrics.Named)}

    ours = {name for name in families | owned if name.startswith("edgerouter_")}
    assert ours - asked == set()


def test_what_an_operator_asks_first_is_there() -> None:
    assert {panel["title"] for panel in PANELS} >= WANTED


def test_the_data_source_and_the_routers_can_be_chosen() -> None:
    source, instance = DASHBOARD["templating"]["list"]

    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert instance["definition"] == "label_values(edgerouter_build_info, instance)"
    for panel in PANELS:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {one["uid"] for one in sources} == {"${datasource}"}
    assert [query for query in queries() if 'instance=~"$instance"' not in query] == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])


def test_no_two_panels_overlap() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in DASHBOARD["panels"]]

    assert [(one, other) for (one, a), (other, b) in combinations(places, 2) if overlap(a, b)] == []
    assert all(place["x"] + place["w"] <= 24 for _, place in places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )
