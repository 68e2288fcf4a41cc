"""Each condition: when it is met, and what it says when it is not."""

from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.http.fields import Fields
from edgerouter.routing.conditions import (
    Condition,
    OnClient,
    OnDataset,
    OnField,
    OnLevel,
    OnQuery,
    OnResource,
    OnTime,
    OnTransaction,
    Wildcard,
)
from edgerouter.routing.facts import Facts
from edgerouter.routing.schedule import Schedule, Window

SEARCH = Facts(Transaction.SEARCH, Kind.COLLECTION, Level.STUDY, datetime(2025, 11, 22, 12, tzinfo=UTC))


def asking(**pairs: str) -> Facts:
    return replace(SEARCH, query=tuple(pairs.items()))


STORE = replace(SEARCH, transaction=Transaction.STORE)


def storing(**values: tuple[str, ...]) -> Facts:
    return replace(STORE, dataset=values)


def met(condition: Condition, facts: Facts) -> bool:
    return condition.unmet(facts) is None


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("123", "123", True),
        ("123", "1234", False),
        ("12*", "12", True),
        ("12*", "12345", True),
        ("*5", "12345", True),
        ("1?3", "123", True),
        ("1?3", "13", False),
        ("*", "", True),
        ("?*", "", False),
        ("", "", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("^(a+)+$", "aaa", False),
        ("DOE^*", "DOE^JOHN", True),
        ("a*", "a\nb", True),
        ("abc", "ABC", False),
        ("a\\*", "a\\b", True),
    ],
)
def test_only_star_and_question_mark_are_wild(pattern: str, value: str, matches: bool) -> None:
    assert Wildcard(pattern).matches(value) is matches


@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=10))
def test_wildcards_agree_with_an_oracle(pattern: str, value: str) -> None:
    assert Wildcard(pattern).matches(value) is fnmatchcase(value, pattern)


def test_a_hostile_value_against_many_stars_ends() -> None:
    # With backtracking over 120 stars this would outlive the suite.
    assert not Wildcard("*a" * 120 + "b").matches("a" * 60_000)


@pytest.mark.parametrize(
    ("wanted", "seen", "holds"),
    [
        (Transaction.SEARCH, Transaction.SEARCH, True),
        (Transaction.STORE, Transaction.SEARCH, False),
        (Transaction.RETRIEVE, Transaction.WADO_URI, True),
        (Transaction.WADO_URI, Transaction.WADO_URI, True),
        (Transaction.WADO_URI, Transaction.RETRIEVE, False),
    ],
)
def test_a_rule_on_retrieve_holds_for_the_uri_service_too(
    wanted: Transaction, seen: Transaction, holds: bool
) -> None:
    assert met(OnTransaction(frozenset({wanted})), replace(SEARCH, transaction=seen)) is holds


def test_a_rule_on_bulkdata_holds_for_every_address_of_it() -> None:
    bulkdata = OnResource(frozenset({Kind.BULKDATA}))

    assert met(bulkdata, replace(SEARCH, kind=Kind.BULKDATA))
    assert met(bulkdata, replace(SEARCH, kind=Kind.TOKEN))


@pytest.mark.parametrize(
    ("values", "seen", "holds"),
    [
        (["123"], "123", True),
        (["9*", "12?"], "123", True),
        (["123"], "124", False),
        (["CT"], "MR,CT", True),
        (["CT"], "MR\\CT", True),
        (["CT"], "MR", False),
        (["MR,CT"], "MR,CT", True),
        (["ct"], "CT", False),
    ],
)
def test_any_value_of_a_query_may_match_any_wildcard(values: list[str], seen: str, holds: bool) -> None:
    condition = OnQuery.of("ModalitiesInStudy", tuple(values))

    assert met(condition, asking(ModalitiesInStudy=seen)) is holds


def test_person_names_match_in_any_case() -> None:
    assert met(OnQuery.of("PatientName", ("doe^*",)), asking(PatientName="DOE^JOHN"))


def test_a_person_name_with_a_comma_matches_whole() -> None:
    assert met(OnQuery.of("PatientName", ("Doe, J*",)), asking(PatientName="Doe, John"))


def test_a_repeated_query_key_matches_by_any_of_its_values() -> None:
    facts = replace(SEARCH, query=(("PatientID", "1"), ("PatientID", "2")))

    assert met(OnQuery.of("PatientID", ("2",)), facts)


@pytest.mark.parametrize(
    ("values", "seen", "holds"),
    [
        (["CT"], ("CT",), True),
        (["CT", "MR"], ("MR",), True),
        (["CT"], ("US",), False),
        (["ct"], ("CT",), False),
        (["ORIGINAL"], ("ORIGINAL", "PRIMARY"), True),
        (["PRIMARY"], ("ORIGINAL", "PRIMARY"), True),
        (["ORIGINAL\\PRIM*"], ("ORIGINAL", "PRIMARY"), True),
        (["*"], ("CT",), True),
        (["*"], (), False),
        (["*", ""], ("",), False),
        (["PRIMARY"], ("", "PRIMARY"), True),
    ],
)
def test_any_value_of_an_instance_may_match_any_wildcard(
    values: list[str], seen: tuple[str, ...], holds: bool
) -> None:
    assert met(OnDataset.of("ImageType", tuple(values)), storing(ImageType=seen)) is holds


def test_person_names_of_an_instance_match_in_any_case() -> None:
    assert met(OnDataset.of("PatientName", ("doe^*",)), storing(PatientName=("DOE^JOHN",)))


def test_before_an_instance_is_there_no_dataset_matches() -> None:
    assert not met(OnDataset.of("Modality", ("*",)), STORE)


@pytest.mark.parametrize("lines", [["ward-7"], ["other", "ward-7"], ["other, ward-7"]])
def test_a_header_matches_by_line_or_as_a_whole(lines: list[str]) -> None:
    facts = replace(SEARCH, fields=Fields(("X-Site", line) for line in lines))

    assert met(OnField("x-site", (Wildcard("*ward-?"),)), facts)


@pytest.mark.parametrize(
    ("client", "inside"),
    [
        ("10.20.1.5", True),
        ("10.21.0.1", False),
        ("::ffff:10.20.1.5", True),
        ("fd00::1", True),
        ("fe80::1", False),
    ],
)
def test_a_client_is_in_a_network(client: str, inside: bool) -> None:
    condition = OnClient((ip_network("10.20.0.0/16"), ip_network("fd00::/8")))

    assert met(condition, replace(SEARCH, client=ip_address(client))) is inside


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            OnTransaction(frozenset({Transaction.STORE, Transaction.RETRIEVE})),
            "the transaction is search, not retrieve or store",
        ),
        (OnLevel(frozenset({Level.SERIES})), "the level is study, not series"),
        (OnResource(frozenset({Kind.FRAMES})), "the resource is collection, not frames"),
        (OnQuery.of("PatientID", ("1",)), "the query has no PatientID"),
        (OnQuery.of("PatientName", ("A*", "B")), "the query's PatientName is not A* or B"),
        (OnField("x-site", (Wildcard("a"),)), "there is no header x-site"),
        (OnField("x-ward", (Wildcard("a"),)), "the header x-ward is not a"),
        (OnDataset.of("Modality", ("CT",)), "the dataset has no Modality"),
        (OnDataset.of("PatientName", ("A*", "B")), "the dataset's PatientName is not A* or B"),
        (OnClient((ip_network("10.0.0.0/8"),)), "the client is not in 10.0.0.0/8"),
        (OnTime(Schedule((Window(0, 60),), zone=UTC)), "the time is 12:00, outside 00:00-01:00"),
    ],
)
def test_what_is_not_met_says_why_without_repeating_the_request(condition: Condition, said: str) -> None:
    facts = replace(
        asking(PatientName="CANARY"),
        fields=Fields([("x-ward", "CANARY")]),
        client=ip_address("192.0.2.1"),
        dataset={"PatientName": ("CANARY",)},
    )

    assert condition.unmet(facts) == said


def test_a_client_nobody_knows_is_in_no_network() -> None:
    assert OnClient((ip_network("0.0.0.0/0"),)).unmet(SEARCH) == "the client's address is not known"


def test_a_request_without_a_level_has_none() -> None:
    assert (
        OnLevel(frozenset({Level.STUDY})).unmet(replace(SEARCH, level=None))
        == "the level is not given, not study"
    )
