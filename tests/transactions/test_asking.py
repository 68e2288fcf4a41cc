"""One request to an archive, assembled from what one client asked."""

import pytest

from edgerouter.errors import BadRequest, NotAcceptable, NotFound
from edgerouter.transactions.asking import outbound_for, wishes_of
from edgerouter.upstream.profiles import ORTHANC
from tests.transactions.canned import BOX, CannedArchive, inbound

VALUE = "/studies/1/series/2/instances/3/bulk/4"
OCTETS = 'multipart/related; type="application/octet-stream"'


def test_the_query_says_what_is_wanted_before_accept_does() -> None:
    assert [
        wish.media for wish in wishes_of(inbound("/studies/1/rendered?accept=image/png", "image/gif"))
    ] == ["image/png"]
    query = "requestType=WADO&studyUID=1&seriesUID=2&objectUID=3&contentType=image/png,application/dicom"
    assert [wish.media for wish in wishes_of(inbound(f"/wado?{query}", "image/gif"))] == [
        "image/png",
        "application/dicom",
    ]


@pytest.mark.parametrize(
    ("target", "accept", "error"),
    [
        ("/studies", "image/png", NotAcceptable),
        ("/studies?accept=a&accept=b", "*/*", BadRequest),
        ("/wado?requestType=WADO", "*/*", BadRequest),
    ],
)
def test_what_cannot_be_wanted_is_refused(target: str, accept: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        wishes_of(inbound(target, accept))


def test_a_range_is_wanted_of_a_value_alone() -> None:
    ranged = [("Range", "bytes=0-9")]
    assert {wish.multipart for wish in wishes_of(inbound(VALUE))} == {True, False}
    assert {wish.multipart for wish in wishes_of(inbound(VALUE, fields=ranged))} == {False}
    assert {wish.multipart for wish in wishes_of(inbound(VALUE, OCTETS, fields=ranged))} == {True}


def test_head_is_asked_as_get() -> None:
    request = inbound("/studies", method="HEAD")
    assert outbound_for(request, CannedArchive(), wishes_of(request), BOX).method == "GET"


@pytest.mark.parametrize(
    ("target", "coding"),
    [("/studies", "gzip"), ("/studies/1/metadata", "gzip"), ("/studies/1", "identity"), (VALUE, "identity")],
)
def test_texts_are_asked_for_gzipped_and_pixels_never(target: str, coding: str) -> None:
    request = inbound(target)
    outbound = outbound_for(request, CannedArchive(), wishes_of(request), BOX)
    assert outbound.fields.get("accept-encoding") == coding


def test_a_token_is_opened_for_its_own_archive_only() -> None:
    request = inbound(f"/bulkdata/{BOX.seal('north', '/blobs/1?a=b')}?c=d")
    outbound = outbound_for(request, CannedArchive(), wishes_of(request), BOX)
    assert (outbound.path, outbound.query) == ("/blobs/1", "a=b")
    with pytest.raises(NotFound):
        outbound_for(request, CannedArchive(name="south"), wishes_of(request), BOX)


def test_no_range_goes_to_an_archive_that_answers_in_envelopes() -> None:
    request = inbound(VALUE, fields=[("Range", "bytes=0-9")])
    orthanc = CannedArchive(profile=ORTHANC)
    assert "range" in outbound_for(request, CannedArchive(), wishes_of(request), BOX).fields
    assert "range" not in outbound_for(request, orthanc, wishes_of(request), BOX).fields
