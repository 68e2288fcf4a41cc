"""An upload that arrives too slowly is a 408, whoever it is for and however it is framed; limits are short by
configuration, and what an archive had of it is visibly not whole."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.edge import Edge, Reply, edge_over
from tests.scenarios.instances import Shelf, instance, store
from tests.scenarios.uploads import STORED, chunked, head, upload
from tests.support.raw_client import RawClient
from tests.support.scripted import Body, Note, ScriptedUpstream, Seen, Step, Wait

IMPATIENT = {"limits": {"min_upload_rate": "1 MB", "upload_window": "200ms"}}
BY_MODALITY = [
    {
        "name": "mr",
        "match": {"transaction": "store", "dataset": {"Modality": "MR"}},
        "route": {"upstreams": "south"},
    }
]
BODY = upload(instance("1.1", "CT", pixels=5000))
FRAMINGS = {
    "with length": (head(f"Content-Length: {len(BODY)}"), BODY[:300]),
    "in chunks": (head("Transfer-Encoding: chunked"), chunked(BODY[:300], end=False)),
    "nothing at all": (head(f"Content-Length: {len(BODY)}"), b""),
}


async def told(edge: Edge, client: RawClient) -> Reply:
    """The answer to an upload that goes no further; then the router ends the connection."""
    reply = Reply(await client.response("POST"))
    assert await client.read_to_end() == b""
    return reply


@pytest.mark.parametrize("rules", [[], BY_MODALITY], ids=["to one", "sorted"])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_upload_that_stands_still_is_told_so_and_the_connection_ends(
    framing: str, rules: list[dict[str, object]]
) -> None:
    start, some = FRAMINGS[framing]
    async with (
        ScriptedUpstream(Shelf()) as north,
        ScriptedUpstream(Shelf()) as south,
        edge_over(north, south, server=IMPATIENT, rules=rules) as edge,
    ):
        async with RawClient(edge.port) as client:
            await client.send(start + some)
            reply = await told(edge, client)
        assert "too slow" in reply.problem(408)
        assert reply.get("connection") == "close"
        await edge.nothing_left_over()
        assert not any(seen.whole for seen in (*north.requests, *south.requests))


async def test_a_trickle_is_as_slow_as_nothing() -> None:
    """Every read brings something, and never enough."""
    async with ScriptedUpstream(Shelf()) as north, edge_over(north, server=IMPATIENT) as edge:
        async with RawClient(edge.port) as client, asyncio.TaskGroup() as group:
            await client.send(head("Transfer-Encoding: chunked"))
            trickle = group.create_task(trickling(client))
            reply = await told(edge, client)
            trickle.cancel()
        assert "too slow" in reply.problem(408)


async def trickling(client: RawClient) -> None:
    for at in range(len(BODY)):
        try:
            await client.send(chunked(BODY[at : at + 1], end=False))
        except ConnectionError:
            return
        await asyncio.sleep(0.02)


async def test_an_archive_that_is_slow_is_not_held_against_the_client() -> None:
    """All of it is offered at once; for longer than the window the archive takes none of it."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    def slow(seen: Seen) -> Iterator[Step]:
        yield Note(reached.set)
        yield Wait(go_on)
        yield Body()
        yield STORED

    large = upload(instance("1.1", "CT", pixels=24 << 20))
    async with (
        ScriptedUpstream(slow, early=True) as north,
        edge_over(north, server=IMPATIENT) as edge,
        asyncio.TaskGroup() as group,
    ):
        storing = group.create_task(store(edge, large))
        await reached.wait()
        done, _ = await asyncio.wait([storing], timeout=0.6)
        go_on.set()
        reply = await storing
        assert (done, reply.status) == (set(), 200)
