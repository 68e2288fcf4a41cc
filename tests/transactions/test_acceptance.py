"""Which heads pass, before a byte reaches the client."""

import pytest

from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind
from edgerouter.errors import ProtocolError, Received, Refused
from edgerouter.transactions.acceptance import check_range, check_status, check_type
from tests.transactions.canned import PACS, PUBLIC, CannedAnswer, Pairs, links

ANY = (Wish("*/*"),)


@pytest.mark.parametrize("status", [200, 202, 203, 204, 206])
def test_successes_pass(status: int) -> None:
    check_status(CannedAnswer(status=status), links())


def test_a_redirect_passes_when_it_stays_inside() -> None:
    check_status(CannedAnswer(status=302, pairs=[("Location", f"{PACS}/studies/2")]), links())
    check_status(CannedAnswer(status=302, pairs=[("Location", "/dw/studies/2")]), links())


@pytest.mark.parametrize("pairs", [[], [("Location", "")], [("Location", "http://evil.example/dw")]])
def test_a_redirect_elsewhere_does_not(pairs: Pairs) -> None:
    with pytest.raises(ProtocolError):
        check_status(CannedAnswer(status=303, pairs=pairs), links())


def test_an_unasked_304_does_not() -> None:
    with pytest.raises(ProtocolError):
        check_status(CannedAnswer(status=304), links())


@pytest.mark.parametrize("status", [401, 407])
def test_credentials_that_we_lack_are_our_fault(status: int) -> None:
    with pytest.raises(Refused) as refused:
        check_status(CannedAnswer(status=status), links())
    assert (refused.value.status, refused.value.upstream) == (502, "north")


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (404, [("retry-after", "3"), ("warning", f"299 {PUBLIC}: x")]),
        (405, [("retry-after", "3"), ("allow", "GET, HEAD"), ("warning", f"299 {PUBLIC}: x")]),
        (
            416,
            [("retry-after", "3"), ("content-range", "bytes */9"), ("warning", f"299 {PUBLIC}: x")],
        ),
    ],
)
def test_a_refusal_says_what_helps(status: int, fields: Pairs) -> None:
    pairs = [
        ("Retry-After", "3"),
        ("Content-Range", "bytes */9"),
        ("Allow", "DELETE"),
        ("Server", "secret"),
        ("Warning", "299 pacs: x"),
    ]
    with pytest.raises(Received) as received:
        check_status(CannedAnswer(status=status, pairs=pairs), links())
    assert (received.value.status, list(received.value.fields)) == (status, fields)


def test_a_range_passes_when_it_was_asked_for() -> None:
    part = CannedAnswer(status=206, pairs=[("Content-Range", "bytes 0-1/2")])
    check_range(part, True, "north")
    check_range(CannedAnswer(status=206), False, "north")
    with pytest.raises(ProtocolError):
        check_range(part, False, "north")


@pytest.mark.parametrize(
    ("kind", "content_type", "wanted"),
    [
        (Kind.COLLECTION, "application/json;charset=utf-8", ANY),
        (Kind.METADATA, "Multipart/Related; type=x", ANY),
        (Kind.FRAMES, "image/jls", ANY),
        (Kind.FRAMES, "video/mp4", ANY),
        (Kind.THUMBNAIL, "image/png", ANY),
        (Kind.RENDERED, "text/html", ANY),
        (Kind.RENDERED, "application/pdf", ANY),
        (Kind.BULKDATA, "text/html", (Wish("text/html"),)),
        (Kind.BULKDATA, "application/zip", ANY),
        (Kind.DICOM, "application/zip", (Wish("application/zip"),)),
        (Kind.VOLUME, "application/dicom+json", ANY),
    ],
)
def test_a_type_that_was_asked_for_passes(kind: Kind, content_type: str, wanted: tuple[Wish, ...]) -> None:
    media = check_type(kind, CannedAnswer(pairs=[("Content-Type", content_type)]), wanted, "north")
    assert media.essence == content_type.partition(";")[0].lower()


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        (Kind.COLLECTION, "text/html"),
        (Kind.METADATA, "application/zip"),
        (Kind.DICOM, "application/zip"),
        (Kind.DICOM, "application/dicom+json"),
        (Kind.FRAMES, "application/json"),
        (Kind.THUMBNAIL, "text/html"),
        (Kind.BULKDATA, "text/html"),
        (Kind.TOKEN, "multipart/mixed; boundary=x"),
        (Kind.BULKDATA, "nonsense"),
        (Kind.VOLUME, "text/html"),
    ],
)
def test_any_other_does_not(kind: Kind, content_type: str) -> None:
    with pytest.raises(ProtocolError):
        check_type(kind, CannedAnswer(pairs=[("Content-Type", content_type)]), ANY, "north")


def test_bytes_need_no_type_and_texts_do() -> None:
    assert check_type(Kind.BULKDATA, CannedAnswer(), ANY, "north").essence == "application/octet-stream"
    with pytest.raises(ProtocolError):
        check_type(Kind.RENDERED, CannedAnswer(), ANY, "north")
