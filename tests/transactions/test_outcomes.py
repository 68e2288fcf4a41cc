"""The arithmetic of failed sources: what is an error, which one, and what is said beside the rows."""

import pytest

from edgerouter.errors import (
    ConnectError,
    ConnectTimeout,
    Cut,
    Overloaded,
    ProtocolError,
    Received,
    Refused,
    ResponseTimeout,
    RouterError,
)
from edgerouter.transactions.outcomes import failure, proxy_statuses, unproven, unsupported, warnings
from edgerouter.transactions.sources import Source

PUBLIC = "https://edge.example/dicomweb"


def received(status: int, **fields: str) -> Received:
    given = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Received(status, upstream="north", fields=given)


def source(name: str, error: RouterError | None = None, *, pages: int = 0, absent: bool = False) -> Source:
    return Source(name, error=error, pages=pages, absent=absent)


TIMEOUTS = [ResponseTimeout("late"), ConnectTimeout("late")]
UNREACHABLE = [ConnectError("gone"), ProtocolError("odd"), Cut("broken"), Refused("no"), received(500)]


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        (TIMEOUTS, 504),
        (UNREACHABLE, 502),
        ([received(503), received(429), Overloaded("full")], 503),
        ([received(403)] * 2, 403),
        ([received(404)] * 2, 404),
        ([received(400)] * 2, 400),
        ([received(413)] * 2, 413),
        ([received(404), received(400)], 502),
        ([*TIMEOUTS, *UNREACHABLE], 502),
        ([received(503), ResponseTimeout("late")], 502),
        ([received(418)], 502),
    ],
)
def test_when_nobody_answered_like_failures_keep_their_status(errors: list[RouterError], status: int) -> None:
    found = failure([source(f"s{place}", error) for place, error in enumerate(errors)], strict=False)

    assert found is not None
    assert found.status == status
    assert all(f"s{place} (" in found.detail for place in range(len(errors)))


def test_the_longest_pause_that_was_asked_for_is_told() -> None:
    paused = [source("a", received(503, retry_after="7")), source("b", received(429, retry_after="120"))]
    dated = [source("a", received(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"))]

    found, undated = failure(paused, strict=False), failure(dated, strict=False)

    assert found is not None
    assert found.fields == (("retry-after", "120"),)
    assert undated is not None
    assert undated.fields == (("retry-after", "5"),)


def test_a_lone_failure_is_told_of_its_upstream_and_token() -> None:
    alone = failure([source("a", ResponseTimeout("late"))], strict=False)
    both = failure([source("a", ResponseTimeout("late")), source("b", ConnectTimeout("late"))], strict=False)

    assert alone is not None
    assert (alone.upstream, alone.token) == ("a", "http_response_timeout")
    assert both is not None
    assert (both.upstream, both.token) == (None, "destination_unavailable")


def test_one_answer_is_enough_unless_the_rule_wants_all() -> None:
    sources = [source("a"), source("b", ResponseTimeout("late"))]

    assert failure(sources, strict=False) is None
    strict = failure(sources, strict=True)
    assert strict is not None
    assert (strict.status, strict.detail) == (504, "The rule wants every archive; missing: b (timeout).")
    mixed = failure([*sources, source("c", ConnectError("gone"))], strict=True)
    assert mixed is not None
    assert mixed.status == 502


def test_a_source_that_gave_some_pages_has_answered() -> None:
    assert failure([source("a", ResponseTimeout("late"), pages=1)], strict=False) is None


def test_more_than_is_taken_is_too_much_where_all_is_wanted() -> None:
    cut = Source("a", truncated=True)

    assert failure([cut], strict=False) is None
    strict = failure([cut], strict=True)
    assert strict is not None
    assert strict.status == 413


def test_what_no_source_has_is_not_found_and_what_one_has_not_is_nothing() -> None:
    nowhere = failure([source("a", absent=True), source("b", absent=True)], strict=False)

    assert nowhere is not None
    assert nowhere.status == 404
    assert failure([source("a", absent=True), source("b")], strict=True) is None
    assert failure([source("a", absent=True), source("b", ConnectError("gone"))], strict=False) is None


def test_that_nothing_was_found_is_unproven_while_somebody_did_not_say() -> None:
    assert unproven([source("a"), source("b", absent=True)]) is None
    found = unproven([source("a"), source("b", ResponseTimeout("late"))])
    assert found is not None
    assert found.status == 504


def test_every_failed_source_is_named_once_with_its_reason() -> None:
    errors = {
        "a": ResponseTimeout("late"),
        "b": ConnectError("gone"),
        "c": received(403),
        "d": Refused("no"),
        "e": received(429),
    }
    sources = [source(name, error) for name, error in errors.items()]
    sources += [source("f"), Source("g", error=Overloaded("rests"), resting=True)]

    found = warnings(sources, PUBLIC)

    reasons = ["timeout", "error", "unauthorized", "unauthorized", "overloaded", "resting"]
    assert found == tuple(
        f"299 {PUBLIC}: Source {name} did not answer ({reason}); results may be incomplete"
        for name, reason in zip("abcdeg", reasons, strict=True)
    )


def test_what_was_cut_or_unusable_is_said_too() -> None:
    odd = Source("a", truncated=True, unusable=3)

    assert [line.partition(": ")[2] for line in warnings([odd], PUBLIC)] == [
        "Source a has more matches than were taken; narrow the search",
        "Source a sent matches that name nothing; results may be incomplete",
    ]


FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


@pytest.mark.parametrize(
    "line", [f"299 http://pacs/dw: {FUZZY}", f'299 pacs:80 "{FUZZY}"', f"299 - {FUZZY} "]
)
def test_that_a_source_did_not_match_as_asked_is_said_once(line: str) -> None:
    sources = [
        Source("a", warnings=[line, "299 x: There are 3 additional results"]),
        Source("b", warnings=[line]),
    ]

    assert warnings(sources, PUBLIC) == (f"299 {PUBLIC}: {FUZZY}",)


def test_other_warnings_of_sources_are_not_ours() -> None:
    assert unsupported('299 x "There are 3 additional results that can be requested"') is None
    assert unsupported("299 x: The emptyvaluematching parameter is not supported. Empty Value Matching …")


def test_failures_are_told_to_machines_too() -> None:
    sources = [source("a"), source("b", ResponseTimeout("late")), source("c", received(500))]

    assert proxy_statuses(sources) == (
        'edgerouter; error=http_response_timeout; next-hop=b; details="late"',
        'edgerouter; received-status=500; next-hop=north; details="The archive answered with status 500."',
    )
