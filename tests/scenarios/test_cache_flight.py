"""One object, one fetch (law 4): simultaneous requests share it, follow it while it grows, and may leave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, Reply
from tests.scenarios.pacs import AS_STORED, HIT, MISS, Pacs, keeping
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, Wait

CROWD = 100
PATHS = {
    "frame": ("{instance}/frames/1", OCTETS + AS_STORED),
    "series": ("{series}", DICOM),
    "metadata": ("{series}/metadata", JSON),
    "rendered": ("{instance}/rendered", "image/jpeg"),
}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def clients(edge: Edge, path: str, accept: str, count: int) -> AsyncIterator[list[RawClient]]:
    """Clients that have asked, each on a connection of its own."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(RawClient(edge.port)) for _ in range(count)]
        for client in found:
            await client.send(request(f"/dicomweb{path}", fields=[("Accept", accept)]))
        yield found


def crowd(edge: Edge) -> int:
    """How many have joined a fetch that another began."""
    assert edge.cache is not None
    return edge.cache.counts.collapsed


@pytest.mark.parametrize("name", PATHS)
async def test_a_crowd_is_served_by_one_fetch(tmp_path: Path, name: str) -> None:
    pacs = Pacs(slices=40, frames=1, size=3000)
    path, accept = PATHS[name]
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    gate = pacs.hold(path, at=700)
    async with keeping(pacs, folder=tmp_path) as edge, clients(edge, path, accept, CROWD) as waiting:
        await gate.reached.wait()
        await until(lambda: crowd(edge) == CROWD - 1)
        gate.open.set()
        replies = [Reply(await client.response()) for client in waiting]
        await edge.kept()
        warm = await edge.ask(path, accept)

        assert {reply.status for reply in replies} == {200}
        assert all(reply.complete for reply in replies)
        assert {reply.body for reply in replies} == {warm.body}
        collapsed = [reply for reply in replies if "collapsed" in (reply.get("cache-status") or "")]
        assert len(collapsed) == CROWD - 1
        assert warm.get("cache-status") == HIT
        assert pacs.asked == [path]


@pytest.mark.parametrize("name", ["frame", "series"])
async def test_one_wish_in_several_spellings_and_envelopes_is_one_fetch(tmp_path: Path, name: str) -> None:
    pacs = Pacs()
    spellings = {
        "frame": (
            f"{pacs.instance(1)}/frames/1",
            [OCTETS + AS_STORED, "application/octet-stream;transfer-syntax=*"],
        ),
        "series": (pacs.instance(1), [DICOM, "application/dicom"]),
    }
    path, accepts = spellings[name]
    gate = pacs.hold(path, at=300)
    async with keeping(pacs, folder=tmp_path) as edge, asyncio.TaskGroup() as group:
        asked = [group.create_task(edge.ask(path, accept)) for accept in accepts]
        await until(lambda: crowd(edge) == 1)
        gate.open.set()
        enveloped, alone = [await task for task in asked]

        assert enveloped.parts[0].body == alone.body
        assert pacs.asked == [path]


@pytest.mark.parametrize("name", ["frame", "series", "metadata"])
async def test_the_first_bytes_arrive_before_the_archive_has_finished(tmp_path: Path, name: str) -> None:
    pacs = Pacs(slices=20, size=50_000)
    path, accept = PATHS[name]
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    gate = pacs.hold(path, at=4000)
    async with keeping(pacs, folder=tmp_path) as edge, clients(edge, path, accept, 2) as (first, second):
        await gate.reached.wait()
        for client in (first, second):
            assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert len(await client.read(1500)) == 1500
        assert not gate.open.is_set()
        gate.open.set()
        await edge.kept()
        assert (await edge.ask(path, accept)).get("cache-status") == HIT


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_client_that_leaves_is_missed_by_nobody(tmp_path: Path, leaver: int) -> None:
    pacs = Pacs(slices=20, size=50_000)
    gate = pacs.hold(pacs.series, at=300_000)
    async with keeping(pacs, folder=tmp_path) as edge, clients(edge, pacs.series, DICOM, 3) as waiting:
        await gate.reached.wait()
        await until(lambda: crowd(edge) == 2)
        await waiting[leaver].read(1000)
        waiting.pop(leaver).reset()
        await until(lambda: edge.listening.connections == 2)
        gate.open.set()
        for client in waiting:
            reply = Reply(await client.response())
            assert [part.body for part in reply.parts] == pacs.files
        await edge.kept()
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.series]


async def test_a_fetch_that_nobody_waits_for_is_given_up_and_what_is_whole_stays(tmp_path: Path) -> None:
    pacs = Pacs(slices=20, size=5_000)
    gate = pacs.hold(pacs.series, at=50_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        async with clients(edge, pacs.series, DICOM, 1) as [client]:
            await gate.reached.wait()
            assert len(await client.read(40_000)) == 40_000
        await edge.kept()
        gate.open.set()
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert (await edge.ask(pacs.instance(20), DICOM)).get("cache-status") == MISS


async def test_an_archive_that_refuses_refuses_all_alike(tmp_path: Path) -> None:
    pacs = Pacs()
    answered = asyncio.Event()
    frame = f"{pacs.instance(1)}/frames/1"
    pacs.say[frame] = lambda seen: [Wait(answered), Scripted(410)]
    async with keeping(pacs, folder=tmp_path) as edge, clients(edge, frame, OCTETS, 10) as waiting:
        await until(lambda: crowd(edge) == 9)
        answered.set()
        replies = [Reply(await client.response()) for client in waiting]

        assert {reply.problem(410) for reply in replies} == {"The archive answered with status 410."}
        assert {reply.get("cache-status") for reply in replies} == {"edgerouter; fwd=miss"}
        assert len(pacs.seen) == 1


async def test_who_asks_while_units_go_in_joins_or_finds_them(tmp_path: Path) -> None:
    """Between the end of a fetch and its units there is no gap through which a second one slips."""
    pacs = Pacs(slices=1, frames=1)
    async with keeping(pacs, folder=tmp_path) as edge:
        for number in range(30):
            path = f"{pacs.instance(1)}/rendered?quality={number + 1}"
            async with asyncio.TaskGroup() as group:
                for pause in range(8):
                    group.create_task(later(edge, path, pause / 2000))
        assert len(pacs.seen) == 30


async def later(edge: Edge, path: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    assert (await edge.ask(path, "image/jpeg")).status == 200


@pytest.mark.parametrize("name", ["frame", "series", "metadata", "rendered"])
async def test_a_holder_that_fails_before_its_first_part_gives_way_to_the_next(
    tmp_path: Path, name: str
) -> None:
    north, south = Pacs(), Pacs()
    path, accept = PATHS[name]
    path = path.format(series=north.series, instance=north.instance(1))
    north.cut(path, Reset(), at=0)
    async with keeping(north, south, folder=tmp_path) as edge:
        reply = await edge.ask(path, accept)
        await edge.kept()
        again = await edge.ask(path, accept)

        assert (reply.status, reply.complete, reply.get("cache-status")) == (200, True, MISS)
        assert (again.body, again.get("cache-status")) == (reply.body, HIT)
        assert path in north.asked
        assert path in south.asked
