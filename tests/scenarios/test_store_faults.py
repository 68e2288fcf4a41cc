"""An upload that is not whole, not sound or not wanted: no archive sees a complete one."""

import pytest

from tests.scenarios.edge import answering, edge_over
from tests.scenarios.uploads import FILE, STORED, TYPE, chunked, head, store, upload
from tests.support.raw_client import RawClient
from tests.support.scripted import Body, ScriptedUpstream, Seen, Step

WHOLE = upload(FILE, FILE)


def sized(body: bytes, content_type: str = TYPE) -> bytes:
    return head(f"Content-Length: {len(body)}", content_type=content_type) + body


def in_chunks(*bodies: bytes) -> bytes:
    return head("Transfer-Encoding: chunked") + chunked(*bodies)


UNSOUND = {
    "no closing boundary": sized(upload(FILE, closing=False)),
    "no closing boundary, chunked": in_chunks(upload(FILE, closing=False)),
    "no boundary": sized(FILE * 3),
    "half a boundary at the end": sized(WHOLE[:-6]),
    "no part": sized(b"\r\n--edge--\r\n"),
    "a wrong part length": sized(b"--edge\r\nContent-Length: 3\r\n\r\n1234\r\n--edge--"),
    "a part header without end": sized(b"--edge\r\nContent-Type: " + b"a" * 9000 + b"\r\n\r\nx\r\n--edge--"),
    "nested multipart": sized(b"--edge\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--edge--"),
    "text before the first boundary": sized(b"text" * 2000 + WHOLE),
    "nothing, chunked": in_chunks(),
}


@pytest.mark.parametrize("name", UNSOUND)
async def test_an_unsound_upload_is_refused_and_never_complete_upstream(name: str) -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            await client.send(UNSOUND[name])
            reply = await client.response()

            assert (reply.status, reply.get("content-type")) == (400, "application/problem+json")
        assert [seen for seen in upstream.requests if seen.whole] == []


async def test_an_upload_of_no_bytes_asks_nobody() -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies", method="POST", fields=[("Content-Type", TYPE)])

        reply.problem(400)
        assert upstream.connections == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/related; type=application/dicom", 400),
        ('multipart/related; type="application/dicom"; boundary="a;b"', 400),
        ('multipart/related; type="image/jpeg"; boundary=edge', 415),
        ("multipart/related; boundary=edge", 415),
        ("multipart/form-data; boundary=edge", 415),
        ("application/zip", 415),
        ("application/dicom+json", 415),
        ("nonsense", 415),
        ("", 415),
    ],
)
async def test_what_is_no_store_asks_nobody(content_type: str, status: int) -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        reply = await store(edge, WHOLE, content_type=content_type)

        assert (reply.status, reply.get("connection")) == (status, "close")
        assert upstream.connections == 0


@pytest.mark.parametrize(
    ("fields", "status"), [([("Content-Encoding", "gzip")], 415), ([("Accept", "image/jpeg")], 200)]
)
async def test_what_else_is_said_of_an_upload(fields: list[tuple[str, str]], status: int) -> None:
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        assert (await store(edge, WHOLE, fields=fields)).status == status


async def test_one_instance_alone_is_not_offered_to_an_archive_that_never_takes_it() -> None:
    orthanc = {"profile": "orthanc"}
    async with answering(STORED) as upstream, edge_over(upstream, settings=orthanc) as edge:
        assert (await store(edge, FILE, content_type="application/dicom")).status == 415
        assert upstream.connections == 0


BOUND = {"limits": {"max_body": "100 KB"}}


@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]])
async def test_an_upload_that_says_it_is_too_large_is_refused_at_once(expect: list[str]) -> None:
    async with (
        answering(STORED) as upstream,
        edge_over(upstream, server=BOUND) as edge,
        RawClient(edge.port) as client,
    ):
        await client.send(head("Content-Length: 100001", *expect))
        reply = await client.response()

        assert (reply.status, reply.get("connection")) == (413, "close")
        assert upstream.connections == 0


async def test_an_upload_that_becomes_too_large_is_cut_upstream() -> None:
    async with (
        answering(STORED) as upstream,
        edge_over(upstream, server=BOUND) as edge,
        RawClient(edge.port) as client,
    ):
        part = upload(bytes(90_000), closing=False)
        await client.send(head("Transfer-Encoding: chunked") + chunked(part, bytes(20_000), end=False))
        reply = await client.response()

        assert (reply.status, reply.get("connection")) == (413, "close")
        assert [seen for seen in upstream.requests if seen.whole] == []


async def test_a_part_too_many_is_too_large() -> None:
    body = upload(*[b""] * 20_001)
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        assert (await store(edge, body)).status == 413
        assert [seen for seen in upstream.requests if seen.whole] == []


@pytest.mark.parametrize("leave", ["reset", "close"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_client_that_leaves_ends_its_upload(framing: str, leave: str) -> None:
    half = WHOLE[: len(WHOLE) // 2]
    began = head(f"Content-Length: {len(WHOLE)}") + half
    if framing == "chunked":
        began = head("Transfer-Encoding: chunked") + chunked(half, end=False)

    def answer(request: Seen) -> list[Step]:
        return [Body(), STORED]

    async with ScriptedUpstream(answer, early=True) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            await client.send(began)
            while not (upstream.requests and upstream.requests[0].size):
                assert await client.silent(0.005)
            client.reset() if leave == "reset" else client.close()
        await edge.nothing_left_over()
        [request] = upstream.requests
        assert not request.whole
