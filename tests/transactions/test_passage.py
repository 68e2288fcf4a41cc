"""Which fields pass, and what becomes of them."""

import pytest

from edgerouter.http.fields import Fields
from edgerouter.transactions.passage import cache_control, request_fields, response_fields
from tests.transactions.canned import PACS, PUBLIC, CannedAnswer, inbound, links


def test_a_request_carries_only_what_is_meant_for_the_archive() -> None:
    given = [("Cookie", "a"), ("Traceparent", "00-1"), ("Accept-Charset", "utf-8"), ("Via", "1.1 other")]
    fields = request_fields(inbound("/studies", "x/y", fields=given), "a/b", coded=True)
    assert fields == Fields(
        [("traceparent", "00-1"), ("accept-charset", "utf-8"), ("accept-encoding", "gzip"), ("accept", "a/b")]
    )


def test_a_request_says_its_way_and_that_memory_is_not_wanted() -> None:
    given = [("Pragma", "no-cache")]
    fields = request_fields(inbound("/studies", fields=given, via="1.1 a"), "a/b", coded=False)
    assert fields == Fields(
        [
            ("via", "1.1 a"),
            ("cache-control", "no-cache"),
            ("accept-encoding", "identity"),
            ("accept", "a/b"),
        ]
    )


@pytest.mark.parametrize(
    ("accept", "passed"), [("image/jpeg", True), ('image/jpeg, multipart/related; type="x/y"', False)]
)
def test_a_range_passes_where_no_envelope_can_come(accept: str, passed: bool) -> None:
    given = [("Range", "bytes=0-9"), ("If-Range", '"a"')]
    fields = request_fields(inbound("/studies/1/rendered", fields=given), accept, coded=False)
    assert ("range" in fields, "if-range" in fields) == (passed, passed)


def test_what_speaks_of_exact_bytes_passes_only_with_them() -> None:
    answer = CannedAnswer(pairs=[("ETag", '"a"'), ("Accept-Ranges", "bytes"), ("Last-Modified", "b")])
    assert response_fields(answer, links(), rewritten=True) == Fields(
        [("last-modified", "b"), ("cache-control", "private")]
    )
    assert "etag" in response_fields(answer, links(), rewritten=False)


def test_links_in_fields_are_mapped() -> None:
    answer = CannedAnswer(pairs=[("Location", f"{PACS}/studies/2"), ("Content-Location", "2/metadata")])
    fields = response_fields(answer, links(f"{PACS}/studies/1"), rewritten=True)
    assert fields.get("location") == f"{PUBLIC}/studies/2"
    assert fields.get("content-location") == f"{PUBLIC}/studies/2/metadata"


def test_a_location_elsewhere_is_left_out_and_a_content_location_left_alone() -> None:
    answer = CannedAnswer(
        pairs=[("Location", "http://x.example/"), ("Content-Location", "http://x.example/")]
    )
    fields = response_fields(answer, links(), rewritten=True)
    assert (fields.get("location"), fields.get("content-location")) == (None, "http://x.example/")


def test_every_warning_passes_in_our_name() -> None:
    answer = CannedAnswer(pairs=[("Warning", '299 - "a", 299 - "b"'), ("Warning", "299 pacs: c")])
    fields = response_fields(answer, links(), rewritten=True)
    assert fields.all("warning") == [f"299 {PUBLIC}: {text}" for text in "abc"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (None, "private"),
        ("public, max-age=60, s-maxage=9", "private, max-age=60"),
        ("No-Store", "private, no-store"),
        ('no-cache="Set-Cookie", must-revalidate', "private, must-revalidate"),
        ("max-age=1e9, immutable", "private, immutable"),
    ],
)
def test_a_client_keeps_for_itself_what_it_may(theirs: str | None, ours: str) -> None:
    assert cache_control(theirs) == ours
