"""The first rule that matches decides."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import Denied
from edgerouter.routing.conditions import OnDataset, OnQuery, OnTransaction
from edgerouter.routing.facts import Facts, asked
from edgerouter.routing.router import Denial, Route, Router, Rule

NOW = datetime(2025, 11, 22, tzinfo=UTC)
SEARCHES = OnTransaction(frozenset({Transaction.SEARCH}))
STORES = OnTransaction(frozenset({Transaction.STORE}))
TO_A = Rule("to-a", (SEARCHES, OnQuery.of("PatientID", ("A*",))), Route(("a",), "to-a"))
NO_STORES = Rule("no-stores", (STORES,), Denial(403, "read only"))
TO_B = Rule("to-b", (SEARCHES,), Route(("b", "a"), "to-b"))
CT = Rule("ct", (STORES,), Route(("a",), "ct"), (OnDataset.of("Modality", ("CT",)),))
NO_US = Rule("no-us", (STORES,), Denial(403, "no ultrasound"), (OnDataset.of("Modality", ("US",)),))
HERE = Rule("here", (STORES, OnQuery.of("StudyInstanceUID", ("1.*",))), Route(("b", "a"), "here"))
STATION = Rule("station", (STORES,), Route(("c",), "station"), (OnDataset.of("StationName", ("X*",)),))
SORTING = Router([CT, NO_US, HERE, STATION], ["a", "b", "c"])
ROUTER = Router([TO_A, NO_STORES, TO_B], ["a", "b", "c"])


def facts(method: str, target: str) -> Facts:
    return asked(method, target).facts(now=NOW)


def test_the_first_rule_that_matches_decides() -> None:
    assert ROUTER.route(facts("GET", "/studies?PatientID=A1")) == Route(("a",), "to-a")
    assert ROUTER.route(facts("GET", "/studies?PatientID=B1")) == Route(("b", "a"), "to-b")


def test_the_order_of_the_rules_is_what_counts() -> None:
    other = Router([TO_B, TO_A], ["a", "b", "c"])

    assert other.route(facts("GET", "/studies?PatientID=A1")).rule == "to-b"


def test_no_match_is_the_default_of_all_upstreams() -> None:
    assert ROUTER.route(facts("GET", "/studies/1.2")) == Route(("a", "b", "c"), None)


def test_a_rule_without_conditions_always_matches() -> None:
    assert (
        Router([Rule("all", (), Route(("c",), "all"))], ["a", "c"]).route(facts("GET", "/studies/1.2")).rule
        == "all"
    )


def test_a_denial_is_raised_with_its_status_and_reason() -> None:
    with pytest.raises(Denied) as caught:
        ROUTER.route(facts("POST", "/studies"))

    assert (caught.value.status, caught.value.detail) == (403, "read only")
    assert caught.value.token == "http_request_denied"


def test_a_denial_with_405_carries_an_empty_allow() -> None:
    router = Router([Rule("none", (), Denial(405, "closed"))], ["a"])

    with pytest.raises(Denied) as caught:
        router.route(facts("GET", "/studies"))

    assert caught.value.fields == (("allow", ""),)


def test_explain_tells_of_every_rule_its_first_reason() -> None:
    verdicts = ROUTER.explain(facts("GET", "/studies?PatientID=B1"))

    assert [(verdict.rule.name, verdict.unmet) for verdict in verdicts] == [
        ("to-a", "the query's PatientID is not A*"),
        ("no-stores", "the transaction is search, not store"),
        ("to-b", None),
    ]


def test_rules_on_the_dataset_wait_for_the_instances() -> None:
    route = SORTING.route(facts("POST", "/studies"))

    assert route.sorting is not None
    assert route.upstreams == ("a", "c", "b")
    assert route.sorting.attributes == {"Modality", "StationName"}
    assert route.sorting.decide({"Modality": ("CT",)}) == Route(("a",), "ct")
    assert route.sorting.decide({"Modality": ("US",)}) == Denial(403, "no ultrasound")
    assert route.sorting.decide({"Modality": ("MR",), "StationName": ("X1",)}) == Route(("c",), "station")
    assert route.sorting.decide({}) == Route(("a", "b", "c"))


def test_rules_behind_one_that_matches_anyway_are_not_waited_for() -> None:
    route = SORTING.route(facts("POST", "/studies/1.2"))

    assert route.sorting is not None
    assert route.upstreams == ("a", "b")
    assert route.sorting.attributes == {"Modality"}
    assert route.sorting.decide({"StationName": ("X1",)}) == Route(("b", "a"), "here")


def test_nothing_waits_where_no_rule_on_the_dataset_can_match() -> None:
    only_elsewhere = replace(CT, conditions=(STORES, OnQuery.of("StudyInstanceUID", ("9.*",))))
    router = Router([only_elsewhere, NO_STORES, NO_US], ["a"])

    with pytest.raises(Denied, match="read only"):
        router.route(facts("POST", "/studies/1.2"))
    assert SORTING.route(facts("GET", "/studies")).sorting is None


def test_what_would_be_denied_otherwise_is_not_before_the_instances_are_there() -> None:
    route = Router([CT, NO_STORES], ["a", "b"]).route(facts("POST", "/studies"))

    assert route.sorting is not None
    assert route.upstreams == ("a",)
    assert route.sorting.decide({"Modality": ("MR",)}) == Denial(403, "read only")


def test_the_decision_for_an_instance_is_that_for_its_facts() -> None:
    given = replace(facts("POST", "/studies"), dataset={"Modality": ("US",)})

    assert SORTING.decide(given) == Denial(403, "no ultrasound")
    assert [verdict.unmet for verdict in SORTING.explain(given)] == [
        "the dataset's Modality is not CT",
        None,
        "the query has no StudyInstanceUID",
        "the dataset has no StationName",
    ]
