"""An upload that is sorted goes at the pace of its slowest archive, and costs the others nothing by it."""

import asyncio
from collections.abc import Iterator

import pytest

from edgerouter.transactions import scatter
from tests.scenarios.edge import Reply as Received
from tests.scenarios.edge import edge_over
from tests.scenarios.instances import Shelf, files_of, instance, received, store, stored_in
from tests.scenarios.uploads import TYPE, upload
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Body, Note, ScriptedUpstream, Seen, Step, Wait

MR_TO_SOUTH = {
    "name": "mr",
    "match": {"transaction": "store", "dataset": {"Modality": "MR"}},
    "route": {"upstreams": "south"},
}
RULES = [MR_TO_SOUTH, {"name": "rest", "match": {"transaction": "store"}, "route": {"upstreams": "north"}}]
CT1, CT2 = instance("1.1", "CT", pixels=50_000), instance("1.2", "CT")
MR1 = instance("2.1", "MR", pixels=50_000)
POST = [("Content-Type", TYPE)]


async def test_the_slowest_archive_sets_the_pace_and_nothing_piles_up() -> None:
    """What one does not take is not read from the client, so that another has to wait for what is behind."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Shelf):
        def __call__(self, seen: Seen) -> Iterator[Step]:
            yield Note(reached.set)
            yield Wait(go_on)
            yield Body()
            yield from super().__call__(seen)

    large = instance("2.1", "MR", pixels=24 << 20)
    async with (
        ScriptedUpstream(Shelf()) as north,
        ScriptedUpstream(Slow(), early=True) as south,
        edge_over(north, south, rules=RULES) as edge,
        asyncio.TaskGroup() as group,
    ):
        storing = group.create_task(store(edge, upload(CT1, large, CT2)))
        await reached.wait()
        done, _ = await asyncio.wait([storing], timeout=0.5)
        [share] = north.requests
        assert (done, share.whole, CT2 in share.body) == (set(), False, False)
        go_on.set()
        reply = await storing

        assert (reply.status, len(stored_in(reply))) == (200, 3)
        assert (received(north), received(south)) == ([CT1, CT2], [large])


async def test_a_request_that_would_wait_too_long_is_completed_and_another_takes_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Archives give up a request that says nothing while everything goes to another one."""
    monkeypatch.setattr(scatter, "IDLE", -1.0)
    stored = asyncio.Event()

    class Telling(Shelf):
        def __call__(self, seen: Seen) -> Iterator[Step]:
            yield from super().__call__(seen)
            yield Note(stored.set)

    first, last = upload(CT1, MR1, closing=False), upload(CT2)
    async with (
        ScriptedUpstream(Telling()) as north,
        ScriptedUpstream(Shelf()) as south,
        edge_over(north, south, rules=RULES) as edge,
    ):
        async with RawClient(edge.port) as client:
            head = request(
                "/dicomweb/studies", method="POST", fields=[*POST, ("Transfer-Encoding", "chunked")]
            )
            await client.send(head + b"%x\r\n%b\r\n" % (len(first), first))
            await stored.wait()
            await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last))
            reply = Received(await client.response("POST"))

        assert (reply.status, len(stored_in(reply))) == (200, 3)
        assert [files_of(seen) for seen in north.requests] == [[CT1], [CT2]]
        assert [files_of(seen) for seen in south.requests] == [[MR1]]


async def test_while_one_archive_stalls_the_request_to_another_is_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or it would be given up meanwhile: one archive's trouble is not another's."""
    monkeypatch.setattr(scatter, "IDLE", 0.02)
    stored = asyncio.Event()

    class Waiting(Shelf):
        def __call__(self, seen: Seen) -> Iterator[Step]:
            yield Wait(stored)
            yield Body()
            yield from super().__call__(seen)

    class Telling(Shelf):
        def __call__(self, seen: Seen) -> Iterator[Step]:
            yield from super().__call__(seen)
            yield Note(stored.set)

    large = instance("2.1", "MR", pixels=24 << 20)
    async with (
        ScriptedUpstream(Telling()) as north,
        ScriptedUpstream(Waiting(), early=True) as south,
        edge_over(north, south, rules=RULES) as edge,
    ):
        reply = await store(edge, upload(CT1, large, CT2))

        assert (reply.status, len(stored_in(reply))) == (200, 3)
        assert [files_of(seen) for seen in north.requests] == [[CT1], [CT2]]
        assert received(south) == [large]
