"""Which stages an answer passes, judged by the envelope that comes of it."""

import gzip
from contextlib import AsyncExitStack

import pytest

from edgerouter.errors import ProtocolError
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.envelope import Envelope, Opening
from edgerouter.upstream.seam import Framing
from tests.transactions.canned import JSON, PACS, PUBLIC, CannedAnswer, Pairs, inbound, joined, links

INSTANCE = "/studies/1/series/2/instances/3"
DICOM = 'multipart/related; type="application/dicom"'
XML = 'multipart/related; type="application/dicom+xml"'
OCTETS = 'multipart/related; type="application/octet-stream"'
PART = b"--b\r\n\r\nfile\r\n--b--"


async def envelope(
    target: str, answer: CannedAnswer, accept: str | None = None, fields: Pairs = ()
) -> tuple[Envelope, bytes]:
    request = inbound(target, accept, fields=fields)
    async with AsyncExitStack() as owner:
        opening = Opening(answer, request, links(PACS + request.resource.path), wishes_of(request), 10_000)
        chosen = await opening.envelope(owner)
        return chosen, await joined(chosen.body)
    raise AssertionError


def lone(media: str, framing: Framing, body: bytes = b"file") -> CannedAnswer:
    return CannedAnswer([body], [("Content-Type", media)], framing=framing)


@pytest.mark.parametrize(
    ("framing", "length", "unproven"),
    [(Framing.LENGTH, 4, False), (Framing.CHUNKED, None, False), (Framing.CLOSE, None, True)],
)
async def test_a_lone_body_leaves_as_it_came(framing: Framing, length: int | None, unproven: bool) -> None:
    chosen, body = await envelope(INSTANCE, lone("application/dicom", framing), "application/dicom")
    assert (chosen.length, chosen.unproven, chosen.rewritten, body) == (length, unproven, False, b"file")


async def test_what_was_decoded_has_another_length_and_other_validators() -> None:
    answer = CannedAnswer(
        [gzip.compress(b"file")],
        [("Content-Type", "image/jpeg"), ("Content-Encoding", "gzip")],
        framing=Framing.LENGTH,
    )
    chosen, body = await envelope(f"{INSTANCE}/rendered", answer)
    assert (chosen.length, chosen.rewritten, body) == (None, True, b"file")


async def test_a_multipart_body_is_proved_by_its_boundary() -> None:
    answer = CannedAnswer([PART], [("Content-Type", f"{DICOM}; boundary=b")], framing=Framing.CLOSE)
    chosen, body = await envelope("/studies/1", answer)
    assert (chosen.unproven, chosen.length, chosen.rewritten) == (False, None, True)
    assert b"Content-Type: application/dicom\r\n\r\nfile" in body


@pytest.mark.parametrize(
    ("target", "accept", "theirs", "ours"),
    [
        ("/studies/1", DICOM, "multipart/related; boundary=b", DICOM),
        (f"{INSTANCE}/frames/1", OCTETS, "multipart/related; boundary=b", OCTETS),
        (
            f"{INSTANCE}/frames/1",
            OCTETS,
            'multipart/related; type="image/jls"; transfer-syntax=*; boundary=b',
            'multipart/related; type="image/jls"',
        ),
        (
            "/studies/1",
            DICOM,
            "multipart/related; type=application/dicom; transfer-syntax=1.2.3; boundary=b",
            f"{DICOM}; transfer-syntax=1.2.3",
        ),
    ],
)
async def test_the_envelope_says_what_the_parts_are(target: str, accept: str, theirs: str, ours: str) -> None:
    chosen, _ = await envelope(target, CannedAnswer([PART], [("Content-Type", theirs)]), accept)
    assert (chosen.fields.get("content-type") or "").rpartition("; ")[0] == ours


async def test_xml_is_proved_by_its_boundary_even_when_we_gzip_it() -> None:
    body = b"--b\r\n\r\n<N/>\r\n--b--"
    answer = CannedAnswer([body], [("Content-Type", f"{XML}; boundary=b")], framing=Framing.CLOSE)
    chosen, coded = await envelope("/studies/1/metadata", answer, XML, [("Accept-Encoding", "gzip")])
    assert (chosen.unproven, chosen.fields.get("content-encoding")) == (False, "gzip")
    assert b"<N/>" in gzip.decompress(coded)


async def test_json_is_not_proved_by_its_last_bracket() -> None:
    chosen, body = await envelope("/studies/1/metadata", lone(JSON, Framing.CLOSE, b"[{}]"))
    assert (chosen.unproven, body) == (True, b"[{}]")


@pytest.mark.parametrize(
    ("accept", "status", "body"), [(JSON, 200, b"[]"), (XML, 204, b""), (f"{XML}, {JSON};q=0.1", 204, b"")]
)
async def test_no_match_is_said_as_each_format_can(accept: str, status: int, body: bytes) -> None:
    for answer in (CannedAnswer(status=204), CannedAnswer(framing=Framing.LENGTH)):
        chosen, came = await envelope("/studies", answer, accept)
        assert (chosen.status, chosen.length, came) == (status, len(body), body)


async def test_no_content_elsewhere_is_no_content() -> None:
    chosen, body = await envelope("/studies/1", CannedAnswer(status=204))
    assert (chosen.status, body) == (204, b"")


async def test_a_part_alone_keeps_its_own_type_or_its_envelopes() -> None:
    location = f"Content-Location: {PACS}/studies/1\r\n"
    for head, media in ((f"Content-Type: x/y\r\n{location}", "x/y"), (location, "application/dicom")):
        part = f"--b\r\n{head}\r\nfile\r\n--b--".encode()
        answer = CannedAnswer([part], [("Content-Type", f"{DICOM}; boundary=b")])
        chosen, body = await envelope(INSTANCE, answer, "application/dicom")
        assert (chosen.fields.get("content-type"), body) == (media, b"file")
        assert chosen.fields.get("content-location") == f"{PUBLIC}/studies/1"


async def test_a_zip_is_never_wrapped() -> None:
    chosen, body = await envelope(
        "/studies/1", lone("application/zip", Framing.LENGTH), f"{DICOM}, application/zip;q=0.5"
    )
    assert (chosen.fields.get("content-type"), body) == ("application/zip", b"file")


@pytest.mark.parametrize(
    ("target", "accept", "content_type"),
    [
        ("/studies/1", DICOM, DICOM),
        ("/studies/1/metadata", XML, f"{DICOM}; boundary=b"),
        ("/studies/1/metadata", JSON, "text/html"),
    ],
)
async def test_what_was_not_asked_for_is_refused(target: str, accept: str, content_type: str) -> None:
    with pytest.raises(ProtocolError):
        await envelope(target, CannedAnswer([PART], [("Content-Type", content_type)]), accept)


@pytest.mark.parametrize("target", ["/studies", "/studies/1/metadata"])
async def test_an_archive_that_only_has_xml_answers_in_xml(target: str) -> None:
    document = f'<DicomAttribute tag="1"><BulkData uri="{PACS}/studies/1"/></DicomAttribute>'
    body = f"--b\r\n\r\n<NativeDicomModel>{document}</NativeDicomModel>\r\n--b--".encode()
    chosen, out = await envelope(target, CannedAnswer([body], [("Content-Type", f"{XML}; boundary=b")]), JSON)
    assert (chosen.fields.get("content-type") or "").startswith(f"{XML}; boundary=")
    assert (PUBLIC.encode() in out) is (target != "/studies")


@pytest.mark.parametrize("accept", ["*/*", "image/jpeg"])
async def test_several_pictures_stay_in_their_envelope(accept: str) -> None:
    body = b"--b\r\nContent-Type: image/jpeg\r\n\r\n1\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n2\r\n--b--"
    theirs = 'multipart/related; type="image/jpeg"; boundary=b'
    chosen, out = await envelope(
        "/studies/1/rendered", CannedAnswer([body], [("Content-Type", theirs)]), accept
    )
    assert (chosen.fields.get("content-type") or "").startswith('multipart/related; type="image/jpeg"')
    assert out.count(b"Content-Type: image/jpeg") == 2
