"""Retrieve through the router: the archive's own bytes, in the form that the client takes."""

import pytest

from tests.scenarios.edge import (
    DICOM,
    JSON,
    OCTETS,
    PUBLIC,
    XML,
    answering,
    edge_over,
    multipart,
    related,
)
from tests.support.scripted import Reply

INSTANCE = "/studies/1.2/series/3.4/instances/5.6"
FILE = b"\0" * 128 + b"DICM" + bytes(range(256))
FRAME = b"\r\n--not-a-delimiter" + bytes(range(256)) * 300


def parts_of(*bodies: bytes, type_of_parts: str = "application/dicom") -> bytes:
    return multipart(*(([("Content-Type", type_of_parts)], body) for body in bodies))


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_study_comes_part_by_part_whatever_the_framing(framing: str) -> None:
    body = parts_of(FILE, FILE[::-1])
    async with (
        answering(Reply(body=body, fields=[related("application/dicom")], framing=framing)) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await edge.ask("/studies/1.2", f"{DICOM}; transfer-syntax=*")

        assert reply.status == 200
        assert [part.body for part in reply.parts] == [FILE, FILE[::-1]]
        assert {part.fields["content-type"] for part in reply.parts} == {"application/dicom"}
        assert reply.raw.framing == "chunked"
        assert (reply.get("content-type") or "").startswith(f"{DICOM}; boundary=")
        assert upstream.requests[0].target == "/dw/studies/1.2"
        assert upstream.requests[0].get("accept") == f"{DICOM}; transfer-syntax=*"
        assert upstream.requests[0].get("accept-encoding") == "identity"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/studies/1.2", DICOM),
        ("/studies/1.2/series/3.4", DICOM),
        (INSTANCE, DICOM),
        ("/studies/1.2/bulkdata", OCTETS),
        (f"{INSTANCE}/bulkdata", OCTETS),
        (f"{INSTANCE}/pixeldata", OCTETS),
        (f"{INSTANCE}/frames/3,1", OCTETS),
        (f"{INSTANCE}/bulk/7fe00010", OCTETS),
    ],
)
async def test_every_multipart_resource_is_relayed(path: str, accept: str) -> None:
    root = accept.partition('"')[2].rstrip('"')
    reply_of_upstream = Reply(body=parts_of(FRAME, b"", type_of_parts=root), fields=[related(root)])
    async with answering(reply_of_upstream) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(path, accept)

        assert [part.body for part in reply.parts] == [FRAME, b""]
        assert [seen.target for seen in upstream.requests] == [f"/dw{path}"]


async def test_a_lone_instance_comes_as_it_is() -> None:
    fields = [("Content-Type", "application/dicom"), ("ETag", '"abc"'), ("Last-Modified", "yesterday")]
    async with answering(Reply(body=FILE, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(INSTANCE, "application/dicom")

        assert (reply.status, reply.body, reply.raw.framing) == (200, FILE, "length")
        assert reply.get("content-type") == "application/dicom"
        assert (reply.get("etag"), reply.get("last-modified")) == ('"abc"', "yesterday")


async def test_a_lone_part_leaves_its_envelope_for_a_client_that_wants_no_envelope() -> None:
    part = multipart(([("Content-Type", "application/dicom"), ("Content-Length", f"{len(FILE)}")], FILE))
    fields = [related("application/dicom"), ("ETag", '"of the envelope"')]
    async with answering(Reply(body=part, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(INSTANCE, "application/dicom")

        assert (reply.status, reply.body) == (200, FILE)
        assert reply.get("content-type") == "application/dicom"
        assert reply.get("etag") is None


async def test_a_frame_alone_is_enveloped_for_a_client_that_takes_nothing_else() -> None:
    fields = [("Content-Type", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")]
    async with answering(Reply(body=FRAME, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/frames/1", f"{OCTETS}; transfer-syntax=*")

        [part] = reply.parts
        assert part.body == FRAME
        assert part.fields["content-type"] == "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"
        assert part.fields["content-length"] == str(len(FRAME))
        assert (reply.get("content-type") or "").startswith('multipart/related; type="image/jpeg"; transfer-')


async def test_what_nothing_proves_whole_gets_no_closing_boundary_of_ours() -> None:
    fields = [("Content-Type", "application/octet-stream")]
    closed = Reply(body=FRAME, fields=fields, framing="close")
    async with answering(closed) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/frames/1", OCTETS)

        assert (reply.body, reply.raw.framing) == (FRAME, "close")
        assert reply.get("content-type") == "application/octet-stream"
        assert reply.get("connection") == "close"


async def test_an_unlabelled_part_is_labelled_by_its_envelope() -> None:
    orthanc = 'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"'
    fields = [("Content-Type", f"{orthanc}; boundary=theirs")]
    body = multipart(([], FRAME), ([("Content-Type", "image/jls")], b"x"))
    async with answering(Reply(body=body, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/frames/1,2", OCTETS)

        label = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert [part.fields["content-type"] for part in reply.parts] == [label, "image/jls"]
        assert (reply.get("content-type") or "").startswith(
            f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1; boundary="
        )


@pytest.mark.parametrize("path", [f"{INSTANCE}/bulk/1", f"{INSTANCE}/frames/1"])
async def test_bytes_without_a_type_are_bytes(path: str) -> None:
    async with answering(Reply(body=FRAME)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(path, "application/octet-stream")

        assert (reply.get("content-type"), reply.body) == ("application/octet-stream", FRAME)


async def test_head_says_what_get_would_and_sends_nothing() -> None:
    fields = [("Content-Type", "application/dicom"), ("ETag", '"abc"')]
    async with answering(Reply(body=FILE * 999, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(INSTANCE, "application/dicom", method="HEAD")

        assert (reply.status, reply.body, reply.get("content-length")) == (200, b"", str(len(FILE) * 999))
        assert reply.get("etag") == '"abc"'
        assert upstream.requests[0].method == "GET"


async def test_one_range_of_a_lone_value_is_the_archives_to_cut() -> None:
    fields = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Range", "bytes 2-5/9"),
        ("Accept-Ranges", "bytes"),
    ]
    async with answering(Reply(206, b"2345", fields)) as upstream, edge_over(upstream) as edge:
        asked = [("Range", "bytes=2-5"), ("If-Range", '"abc"')]
        reply = await edge.ask(f"{INSTANCE}/bulk/1", fields=asked)

        assert (reply.status, reply.body) == (206, b"2345")
        assert (reply.get("content-range"), reply.get("accept-ranges")) == ("bytes 2-5/9", "bytes")
        [request] = upstream.requests
        assert (request.get("range"), request.get("if-range")) == ("bytes=2-5", '"abc"')
        assert request.get("accept") == "application/octet-stream"


@pytest.mark.parametrize(
    ("accept", "asked"),
    [
        (OCTETS, "bytes=2-5"),  # a range of the envelope would be none of the value
        ("application/octet-stream", "bytes=2-5,7-8"),
        ("application/octet-stream", "lines=1-2"),
    ],
)
async def test_no_other_range_goes_up(accept: str, asked: str) -> None:
    answer = Reply(body=parts_of(FRAME, type_of_parts="application/octet-stream"), fields=[related()])
    async with answering(answer) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/bulk/1", accept, fields=[("Range", asked), ("If-Range", '"a"')])

        assert reply.status == 200
        assert upstream.requests[0].get("range") is upstream.requests[0].get("if-range") is None


async def test_a_range_that_was_not_asked_for_is_refused() -> None:
    fields = [("Content-Type", "application/octet-stream"), ("Content-Range", "bytes 2-5/9")]
    async with answering(Reply(206, b"2345", fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/bulk/1", "application/octet-stream")

        assert "range" in reply.problem(502)


async def test_some_but_not_all_instances_is_the_archives_word() -> None:
    fields = [related("application/dicom"), ("Warning", '299 pacs:8080 "2 objects are gone"')]
    async with answering(Reply(206, parts_of(FILE), fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies/1.2", DICOM)

        assert (reply.status, len(reply.parts)) == (206, 1)
        assert reply.get("content-range") is None
        assert reply.get("warning") == f"299 {PUBLIC}: 2 objects are gone"


HTML = ("Content-Type", "text/html")


@pytest.mark.parametrize(
    ("path", "accept", "fields"),
    [
        ("/studies", JSON, [HTML]),
        ("/studies/1.2/metadata", JSON, [("Content-Type", "application/zip")]),
        ("/studies/1.2/metadata", XML, [related("application/dicom")]),
        ("/studies/1.2", DICOM, [HTML]),
        ("/studies/1.2", DICOM, [("Content-Type", "application/zip")]),
        ("/studies/1.2", DICOM, []),
        ("/studies/1.2", DICOM, [("Content-Type", "multipart/related; type=application/dicom")]),
        (f"{INSTANCE}/frames/1", OCTETS, [HTML]),
        (f"{INSTANCE}/frames/1", OCTETS, [("Content-Type", JSON)]),
        (f"{INSTANCE}/bulk/1", "*/*", [HTML]),
        (f"{INSTANCE}/bulk/1", "*/*", [("Content-Type", "multipart/byteranges; boundary=b")]),
        (f"{INSTANCE}/rendered", "image/jpeg", [HTML]),
        (f"{INSTANCE}/rendered", "image/jpeg", []),
        (f"{INSTANCE}/thumbnail", "*/*", [HTML]),
        (f"{INSTANCE}/frames/1", OCTETS, [related(), ("Content-Encoding", "br")]),
    ],
)
async def test_an_answer_that_nobody_asked_for_is_a_bad_gateway(
    path: str, accept: str, fields: list[tuple[str, str]]
) -> None:
    async with (
        answering(Reply(body=b"<h1>Log in</h1>", fields=fields)) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await edge.ask(path, accept)

        reply.problem(502)
        assert (reply.get("proxy-status") or "").startswith(
            "edgerouter; error=http_protocol_error; next-hop=north"
        )


@pytest.mark.parametrize(
    ("path", "accept", "media"),
    [
        (f"{INSTANCE}/rendered", "*/*", "text/html"),  # a report, in its default rendering
        (f"{INSTANCE}/rendered", "text/html", "text/html"),
        (f"{INSTANCE}/rendered", "image/*", "image/png"),
        ("/studies/1.2", "application/zip", "application/zip"),
        (f"{INSTANCE}/bulk/1", "*/*", "application/pdf"),
        (f"{INSTANCE}/bulk/1", "*/*", JSON),  # a value that happens to be JSON is no metadata
        (f"{INSTANCE}/thumbnail", "image/jpeg", "image/jpeg"),
    ],
)
async def test_what_may_be_of_any_type_comes_as_it_is(path: str, accept: str, media: str) -> None:
    body = b'{"BulkDataURI": "http://pacs.internal:8042/dw/studies/1"}'
    fields = [("Content-Type", media), ("Content-Disposition", "attachment; filename=x")]
    async with answering(Reply(body=body, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(path, accept)

        assert (reply.status, reply.body, reply.get("content-type")) == (200, body, media)
        assert reply.get("content-disposition") == "attachment; filename=x"


async def test_nothing_is_nothing() -> None:
    async with answering(Reply(204)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies/1.2/metadata", JSON)

        assert (reply.status, reply.body, reply.get("content-length")) == (204, b"", None)


async def test_relayed_answers_say_that_no_cache_was_asked() -> None:
    fields = [("Content-Type", "application/dicom"), ("Cache-Control", "public, max-age=60, s-maxage=9")]
    async with answering(Reply(body=FILE, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(INSTANCE, "application/dicom", fields=[("Cache-Control", "no-cache")])

        assert reply.get("cache-status") == "edgerouter; fwd=bypass"
        assert reply.get("cache-control") == "private, max-age=60"
        assert reply.get("vary") == "accept, accept-encoding"
        assert upstream.requests[0].get("cache-control") == "no-cache"
