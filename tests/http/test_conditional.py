from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.conditional import ETag, parse_date, parse_etag, parse_etags, precondition
from edgerouter.http.fields import Fields

A, B, WEAK_A = ETag("a"), ETag("b"), ETag("a", weak=True)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
LATER = MOMENT.replace(year=1995)


def ask(
    method: str, *pairs: tuple[str, str], etag: ETag | None = A, modified: datetime | None = None
) -> int | None:
    return precondition(method, Fields(pairs), etag, modified)


@pytest.mark.parametrize("tag", [A, WEAK_A, ETag(""), ETag("a,b;cW/"), ETag("\x80ÿ")])
def test_an_entity_tag_reads_as_it_is_written(tag: ETag) -> None:
    assert parse_etag(f" {tag} ") == tag


@pytest.mark.parametrize(
    "text", [None, "", "a", '"a', 'a"', 'w/"a"', 'W/ "a"', '"a" "b"', '"a","b"', '"a\n"', "*"]
)
def test_what_is_no_entity_tag_is_none(text: str | None) -> None:
    assert parse_etag(text) is None


def test_a_list_of_entity_tags_skips_what_is_none() -> None:
    assert parse_etags('"a",, W/"b" , bare, "c,d",x"e", "f"g, *') == [A, ETag("b", True), ETag("c,d")]


def test_the_strong_comparison_wants_two_strong_tags() -> None:
    assert A.same_bytes(ETag("a"))
    assert not A.same_bytes(WEAK_A)
    assert not WEAK_A.same_bytes(WEAK_A)
    assert not A.same_bytes(B)


def test_the_weak_comparison_looks_at_the_opaque_tag() -> None:
    assert A.same_meaning(WEAK_A)
    assert not A.same_meaning(B)


@pytest.mark.parametrize(
    "text",
    [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 09:49:37 +0100"],
)
def test_a_date_is_read_in_each_form(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "now",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Mon, 01 Jan 2001 00:00:00 +99999999999999",
        DATE + " " * 50,
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_etag(text)
    parse_etags(text)
    parse_date(text)


def test_no_condition_goes_on() -> None:
    assert ask("GET") is None


@pytest.mark.parametrize("listed", ['"a"', 'W/"a"', '"x", "a"', "*"])
def test_if_none_match_is_304_for_what_the_client_has(listed: str) -> None:
    assert ask("GET", ("if-none-match", listed)) == 304
    assert ask("HEAD", ("if-none-match", listed), etag=WEAK_A) == 304
    assert ask("PUT", ("if-none-match", listed)) == 412


@pytest.mark.parametrize("listed", ['"b"', "a", ""])
def test_if_none_match_goes_on_for_anything_else(listed: str) -> None:
    assert ask("GET", ("if-none-match", listed)) is None


def test_several_field_lines_are_one_list() -> None:
    assert ask("GET", ("if-none-match", '"x"'), ("if-none-match", '"a"')) == 304


def test_what_does_not_exist_matches_nothing() -> None:
    assert ask("GET", ("if-none-match", "*"), etag=None) is None
    assert ask("PUT", ("if-match", "*"), etag=None) == 412


@pytest.mark.parametrize(
    ("listed", "status"), [('"a"', None), ("*", None), ('W/"a"', 412), ('"b"', 412), ("a", 412)]
)
def test_if_match_needs_the_same_bytes(listed: str, status: int | None) -> None:
    assert ask("GET", ("if-match", listed)) == status


def test_dates_decide_where_no_tag_is_given() -> None:
    since, unmodified = ("if-modified-since", DATE), ("if-unmodified-since", DATE)

    assert ask("GET", since, modified=MOMENT) == 304
    assert ask("GET", since, modified=LATER) is None
    assert ask("GET", since) is None
    assert ask("POST", since, modified=MOMENT) is None
    assert ask("GET", ("if-modified-since", "now"), modified=MOMENT) is None
    assert ask("GET", unmodified, modified=MOMENT) is None
    assert ask("GET", unmodified, modified=LATER) == 412


def test_a_tag_condition_overrules_a_date() -> None:
    assert ask("GET", ("if-none-match", '"b"'), ("if-modified-since", DATE), modified=MOMENT) is None
    assert ask("GET", ("if-match", '"a"'), ("if-unmodified-since", DATE), modified=LATER) is None


def test_must_match_is_decided_before_must_differ() -> None:
    assert ask("GET", ("if-match", '"b"'), ("if-none-match", '"a"')) == 412
    assert ask("GET", ("if-match", '"a"'), ("if-none-match", '"a"')) == 304


def test_a_long_hostile_list_is_read_in_linear_time() -> None:
    for piece in ('"', ",", '"a",', ", ", 'W/"', ',"', " ", '"a" '):
        parse_etags(piece * (100_000 // len(piece)))
