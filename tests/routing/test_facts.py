"""What a request line asks for, as rules see it."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.errors import BadRequest, MethodNotAllowed, NotFound
from edgerouter.routing.facts import asked

NOW = datetime(2025, 11, 22, tzinfo=UTC)


def query(target: str) -> tuple[tuple[str, str], ...]:
    return asked("GET", target).facts(now=NOW).query


@pytest.mark.parametrize(
    ("method", "target", "transaction", "kind", "level"),
    [
        ("GET", "/studies", Transaction.SEARCH, Kind.COLLECTION, Level.STUDY),
        ("HEAD", "/studies/1.2/series", Transaction.SEARCH, Kind.COLLECTION, Level.SERIES),
        ("GET", "/instances", Transaction.SEARCH, Kind.COLLECTION, Level.INSTANCE),
        ("GET", "/studies/1.2", Transaction.RETRIEVE, Kind.DICOM, Level.STUDY),
        ("GET", "/studies/1.2/series/1.3/metadata", Transaction.RETRIEVE, Kind.METADATA, Level.SERIES),
        (
            "GET",
            "/studies/1.2/series/1.3/instances/1.4/frames/1",
            Transaction.RETRIEVE,
            Kind.FRAMES,
            Level.INSTANCE,
        ),
        ("POST", "/studies", Transaction.STORE, Kind.COLLECTION, Level.STUDY),
        ("POST", "/studies/1.2", Transaction.STORE, Kind.DICOM, Level.STUDY),
        ("GET", "/wado?requestType=WADO", Transaction.WADO_URI, Kind.WADO_URI, Level.INSTANCE),
        ("OPTIONS", "/", Transaction.CAPABILITIES, Kind.ROOT, None),
    ],
)
def test_method_and_path_make_the_transaction(
    method: str, target: str, transaction: Transaction, kind: Kind, level: Level | None
) -> None:
    facts = asked(method, target).facts(now=NOW)

    assert (facts.transaction, facts.kind, facts.level) == (transaction, kind, level)


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", "/studies/1.2", "GET, HEAD, POST"),
        ("DELETE", "/studies/1.2/series/1.3", "GET, HEAD"),
        ("POST", "/studies/1.2/series", "GET, HEAD"),
        ("POST", "/wado", "GET, HEAD"),
        ("POST", "/", "OPTIONS, GET, HEAD"),
        ("get", "/studies", "GET, HEAD, POST"),
    ],
)
def test_other_methods_are_not_allowed_and_told_which_are(method: str, target: str, allow: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        asked(method, target)

    assert caught.value.fields == (("allow", allow),)


def test_bad_paths_are_refused_as_the_router_would() -> None:
    with pytest.raises(BadRequest):
        asked("GET", "/studies/abc")
    with pytest.raises(NotFound):
        asked("GET", "/patients")


def test_query_pairs_are_decoded_and_named_one_way() -> None:
    assert query("/studies?00100020=A%2F1&PatientName=DOE%5eJOHN+X&limit=5&0008%30050=7&&flag") == (
        ("PatientID", "A/1"),
        ("PatientName", "DOE^JOHN X"),
        ("limit", "5"),
        ("AccessionNumber", "7"),
        ("flag", ""),
    )


def test_the_uids_of_the_path_count_as_query() -> None:
    assert query("/studies/1.2/series/1.3/instances?SOPInstanceUID=1.4") == (
        ("StudyInstanceUID", "1.2"),
        ("SeriesInstanceUID", "1.3"),
        ("SOPInstanceUID", "1.4"),
    )


def test_the_uri_services_own_names_for_uids_are_understood() -> None:
    assert query("/wado?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4") == (
        ("requestType", "WADO"),
        ("StudyInstanceUID", "1.2"),
        ("SeriesInstanceUID", "1.3"),
        ("SOPInstanceUID", "1.4"),
    )


def test_a_query_that_is_not_utf_8_does_no_harm() -> None:
    assert query("/studies?PatientName=%ff%zz") == (("PatientName", "\N{REPLACEMENT CHARACTER}%zz"),)


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_every_pair_comes_out_as_it_was_encoded(pairs: list[tuple[str, str]]) -> None:
    encodable = [(f"x{name}", value) for name, value in pairs if f"{name}{value}".isprintable()]

    assert query(f"/studies?{urlencode(encodable)}") == tuple(encodable)


def test_a_dataset_that_is_given_is_among_the_facts() -> None:
    upload = asked("POST", "/studies")

    assert upload.facts(now=NOW).dataset is None
    assert upload.facts(now=NOW, dataset={"Modality": ("CT",)}).dataset == {"Modality": ("CT",)}
