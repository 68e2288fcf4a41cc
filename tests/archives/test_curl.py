"""curl walks over every transaction, at the archive and at the router: twice each, so that a cache answers.

What the archive does well, the router does alike. Where this archive does not do what PS3.18 says, the router
does, and the table says what."""

from pathlib import Path

import pytest

from tests.support.archives import Archives, Edge
from tests.support.curl import CurlFailed, address, asked, content, curl, until_held
from tests.support.doors import (
    DICOM,
    DICOM_AS_STORED,
    DICOM_JSON,
    DICOM_XML,
    OCTETS,
    OCTETS_AS_STORED,
    Door,
)
from tests.support.faults import Cut, Fault

pytestmark = pytest.mark.archives

CT, OVERLAY, RLE, JPEG, J2K, REPORT = (
    "CT_small.dcm",
    "examples_overlay.dcm",
    "SC_rgb_rle_2frame.dcm",
    "JPGExtended.dcm",
    "693_J2KI.dcm",
    "reportsi.dcm",
)
IMPLICIT, RLE_LOSSLESS, LOSSLESS, EXTENDED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.51",
)
GZIP = ("-H", "accept-encoding: gzip")
PROBLEM, OCTET_STREAM = "application/problem+json", "application/octet-stream"
HEADS = {
    "/studies": DICOM_JSON,
    "{study}": "multipart/related",
    "{instance}/metadata": DICOM_JSON,
    "{instance}/frames/1": "multipart/related",
    "{instance}/rendered": "image/jpeg",
    "{wado}": "image/png",
}
# Sample, what is asked of it ({study}, {series}, {instance} are its paths, {wado} the URI service), options.
SAME: list[tuple[str, str, tuple[str, ...]]] = [
    (CT, "/studies", ()),
    (CT, "/studies", (f"accept: {DICOM_JSON}", "--compressed")),
    (CT, "/studies", ("accept: application/json",)),
    (CT, "/studies?limit=2&offset=1", ()),
    (CT, "/studies?PatientID=1CT1&includefield=all", ()),
    (CT, "/studies?PatientName=Phantom*", ()),
    (CT, "{study}/series", ()),
    (CT, "{study}/instances", ()),
    (CT, "{series}/instances", ()),
    (CT, "/series?Modality=MR", ()),
    (CT, "/instances?limit=3", ()),
    (CT, "/studies?limit=x", ()),
    *((CT, path, ()) for path in ("{study}", "{series}", "{instance}")),
    (CT, "{study}", ("accept: multipart/related",)),
    (CT, "{study}", (f"accept: {DICOM_AS_STORED}",)),
    (RLE, "{instance}", (f"accept: {DICOM_AS_STORED}",)),
    (RLE, "{instance}", (f"accept: {DICOM}; transfer-syntax={RLE_LOSSLESS}",)),
    (RLE, "{instance}", (f"accept: {DICOM}; transfer-syntax={LOSSLESS}",)),
    (CT, "{instance}", (f"accept: {DICOM}; transfer-syntax={IMPLICIT}",)),
    (CT, "{study}", ('accept: multipart/related; type="application/octet-stream"',)),
    *((OVERLAY, f"{{{level}}}/metadata", ()) for level in ("study", "series", "instance")),
    (OVERLAY, "{instance}/metadata", ("accept: application/json", "--compressed")),
    (REPORT, "{instance}/metadata", ()),
    (CT, "{instance}/frames/1", ()),
    (CT, "{instance}/frames/1", (f"accept: {OCTETS}", "--compressed")),
    (RLE, "{instance}/frames/2", (f"accept: {OCTETS_AS_STORED}",)),
    (RLE, "{instance}/frames/1,2", (f"accept: {OCTETS_AS_STORED}",)),
    (
        JPEG,
        "{instance}/frames/1",
        (f'accept: multipart/related; type="image/jpeg"; transfer-syntax={EXTENDED}',),
    ),
    (CT, "{instance}/frames/1", ('accept: multipart/related; type="image/jpeg"',)),
    (CT, "{instance}/frames/2", (f"accept: {OCTETS}",)),
    (RLE, "{instance}/frames/1,3", (f"accept: {OCTETS}",)),
    (CT, "{instance}/frames/0", (f"accept: {OCTETS}",)),
    (J2K, "{instance}/frames/1", (f"accept: {OCTETS}",)),
    (CT, "{instance}/bulk/7fe00010", (f"accept: {OCTETS}",)),
    (CT, "{instance}/bulk/00999999", (f"accept: {OCTETS}",)),
    (OVERLAY, "{instance}/bulk/00880200/1/00281201", (f"accept: {OCTETS}",)),
    (CT, "{instance}/rendered", ()),
    (CT, "{instance}/rendered", ("accept: image/png",)),
    (CT, "{instance}/rendered?viewport=64,64", ("accept: image/png",)),
    (CT, "{instance}/rendered?window=40,400,linear", ("accept: image/jpeg",)),
    (CT, "{instance}/rendered?quality=30", ("accept: image/jpeg",)),
    (CT, "{instance}/rendered?quality=0", ("accept: image/jpeg",)),
    (CT, "{instance}/rendered?viewport=10", ("accept: image/jpeg",)),
    (CT, "{instance}/rendered", ("accept: image/gif",)),
    (CT, "{series}/rendered", ("accept: image/png",)),
    (CT, "{study}/rendered", ("accept: image/png",)),
    (RLE, "{instance}/frames/2/rendered", ("accept: image/png",)),
    (RLE, "{instance}/frames/9/rendered", ("accept: image/png",)),
    (REPORT, "{instance}/rendered", ("accept: text/html",)),
    (CT, "{wado}", ()),
    (CT, "{wado}", ("accept: image/png",)),
    (CT, "{wado}", ("accept: application/dicom",)),
    (CT, "{wado}&contentType=application/dicom", ()),
    (CT, "{wado}&contentType=image/png&rows=64&columns=64", ()),
    (CT, "{wado}&contentType=image/jpeg&imageQuality=30", ()),
    (CT, "{wado}&contentType=image/png&windowCenter=40&windowWidth=400", ()),
    (RLE, "{wado}&contentType=image/png&frameNumber=2", ()),
    (CT, "{wado}&contentType=text/html", ()),
    (CT, "/studies/1.2.3", ()),
    (CT, "/studies/1.2.3/metadata", ()),
    (CT, "{study}/series/1.2/metadata", ()),
    (CT, "/nothing", ()),
    (CT, "{study}", ("-XDELETE",)),
    (CT, "{study}", ("-XPUT", "-d", "x")),
    (CT, "{study}/metadata", ("-d", "x")),
    (CT, "/studies", ("-d", "x")),
    (CT, "/series", ("-d", "x")),
]


# What a router that keeps makes itself of what it has, by the standard and not by this archive's habits: the
# media type of its answer. One that keeps nothing does what the archive does. What is in these answers is
# looked at in test_derived.
MADE: list[tuple[str, str, tuple[str, ...], str]] = [
    (CT, "{study}", ("accept: application/zip",), "application/zip"),
    *(
        (OVERLAY, f"{{{level}}}/metadata", (f"accept: {DICOM_XML}",), "multipart/related")
        for level in ("study", "instance")
    ),
    (OVERLAY, "{instance}/metadata", (f"accept: {DICOM_XML}", "--compressed"), "multipart/related"),
    (RLE, "{wado}&contentType=application/dicom", (), "application/dicom"),
    (
        RLE,
        f"{{wado}}&contentType=application/dicom&transferSyntax={LOSSLESS}",
        (),
        "application/dicom",
    ),
]


# The same, the archive's status, and the router's with the media type of its answer.
BETTER: list[tuple[str, str, tuple[str, ...], int, int, str]] = [
    (CT, "/studies", (f"accept: {DICOM_XML}",), 200, 200, "multipart/related"),
    (CT, "/studies", ("accept: text/html",), 200, 406, PROBLEM),
    (CT, "/studies?limit=-1", (), 500, 400, PROBLEM),
    (CT, "/studies?PatientName=Phantom%2A", (), 200, 200, DICOM_JSON),
    (CT, "/studies/abc/metadata", (), 404, 400, PROBLEM),
    (CT, "/studies", ("-XPATCH",), 400, 405, PROBLEM),
    (CT, "/studies", ("-XOPTIONS",), 404, 405, PROBLEM),
    (CT, "/", ("-XOPTIONS",), 404, 200, "application/vnd.sun.wadl+xml"),
    (CT, "{study}", ("accept: image/jpeg",), 400, 406, PROBLEM),
    (CT, "{study}/metadata", ("accept: text/html",), 400, 406, PROBLEM),
    (CT, "{instance}", ("accept: application/dicom",), 400, 200, "application/dicom"),
    (CT, "{instance}/frames/1", ("accept: application/octet-stream",), 400, 200, OCTET_STREAM),
    (CT, "{instance}/bulk/7fe00010", ("accept: application/octet-stream",), 400, 200, OCTET_STREAM),
    (CT, "{instance}/rendered", ("accept: image/*",), 400, 200, "image/jpeg"),
    (CT, "{instance}/rendered?accept=image/png", ("accept: image/jpeg",), 200, 200, "image/png"),
    (CT, "{wado}&contentType=image%2Fpng", (), 400, 200, "image/png"),
    (CT, "{wado}&requestType=XXX", (), 404, 400, PROBLEM),
    *((CT, path, ("-I",), 404, 200, kind) for path, kind in HEADS.items()),
]


def shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("name", "path", "options"), SAME, ids=shown)
def test_what_the_archive_does_the_router_does_alike(
    door: Door, direct: Door, archives: Archives, name: str, path: str, options: tuple[str, ...]
) -> None:
    there = content(direct, asked(direct, archives, name, path, options))
    for _ in range(2):
        assert content(door, asked(door, archives, name, path, options)) == there


@pytest.mark.parametrize(("name", "path", "options", "media"), MADE, ids=shown)
def test_what_a_router_that_keeps_makes_itself_another_passes_on(
    door: Door,
    direct: Door,
    archives: Archives,
    name: str,
    path: str,
    options: tuple[str, ...],
    media: str,
) -> None:
    there = content(direct, asked(direct, archives, name, path, options))
    for _ in range(2):
        reply = asked(door, archives, name, path, options)
        if door.keeps:
            kind = (reply.get("content-type") or "").partition(";")[0]
            assert (reply.status, kind) == (200, media)
        else:
            assert content(door, reply) == there


@pytest.mark.parametrize(("name", "path", "options", "at_archive", "at_router", "media"), BETTER, ids=shown)
def test_where_the_archive_falls_short_the_router_does_what_the_standard_says(
    door: Door,
    direct: Door,
    archives: Archives,
    name: str,
    path: str,
    options: tuple[str, ...],
    at_archive: int,
    at_router: int,
    media: str,
) -> None:
    for _ in range(2):
        reply = asked(door, archives, name, path, options)
        if door is direct:
            assert reply.status == at_archive
        else:
            kind = (reply.get("content-type") or "").partition(";")[0]
            assert (reply.status, kind) == (at_router, media)


def test_one_value_without_an_envelope_is_the_same_value(
    door: Door, direct: Door, archives: Archives
) -> None:
    """application/dicom, octets of a frame, octets of bulkdata: what the one part of the multipart is."""
    for path, single, multi in (
        ("{instance}", "application/dicom", DICOM),
        ("{instance}/frames/1", OCTET_STREAM, OCTETS),
        ("{instance}/bulk/7fe00010", OCTET_STREAM, OCTETS),
    ):
        [part] = asked(direct, archives, CT, path, (f"accept: {multi}",)).parts
        for _ in range(2):
            reply = asked(door, archives, CT, path, (f"accept: {single}",))
            assert reply.status == 400 if door is direct else reply.body == part.body


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/studies", DICOM_JSON), ("{study}/metadata", DICOM_JSON), ("{study}/metadata", DICOM_XML)],
)
def test_what_is_gzipped_is_the_same_text(
    door: Door, direct: Door, archives: Archives, path: str, accept: str
) -> None:
    plain = asked(door, archives, OVERLAY, path, (f"accept: {accept}",))
    for _ in range(2):
        packed = curl(address(door, archives, OVERLAY, path), "-H", f"accept: {accept}", *GZIP)
        assert packed.get("content-encoding") == "gzip"
        assert len(packed.body) < len(plain.body) / 2
        assert content(door, door.plain(packed)) == content(door, plain)
        assert door is direct or "accept-encoding" in (packed.get("vary") or "").lower()


def test_who_holds_what_is_current_is_told_so(keeping_a: Edge, archives: Archives, tmp_path: Path) -> None:
    with Door(keeping_a.dicomweb, f"{keeping_a.dicomweb}/wado") as door:
        for path, accept in (("{instance}/frames/1", OCTETS), ("{instance}/metadata", DICOM_JSON)):
            url = address(door, archives, JPEG, path)
            until_held(door, archives, JPEG, path, (f"accept: {accept}",))
            tag = tmp_path / accept.replace("/", "-")
            held = curl(url, "-H", f"accept: {accept}", "--etag-save", str(tag))
            assert (held.status, held.get("etag")) == (200, tag.read_text().strip())
            assert curl(url, "-H", f"accept: {accept}", "--etag-compare", str(tag)).status == 304


def test_a_range_of_what_is_held_is_that_range(keeping_a: Edge, archives: Archives) -> None:
    with Door(keeping_a.dicomweb, f"{keeping_a.dicomweb}/wado") as door:
        wish = ("-H", f"accept: {OCTET_STREAM}")
        until_held(door, archives, OVERLAY, "{instance}/bulk/7fe00010", (f"accept: {OCTET_STREAM}",))
        url = address(door, archives, OVERLAY, "{instance}/bulk/7fe00010")
        whole = curl(url, *wish).body
        part = curl(url, *wish, "-r", "1000-1999")
        assert (part.status, part.body) == (206, whole[1000:2000])
        assert part.get("content-range") == f"bytes 1000-1999/{len(whole)}"


@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_an_answer_that_breaks_off_is_an_error_to_curl(edge: Edge, archives: Archives, how: Cut) -> None:
    relay = edge.relays["a"]
    with Door(edge.dicomweb, "") as door:
        for path, accept in (("{series}", DICOM_AS_STORED), ("{instance}/metadata", DICOM_JSON)):
            relay.spoil(Fault(cut_at=500, how=how), lambda one: "/series/" in one.target, times=1)
            try:
                reply = asked(door, archives, JPEG, path, (f"accept: {accept}",))
            except CurlFailed:
                pass
            else:
                assert reply.status == 502, "nothing of it had left"
            relay.mend()
