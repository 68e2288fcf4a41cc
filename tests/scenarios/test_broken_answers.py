"""An archive that breaks off: the client sees a cut, never a clean end, and the next request asks again."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, OCTETS, XML, Edge, edge_over, multipart, related
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Close, Reply, Reset, ScriptedUpstream, Seen, Send, Stall, Step

DATA = bytes(range(256)) * 400
SERIES = "/studies/1.2/series/3.4"
METADATA = b'[{"00080018":{"vr":"UI","Value":["1"]}},{"00080018":{"vr":"UI","Value":["2"]}}]'
DOCUMENT = b'<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="1"/></NativeDicomModel>'


@dataclass(frozen=True)
class Case:
    """A resource, what is accepted of it, and a whole answer."""

    path: str
    accept: str
    content_type: str
    body: bytes
    fields: Sequence[tuple[str, str]] = ()

    def head(self, framing: str, length: int) -> bytes:
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {self.content_type}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        framed = {"length": f"Content-Length: {length}", "chunked": "Transfer-Encoding: chunked"}
        return "\r\n".join([*lines, framed.get(framing, "Connection: close"), "", ""]).encode()


_TWO = multipart(([("Content-Type", "application/dicom")], DATA), ([], DATA))
CASES = {
    "series": Case(SERIES, DICOM, related("application/dicom")[1], _TWO),
    "frame": Case(
        f"{SERIES}/instances/5/frames/1",
        OCTETS,
        related()[1],
        multipart(([("Content-Length", str(len(DATA)))], DATA)),
    ),
    "instance alone": Case(f"{SERIES}/instances/5", "application/dicom", "application/dicom", DATA),
    "instance unpacked": Case(
        f"{SERIES}/instances/5", "application/dicom", related("application/dicom")[1], multipart(([], DATA))
    ),
    "metadata": Case(f"{SERIES}/metadata", JSON, JSON, METADATA),
    "metadata in XML": Case(
        f"{SERIES}/metadata", XML, related("application/dicom+xml")[1], multipart(([], DOCUMENT))
    ),
    "search": Case("/studies", JSON, JSON, METADATA),
    "search, gzipped": Case("/studies", JSON, JSON, gzip.compress(METADATA), [("Content-Encoding", "gzip")]),
    "rendered": Case(f"{SERIES}/instances/5/rendered", "image/jpeg", "image/jpeg", DATA),
    "value": Case(f"{SERIES}/instances/5/bulk/1", "application/octet-stream", "image/jls", DATA),
}
BREAKS: dict[str, Callable[[], Step]] = {"rst": Reset, "fin": Close, "stall": Stall}


def framed(case: Case, framing: str, half: bytes) -> list[Step]:
    """The head of the whole answer, and half of its body."""
    sent = b"%x\r\n%b\r\n" % (len(half), half) if framing == "chunked" else half
    return [Send(case.head(framing, len(case.body)) + sent)]


async def is_cut(edge: Edge, case: Case, fields: Sequence[tuple[str, str]] = ()) -> bool:
    """Whether the answer is visibly none: the connection is reset, or it is an error."""
    async with RawClient(edge.port) as client:
        target = f"/dicomweb{case.path}"
        await client.send(request(target, fields=[("Accept", case.accept), *fields]))
        try:
            reply = await client.response()
        except ConnectionError:
            return client.ended == "reset"
        if reply.status == 502:
            return reply.complete
        return reply.status == 200 and not reply.complete and client.ended == "reset"


# A close-delimited body alone cannot tell a cut from an end: what becomes of it has a test of its own.
UNPROVEN = ["instance alone", "rendered", "value"]
BROKEN = [
    (name, framing, how)
    for name in CASES
    for framing in ("length", "chunked", "close")
    for how in BREAKS
    if (how != "stall" or framing == "length")
    and not (name in UNPROVEN and (framing, how) == ("close", "fin"))
]


@pytest.mark.parametrize(("name", "framing", "how"), BROKEN)
async def test_a_break_reaches_the_client(name: str, framing: str, how: str) -> None:
    case = CASES[name]

    def answer(request: Seen) -> list[Step]:
        if request.number > 1:
            return [Reply(body=case.body, fields=[("Content-Type", case.content_type), *case.fields])]
        return [*framed(case, framing, case.body[: len(case.body) // 2]), BREAKS[how]()]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream, settings=IMPATIENT) as edge:
        assert await is_cut(edge, case)

        again = await edge.ask(case.path, case.accept)
        assert (again.status, again.complete) == (200, True)
        assert len(upstream.requests) == 2


@pytest.mark.parametrize("name", UNPROVEN)
async def test_an_end_that_proves_nothing_is_passed_on_as_such(name: str) -> None:
    case = CASES[name]

    def answer(request: Seen) -> list[Step]:
        return [*framed(case, "close", case.body), Close()]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(case.path, case.accept)

        assert (reply.body, reply.raw.framing, reply.get("connection")) == (case.body, "close", "close")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("name", ["series", "frame", "instance unpacked", "metadata in XML"])
async def test_a_body_without_its_closing_boundary_is_cut_though_its_framing_is_right(
    name: str, framing: str
) -> None:
    whole = CASES[name]
    short = whole.body.removesuffix(b"\r\n--theirs--\r\n")
    case = Case(whole.path, whole.accept, whole.content_type, short)

    def answer(request: Seen) -> list[Step]:
        ends: dict[str, list[Step]] = {"chunked": [Send(b"0\r\n\r\n")], "close": [Close()], "length": []}
        return [*framed(case, framing, short), *ends[framing]]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        assert await is_cut(edge, case)


@pytest.mark.parametrize("client", ["gzip", "identity"])
@pytest.mark.parametrize("cut", ["end mark", "middle", "tail"])
@pytest.mark.parametrize("path", ["/studies", f"{SERIES}/metadata"])
async def test_a_gzip_stream_that_is_not_whole_is_cut_though_its_framing_is_right(
    path: str, cut: str, client: str
) -> None:
    coded = gzip.compress(METADATA)
    body = {"end mark": coded[:-8], "middle": coded[: len(coded) // 2], "tail": coded + b"tail"}[cut]
    case = Case(path, JSON, JSON, body, [("Content-Encoding", "gzip")])

    def answer(request: Seen) -> list[Step]:
        return framed(case, "length", body)

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        assert await is_cut(edge, case, [("Accept-Encoding", client)])
        assert upstream.requests[0].get("accept-encoding") == "gzip"


MALFORMED = {
    "JSON that ends early": Case("/studies", JSON, JSON, METADATA[:-1]),
    "metadata that ends early": Case(f"{SERIES}/metadata", JSON, JSON, METADATA[:-1]),
    "metadata that is a text": Case(f"{SERIES}/metadata", JSON, JSON, b'"Log in"'),
    "metadata that is nothing": Case(f"{SERIES}/metadata", JSON, JSON, b""),
    "a row that is no object": Case("/studies", JSON, JSON, b"[1]"),
    "rows that are no array": Case("/studies", JSON, JSON, b'{"error":{"code":1}}'),
    "a row nested without end": Case("/studies", JSON, JSON, b'[{"a":' + b"[" * 9999),
    "a row with a monstrous number": Case("/studies", JSON, JSON, b'[{"0020000D":1e99999}]'),
    "a row with two URLs": Case("/studies", JSON, JSON, b'[{"00081190":{},"00081190":{}}]'),
    "XML that ends early": Case(
        f"{SERIES}/metadata", XML, related("application/dicom+xml")[1], multipart(([], DOCUMENT[:-9]))
    ),
    "XML with a DTD": Case(
        "/studies",
        XML,
        related("application/dicom+xml")[1],
        multipart(([], b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel>&b;</NativeDicomModel>')),
    ),
    "XML under a coding": Case(
        f"{SERIES}/metadata",
        XML,
        related("application/dicom+xml")[1],
        multipart(([("Content-Encoding", "gzip")], gzip.compress(DOCUMENT))),
    ),
    "a part longer than it says": Case(
        SERIES, DICOM, related("application/dicom")[1], multipart(([("Content-Length", "3")], b"1234"))
    ),
    "no part": Case(SERIES, DICOM, related("application/dicom")[1], b"no boundary anywhere" * 999),
    "nothing to unpack": Case(f"{SERIES}/instances/5", "application/dicom", related()[1], b"\r\n--theirs--"),
    "two parts where one was asked for": Case(
        f"{SERIES}/instances/5", "application/dicom", related()[1], multipart(([], b"a" * 9999), ([], b"b"))
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_answer_is_cut(name: str) -> None:
    case = MALFORMED[name]

    def answer(request: Seen) -> list[Step]:
        return framed(case, "length", case.body)

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        assert await is_cut(edge, case)
        assert (await edge.page("/healthz")).status == 200


async def test_a_search_answer_beyond_its_bound_is_cut() -> None:
    rows = b"[" + b",".join([b'{"00080018":{"vr":"UI","Value":["1"]}}'] * 2000) + b"]"
    case = Case("/studies", JSON, JSON, rows)

    def answer(request: Seen) -> list[Step]:
        return framed(case, "length", rows)

    bounded = {"limits": {"max_search_answer": "20 KB"}}
    async with ScriptedUpstream(answer) as upstream, edge_over(upstream, server=bounded) as edge:
        assert await is_cut(edge, case)


async def test_a_client_that_leaves_ends_the_transfer() -> None:
    """What the archive was still sending is not fetched to the end for nobody."""

    def answer(request: Seen) -> list[Step]:
        return [*framed(CASES["series"], "length", CASES["series"].body[:90_000]), Stall()]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request(f"/dicomweb{SERIES}", fields=[("Accept", DICOM)]))
            await client.read(60_000)
            client.reset()
        await edge.nothing_left_over()
        [archive] = edge.archives.values()
        assert archive.transport.idle == 0


async def test_a_client_that_leaves_before_the_head_ends_the_wait() -> None:
    async with ScriptedUpstream(lambda _: [Stall()]) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request(f"/dicomweb{SERIES}", fields=[("Accept", DICOM)]))
            while not upstream.requests:
                assert not await client.silent(0) or await client.silent(0.005)
        await edge.nothing_left_over()
