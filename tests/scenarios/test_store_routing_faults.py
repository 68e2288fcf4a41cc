"""What goes wrong while an upload is sorted: one archive's trouble fails its own instances and no others,
and what is not whole is whole nowhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.scenarios.edge import IMPATIENT, JSON, PUBLIC, Edge, edge_over
from tests.scenarios.edge import Reply as Received
from tests.scenarios.instances import (
    Shelf,
    failures_in,
    instance,
    received,
    store,
    stored_in,
    told,
)
from tests.scenarios.uploads import TYPE, upload
from tests.support.raw_client import RawClient, request
from tests.support.scripted import (
    Body,
    Close,
    Note,
    Reply,
    Reset,
    ScriptedUpstream,
    Seen,
    Stall,
    Step,
    closed_port,
)

RULES = [
    {
        "name": "mr",
        "match": {"transaction": "store", "dataset": {"Modality": "MR"}},
        "route": {"upstreams": "south"},
    },
    {"name": "rest", "match": {"transaction": "store"}, "route": {"upstreams": "north"}},
]
CT1, CT2 = instance("1.1", "CT", pixels=50_000), instance("1.2", "CT")
MR1, MR2 = instance("2.1", "MR", pixels=50_000), instance("2.2", "MR")
FAILED, FULL, CANNOT_UNDERSTAND = 0x0110, 0xA700, 0xC000
POST = [("Content-Type", TYPE)]


def saying(*steps: Step) -> ScriptedUpstream:
    """An archive that reads an upload whole, and then does this."""
    return ScriptedUpstream(lambda seen: steps)


def at_once(*steps: Step) -> ScriptedUpstream:
    """An archive that does this as soon as the head of an upload is there."""
    return ScriptedUpstream(lambda seen: steps, early=True)


async def test_an_archive_that_is_down_fails_its_own_instances_only() -> None:
    async with (
        ScriptedUpstream(Shelf()) as north,
        edge_over(north, f"http://127.0.0.1:{closed_port()}", rules=RULES) as edge,
    ):
        reply = await store(edge, upload(MR1, CT1, MR2, CT2))

        assert (reply.status, failures_in(reply)) == (202, {"2.1": FAILED, "2.2": FAILED})
        assert received(north) == [CT1, CT2]
        assert len(stored_in(reply)) == 2
        trouble = "Source south did not take its instances: The upstream could not be reached."
        assert reply.get("warning") == f"299 {PUBLIC}: {trouble}"


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([Reset()], FAILED),
        ([Close()], FAILED),
        ([Reply(500)], FAILED),
        ([Reply(401)], FAILED),
        ([Reply(400)], CANNOT_UNDERSTAND),
        ([Reply(413)], FULL),
        ([Reply(429)], FULL),
        ([Reply(503)], FULL),
        ([Reply(507, b'{"error": "full"}', [("Content-Type", "application/json")])], FULL),
        ([Reply(409, b"{broken", [("Content-Type", JSON)])], FAILED),
        ([Reply(409, b"<h1>no</h1>", [("Content-Type", "text/html")])], FAILED),
        ([Reply(200)], FAILED),
        ([Reply(204)], FAILED),
        ([Reply(200, b"{}", [("Content-Type", JSON)])], FAILED),
        ([Reply(200, b"{broken", [("Content-Type", JSON)])], FAILED),
        ([Reply(200, b"{", [("Content-Type", JSON), ("Content-Length", "9")], framing=""), Close()], FAILED),
        ([Reply(303, b"", [("Location", "/dw/studies/1.2.3")])], FAILED),
        ([Stall()], FAILED),
    ],
)
async def test_an_archive_that_does_not_say_what_it_stored_did_not(steps: list[Step], reason: int) -> None:
    async with (
        ScriptedUpstream(Shelf()) as north,
        saying(*steps) as south,
        edge_over(north, south, rules=RULES, settings=IMPATIENT) as edge,
    ):
        reply = await store(edge, upload(CT1, MR1, MR2, CT2))

        assert (reply.status, failures_in(reply)) == (202, {"2.1": reason, "2.2": reason})
        assert (received(north), len(stored_in(reply))) == ([CT1, CT2], 2)
        assert "Source south did not take its instances" in (reply.get("warning") or "")
        assert len(south.requests) == 1


@pytest.mark.parametrize(
    ("north", "south", "status"),
    [
        (Reply(503), Reply(502), 503),
        (Reply(400), Reply(400), 400),
        (Reply(415), Reply(415), 415),
        (Reply(409), Reply(503), 409),
        (Reply(500), Reply(500), 409),
        (Reset(), Close(), 503),
    ],
)
async def test_where_nothing_is_stored_the_status_says_why(north: Step, south: Step, status: int) -> None:
    async with saying(north) as one, saying(south) as other, edge_over(one, other, rules=RULES) as edge:
        reply = await store(edge, upload(CT1, MR1))

        assert (reply.status, reply.get("content-type")) == (status, JSON)
        assert set(failures_in(reply)) == {"1.1", "2.1"}
        assert stored_in(reply) == []


@pytest.mark.parametrize(
    "steps", [[Reply(503)], [Reply(200)], [Reset()], [Close()], [Stall()]], ids=lambda steps: str(steps[0])
)
async def test_an_archive_that_gives_up_half_way_holds_nobody_up(steps: list[Step]) -> None:
    large = [instance(f"2.{number}", "MR", pixels=1 << 20) for number in range(16)]
    async with (
        ScriptedUpstream(Shelf()) as north,
        at_once(*steps) as south,
        edge_over(north, south, rules=RULES, settings=IMPATIENT) as edge,
    ):
        reply = await store(edge, upload(CT1, *large, CT2))

        assert (reply.status, len(failures_in(reply))) == (202, 16)
        assert received(north) == [CT1, CT2]
        assert len(south.requests) == 1


async def test_a_refusal_with_reasons_counts_before_the_upload_is_whole() -> None:
    reasons = json.dumps(told("http://x", ["2.1"], {"2.1": 43264})).encode()
    async with (
        ScriptedUpstream(Shelf()) as north,
        at_once(Reply(409, reasons, [("Content-Type", JSON)])) as south,
        edge_over(north, south, rules=RULES) as edge,
    ):
        reply = await store(edge, upload(MR1, CT1, instance("2.9", "MR", pixels=1 << 22)))

        assert (reply.status, failures_in(reply)) == (202, {"2.1": 43264, "2.9": FAILED})


async def test_an_archive_may_answer_as_soon_as_it_saw_the_closing_boundary() -> None:
    """The end of the chunked coding comes after it."""

    class Eager(Shelf):
        def __call__(self, seen: Seen) -> Iterator[Step]:
            yield Body()
            yield from super().__call__(seen)

    async with ScriptedUpstream(Eager(), early=True) as north, edge_over(north, north, rules=RULES) as edge:
        assert (await store(edge, upload(CT1, CT2))).status == 200


class Watch:
    """An archive that tells when an upload begins, and takes it in."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def __call__(self, seen: Seen) -> list[Step]:
        return [Note(self.begun.set), Body(), Reply()]


@asynccontextmanager
async def begun(body: bytes, at: int) -> AsyncIterator[tuple[Edge, RawClient, Sequence[ScriptedUpstream]]]:
    """An upload sent up to `at`, and both archives have begun to receive it; in the end none has it whole."""
    watches = Watch(), Watch()
    async with (
        ScriptedUpstream(watches[0], early=True) as north,
        ScriptedUpstream(watches[1], early=True) as south,
        edge_over(north, south, rules=RULES, server={"limits": {"max_body": "300 KB"}}) as edge,
    ):
        async with RawClient(edge.port) as client:
            head = request(
                "/dicomweb/studies", method="POST", fields=[*POST, ("Transfer-Encoding", "chunked")]
            )
            await client.send(head + b"%x\r\n%b" % (len(body), body[:at]))
            for watch in watches:
                await watch.begun.wait()
            yield edge, client, (north, south)
        await edge.nothing_left_over()
        for upstream in (north, south):
            assert [seen.whole for seen in upstream.requests] == [False]
            assert b"--\r\n" not in upstream.wire[0]


@pytest.mark.parametrize("leave", [RawClient.reset, RawClient.close], ids=["RST", "FIN"])
async def test_a_client_that_leaves_leaves_no_whole_upload_anywhere(
    leave: Callable[[RawClient], None],
) -> None:
    body = upload(CT1, MR1, CT2)
    async with begun(body, len(body) - 2) as (_, client, _):
        leave(client)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (b"", 400),
        (b"\r\n--edge--\r\n" + b"x" * 5000, 400),
        (b"\r\n--edge\r\nContent-Length: 5\r\n\r\nhi\r\n--edge--\r\n", 400),
        (b"\r\n--edge\r\n\r\n" + instance("9.9", "CT", pixels=400_000), 413),
    ],
    ids=["no closing boundary", "long epilogue", "a length that lies", "too large"],
)
async def test_an_upload_that_goes_wrong_half_way_is_whole_nowhere(end: bytes, status: int) -> None:
    body = upload(CT1, MR1, closing=False)
    async with begun(body + end, len(body)) as (_, client, _):
        await client.send(end + b"\r\n0\r\n\r\n")
        reply = Received(await client.response("POST"))

        reply.problem(status)
        assert reply.get("connection") == "close"


async def test_an_upload_of_too_many_parts_is_refused() -> None:
    async with (
        ScriptedUpstream(Shelf()) as north,
        ScriptedUpstream(Shelf()) as south,
        edge_over(north, south, rules=RULES) as edge,
    ):
        body = b"\r\n--edge\r\n\r\n\r\n" * 20_001 + b"\r\n--edge--\r\n"
        reply = await store(edge, body)

        reply.problem(413)
        assert (north.requests, south.requests) == ([], [])
