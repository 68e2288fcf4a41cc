"""Reading ahead: of an instance with many frames the next ones are here before they are asked for."""

import asyncio
from pathlib import Path

import pytest

from tests.scenarios.edge import JSON, OCTETS, Edge
from tests.scenarios.pacs import HIT, MISS, Pacs, keeping
from tests.scenarios.test_cache_flight import until
from tests.support.scripted import Reply as Scripted

AHEAD = {"promote": "no", "read_ahead": 4}
ORTHANC = {"profile": "orthanc"}  # it likes to be asked for one frame at a time


def frames(pacs: Pacs, *numbers: int) -> str:
    return f"{pacs.instance(1)}/frames/{','.join(map(str, numbers))}"


async def described(edge: Edge, pacs: Pacs) -> None:
    """Have the archive say how many frames there are."""
    await edge.ask(f"{pacs.series}/metadata", JSON)
    await edge.kept()
    pacs.seen.clear()


async def test_the_frames_that_follow_a_missing_one_are_fetched_in_one_request(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="jpeg")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 2), "image/jpeg; transfer-syntax=*")
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2), frames(pacs, 3, 4, 5, 6)]
        for number in (3, 4, 5, 6):
            reply = await edge.ask(frames(pacs, number), "image/jpeg; transfer-syntax=*")
            assert (reply.body, reply.get("cache-status")) == (pacs.frame(1, number), HIT)
        await edge.kept()
        assert len(pacs.seen) == 2


async def test_one_by_one_where_the_archive_likes_that(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9)
    pacs.shape = "native"
    async with keeping(pacs, folder=tmp_path, route=AHEAD, settings=ORTHANC) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 2), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, number) for number in (2, 3, 4, 5, 6)]


@pytest.mark.parametrize(("asked", "ahead"), [((7,), (8, 9)), ((9,), ()), ((3, 5), (6, 7, 8, 9))])
async def test_not_beyond_the_last_frame(
    tmp_path: Path, asked: tuple[int, ...], ahead: tuple[int, ...]
) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, *asked), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, *asked), *([frames(pacs, *ahead)] if ahead else [])]


async def test_what_is_held_of_them_is_not_fetched_again(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await edge.ask(frames(pacs, 4), OCTETS)
        await described(edge, pacs)
        await edge.ask(frames(pacs, 1), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, 1), frames(pacs, 2, 3, 5)]


@pytest.mark.parametrize("route", [{"promote": "no"}, {"promote": "no", "read_ahead": 0}])
async def test_only_where_a_rule_says_so(tmp_path: Path, route: dict[str, object]) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=route) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 2), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2)]


async def test_not_where_nobody_said_how_many_there_are(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await edge.ask(frames(pacs, 2), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2)]


async def test_a_client_that_wants_nothing_from_memory_sets_nothing_going(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 2), OCTETS, fields=[("Cache-Control", "no-cache")])
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2)]


async def test_nobody_waits_for_them_and_who_asks_joins(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, size=5000, shape="native")
    gate = pacs.hold(frames(pacs, 3, 4, 5, 6), at=8000)
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        assert (await edge.ask(frames(pacs, 2), OCTETS)).complete  # while those behind it are held up
        await gate.reached.wait()
        far = await edge.ask(frames(pacs, 9), OCTETS)
        assert far.parts[0].body == pacs.frame(1, 9)
        async with asyncio.TaskGroup() as group:
            near = group.create_task(edge.ask(frames(pacs, 5), OCTETS))
            assert edge.cache is not None
            await until(lambda: edge.cache is not None and edge.cache.counts.collapsed > 0)
            gate.open.set()
        assert near.result().parts[0].body == pacs.frame(1, 5)
        await edge.kept()
        # Who joins goes on from there.
        far_ahead = [frames(pacs, 9), frames(pacs, 7, 8)]
        assert pacs.asked == [frames(pacs, 2), frames(pacs, 3, 4, 5, 6), *far_ahead]


@pytest.mark.parametrize("settings", [{}, ORTHANC], ids=["lists", "one by one"])
async def test_an_archive_that_refuses_to_be_read_ahead_is_left_alone(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    for path in (frames(pacs, 3, 4, 5, 6), frames(pacs, 3)):
        pacs.say[path] = lambda seen: [Scripted(503)]
    async with keeping(pacs, folder=tmp_path, route=AHEAD, settings=settings) as edge:
        await described(edge, pacs)
        assert (await edge.ask(frames(pacs, 2), OCTETS)).status == 200
        await edge.kept()
        assert len(pacs.seen) == 2
        assert (await edge.ask(frames(pacs, 4), OCTETS)).status == 200


async def test_what_may_not_be_kept_is_not_read_ahead(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        pacs.fields = [("Cache-Control", "no-store")]
        await edge.ask(frames(pacs, 2), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2)]


async def test_it_ends_where_keeping_ends(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, shape="native")
    secret = pacs.answer(frames(pacs, 3))
    async with keeping(pacs, folder=tmp_path, route=AHEAD, settings=ORTHANC) as edge:
        await described(edge, pacs)
        [reply] = secret
        assert isinstance(reply, Scripted)
        pacs.say[frames(pacs, 3)] = lambda seen: [
            Scripted(body=reply.body, fields=[*reply.fields, ("Cache-Control", "no-store")])
        ]
        await edge.ask(frames(pacs, 2), OCTETS)
        await edge.kept()
        assert pacs.asked == [frames(pacs, 2), frames(pacs, 3)]


async def test_a_reader_who_jumps_takes_the_window_with_him(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=40, size=2000, shape="native")
    gate = pacs.hold(frames(pacs, 2), at=1000)
    async with keeping(pacs, folder=tmp_path, route=AHEAD, settings=ORTHANC) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 1), OCTETS)
        await gate.reached.wait()
        assert (await edge.ask(frames(pacs, 30), OCTETS)).get("cache-status") == MISS
        gate.open.set()
        await edge.kept()
        assert pacs.asked == [frames(pacs, number) for number in (1, 2, 30, 31, 32, 33, 34)]


async def test_a_router_that_stops_stops_reading_ahead(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=9, size=5000, shape="native")
    gate = pacs.hold(frames(pacs, 3, 4, 5, 6), at=8000)
    async with keeping(pacs, folder=tmp_path, route=AHEAD) as edge:
        await described(edge, pacs)
        await edge.ask(frames(pacs, 2), OCTETS)
        await gate.reached.wait()
        assert edge.cache is not None
        await edge.cache.fills.close()
        assert edge.cache.fills.live == 0
