"""Store through the router: the archive gets the upload as it is, or never a complete one."""

import asyncio
import json

import pytest

from tests.scenarios.edge import IMPATIENT, JSON, PUBLIC, answering, edge_over
from tests.scenarios.uploads import (
    FILE,
    PACS,
    STORED,
    STORED_XML,
    TYPE,
    chunked,
    head,
    module,
    store,
    upload,
)
from tests.support.raw_client import RawClient
from tests.support.scripted import Body, Close, Reply, Reset, ScriptedUpstream, Seen, Stall, Step, closed_port


@pytest.mark.parametrize("path", ["/studies", "/studies/1.2"])
async def test_an_upload_goes_up_byte_for_byte_and_its_answer_comes_with_our_links(path: str) -> None:
    fields = [("Location", f"{PACS}/studies/1.2"), ("Content-Location", f"{PACS}/studies/1.2")]
    answer = Reply(body=STORED.body, fields=[*STORED.fields, *fields, ("Server", "theirs")])
    async with answering(answer) as upstream, edge_over(upstream) as edge:
        reply = await store(edge, upload(FILE, FILE[::-1]), path=path)

        assert (reply.status, reply.get("content-type")) == (200, JSON)
        assert json.loads(reply.body) == module(PUBLIC)
        assert reply.get("location") == reply.get("content-location") == f"{PUBLIC}/studies/1.2"
        assert reply.get("server") is None
        [request] = upstream.requests
        assert (request.method, request.target) == ("POST", f"/dw{path}")
        assert request.body == upload(FILE, FILE[::-1])
        assert request.get("content-length") == str(len(request.body))
        assert request.get("content-type") == TYPE
        assert request.get("accept") == JSON


async def test_a_chunked_upload_goes_up_chunked() -> None:
    body = upload(FILE)
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            await client.send(head("Transfer-Encoding: chunked") + chunked(body[:999], body[999:]))
            assert (await client.response()).status == 200

        [request] = upstream.requests
        assert (bytes(request.body), request.get("transfer-encoding")) == (body, "chunked")
        assert request.get("content-length") is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("multipart/related; type=application/dicom; boundary=edge", TYPE),
        ('Multipart/Related;TYPE="application/dicom";Boundary="edge"', TYPE),
        (
            "multipart/related; boundary=edge; type=application/dicom+json",
            TYPE.replace("dicom", "dicom+json"),
        ),
    ],
)
async def test_every_spelling_of_the_type_goes_up_in_the_standards(given: str, expected: str) -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        assert (await store(edge, upload(FILE), content_type=given)).status == 200
        assert upstream.requests[0].get("content-type") == expected


async def test_one_instance_alone_goes_up_alone() -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        reply = await store(edge, FILE, content_type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1")

        assert reply.status == 200
        assert (bytes(upstream.requests[0].body), upstream.requests[0].get("content-type")) == (
            FILE,
            "application/dicom",
        )


async def test_an_answer_in_xml_has_its_links_mapped() -> None:
    fields = [("Content-Type", "application/dicom+xml")]
    async with (
        answering(Reply(body=STORED_XML.format(PACS).encode(), fields=fields)) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await store(edge, upload(FILE), fields=[("Accept", "application/dicom+xml")])

        assert reply.body.decode() == STORED_XML.format(PUBLIC)
        assert reply.get("content-type") == "application/dicom+xml"


@pytest.mark.parametrize(("said", "status"), [(200, 202), (202, 202), (400, 400), (409, 202)])
async def test_reasons_per_instance_are_the_archives_own(said: int, status: int) -> None:
    """And the status is what they say: some archives answer 409, or 200, whatever was stored of it."""
    body = json.dumps(module(PACS, failed=True)).encode()
    reply_of_archive = Reply(said, body, [*STORED.fields, ("Warning", "A700 pacs.internal: Out of memory")])
    async with answering(reply_of_archive) as upstream, edge_over(upstream) as edge:
        reply = await store(edge, upload(FILE))

        assert (reply.status, json.loads(reply.body)) == (status, module(PUBLIC, failed=True))
        assert reply.get("warning") == f"A700 {PUBLIC}: Out of memory"


async def test_an_answer_for_very_many_instances_is_mapped() -> None:
    large = module(PACS)
    large["00081199"] = {"vr": "SQ", "Value": module(PACS)["00081199"]["Value"] * 2000}  # type: ignore[index]
    async with (
        answering(Reply(body=json.dumps(large).encode(), fields=STORED.fields)) as upstream,
        edge_over(upstream) as edge,
    ):
        reply = await store(edge, upload(FILE))

        assert reply.body.count(PUBLIC.encode()) == 2001
        assert PACS.encode() not in reply.body


HTML = [("Content-Type", "text/html")]
WITHOUT_A_MODULE = [
    (Reply(400), 400),
    (Reply(409, b"<h1>Doe^John</h1>", HTML), 409),
    (Reply(409, b"{broken", STORED.fields), 409),
    (Reply(409, b"", STORED.fields), 409),
    (Reply(413), 413),
    (Reply(415), 415),
    (Reply(503, b"", [("Retry-After", "9")]), 503),
    (Reply(401), 502),
    (Reply(200), 502),
    (Reply(200, b"", STORED.fields), 502),
    (Reply(200, b"<h1>Welcome</h1>", HTML), 502),
    (Reply(200, b"{broken", STORED.fields), 502),
    (Reply(200, b"[]", STORED.fields), 502),
    (Reply(202), 502),
    (Reply(204), 502),
    (Reply(303, b"", [("Location", f"{PACS}/studies/1.2")]), 502),
    (Reply(200, b"{" + b" " * (33 << 20) + b"}", STORED.fields), 502),
]


@pytest.mark.parametrize(("answer", "status"), WITHOUT_A_MODULE)
async def test_an_answer_that_names_no_instance_is_an_error(answer: Reply, status: int) -> None:
    """The sender may delete what it is told is stored."""
    async with answering(answer) as upstream, edge_over(upstream) as edge:
        reply = await store(edge, upload(FILE))

        assert (reply.status, reply.get("content-type")) == (status, "application/problem+json")
        assert b"Doe" not in reply.body
        assert reply.get("retry-after") == ("9" if status == 503 else None)
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("how", [Reset(), Close(), Stall()], ids=["rst", "fin", "stall"])
async def test_a_store_is_never_repeated(how: Step) -> None:
    async with answering(how) as upstream, edge_over(upstream, settings=IMPATIENT) as edge:
        reply = await store(edge, upload(FILE))

        assert reply.status == (504 if isinstance(how, Stall) else 502)
        assert len(upstream.requests) == 1


async def test_an_archive_that_stops_reading_ends_the_upload() -> None:
    async with (
        ScriptedUpstream(lambda _: [Stall()], early=True, keep=False) as upstream,
        edge_over(upstream, settings=IMPATIENT) as edge,
    ):
        reply = await store(edge, upload(bytes(24 << 20)))

        assert (reply.status, reply.get("connection")) == (504, "close")
        assert len(upstream.requests) == 1


async def test_an_upload_for_an_archive_that_is_down_goes_nowhere_else() -> None:
    async with (
        answering(STORED) as south,
        edge_over(f"http://127.0.0.1:{closed_port()}", south) as edge,
    ):
        for _ in range(7):
            assert (await store(edge, upload(b"file"))).status == 502
        assert not edge.archives["north"].healthy
        assert south.connections == 0


async def test_a_refusal_before_the_upload_is_read_reaches_the_client() -> None:
    """The archive answers and closes; the client is still sending."""

    def answer(request: Seen) -> list[Step]:
        return [Reply(413), Close()]

    async with (
        ScriptedUpstream(answer, early=True) as upstream,
        edge_over(upstream) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(head("Content-Length: 100000000") + upload(FILE, closing=False))
        reply = await client.response()

        assert (reply.status, reply.get("connection")) == (413, "close")


async def test_a_success_before_the_upload_is_read_is_none() -> None:
    async with (
        ScriptedUpstream(lambda _: [STORED, Stall()], early=True) as upstream,
        edge_over(upstream) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(head("Content-Length: 100000000") + upload(FILE, closing=False))
        reply = await client.response()

        assert (reply.status, reply.get("connection")) == (502, "close")


async def test_an_upload_is_asked_for_only_when_it_will_be_taken() -> None:
    started = asyncio.Event()

    def answer(request: Seen) -> list[Step]:
        started.set()
        return [Body(), STORED]

    body = upload(FILE)
    async with (
        ScriptedUpstream(answer, early=True) as upstream,
        edge_over(upstream) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(head("Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert (await client.response()).status == 100
        await client.send(body)
        assert (await client.response()).status == 200
        assert upstream.requests[0].get("expect") is None
        assert started.is_set()
