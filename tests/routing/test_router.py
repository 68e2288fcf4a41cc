"""The first rule that matches decides."""

from datetime import UTC, datetime

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import Denied
from edgerouter.routing.conditions import OnQuery, OnTransaction
from edgerouter.routing.facts import Facts, asked
from edgerouter.routing.router import Denial, Route, Router, Rule

NOW = datetime(2025, 11, 22, tzinfo=UTC)
SEARCHES = OnTransaction(frozenset({Transaction.SEARCH}))
STORES = OnTransaction(frozenset({Transaction.STORE}))
TO_A = Rule("to-a", (SEARCHES, OnQuery.of("PatientID", ("A*",))), Route(("a",), "to-a"))
NO_STORES = Rule("no-stores", (STORES,), Denial(403, "read only"))
TO_B = Rule("to-b", (SEARCHES,), Route(("b", "a"), "to-b"))
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
