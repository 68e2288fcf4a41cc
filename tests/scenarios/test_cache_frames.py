"""Frame lists: only what is missing is fetched, and the answer keeps the order that was asked for."""

import asyncio
from pathlib import Path

import pytest

from tests.scenarios.edge import OCTETS
from tests.scenarios.pacs import AS_STORED, COMPRESSED, HIT, MISS, PARTIAL, UNCOMPRESSED, Pacs, keeping
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, Seen, Step

INSTANCE = Pacs().instance(1)


def frames(*numbers: int) -> str:
    return f"{INSTANCE}/frames/{','.join(map(str, numbers))}"


async def test_only_missing_frames_are_asked_for_ascending_and_each_once(tmp_path: Path) -> None:
    pacs = Pacs(frames=9)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(frames(2, 7), OCTETS)
        await edge.kept()
        asked = [9, 7, 3, 2, 9, 1]
        partly = await edge.ask(frames(*asked), OCTETS)
        await edge.kept()
        again = await edge.ask(frames(*asked), OCTETS)

        assert [part.body for part in partly.parts] == [pacs.frame(1, number) for number in asked]
        assert (partly.get("cache-status"), again.get("cache-status")) == (PARTIAL, HIT)
        assert partly.body == again.body
        assert pacs.asked == [frames(2, 7), frames(1, 3, 9)]


async def test_an_archive_that_likes_single_frames_is_asked_for_single_frames(tmp_path: Path) -> None:
    pacs = Pacs(frames=9)
    async with keeping(pacs, folder=tmp_path, settings={"profile": "orthanc"}) as edge:
        for status in (MISS, HIT):
            reply = await edge.ask(frames(3, 1, 2, 8, 9, 7, 5), OCTETS)
            await edge.kept()
            assert [part.body for part in reply.parts] == [
                pacs.frame(1, number) for number in (3, 1, 2, 8, 9, 7, 5)
            ]
            assert reply.get("cache-status") == status
        assert sorted(pacs.asked) == [frames(number) for number in (1, 2, 3, 5, 7, 8, 9)]


@pytest.mark.parametrize("profile", ["standard", "orthanc"])
@pytest.mark.parametrize("asked", [(1, 5), (5, 1), (2, 3, 5), (5,)])
async def test_a_frame_out_of_range_is_refused_before_anything_is_sent(
    tmp_path: Path, profile: str, asked: tuple[int, ...]
) -> None:
    pacs = Pacs(frames=4)
    async with keeping(pacs, folder=tmp_path, settings={"profile": profile}) as edge:
        await edge.ask(frames(2), OCTETS)
        await edge.kept()
        reply = await edge.ask(frames(*asked), OCTETS)

        reply.problem(404)
        assert (await edge.ask(frames(2), OCTETS)).get("cache-status") == HIT


async def test_lists_that_overlap_share_what_they_have_in_common(tmp_path: Path) -> None:
    """Law 4: one object, one fetch."""
    pacs = Pacs(frames=4)
    gate = pacs.hold(frames(1, 2), at=10)
    async with keeping(pacs, folder=tmp_path) as edge, RawClient(edge.port) as first:
        await first.send(request(f"/dicomweb{frames(1, 2)}", fields=[("Accept", OCTETS)]))
        await gate.reached.wait()
        async with asyncio.TaskGroup() as group:
            second = group.create_task(edge.ask(frames(2, 3), OCTETS))
            third = group.create_task(edge.ask(frames(2), OCTETS))
            while len(pacs.seen) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            gate.open.set()
        assert [part.body for part in second.result().parts] == [pacs.frame(1, 2), pacs.frame(1, 3)]
        assert [part.body for part in third.result().parts] == [pacs.frame(1, 2)]
        assert (await first.response()).complete
        assert pacs.asked == [frames(1, 2), frames(3)]


@pytest.mark.parametrize("profile", ["standard", "orthanc"])
async def test_no_list_leaves_in_two_forms(tmp_path: Path, profile: str) -> None:
    """Clients take the first part of a frame list for the model of all."""
    pacs = Pacs(form=UNCOMPRESSED)
    async with keeping(pacs, folder=tmp_path, settings={"profile": profile}) as edge:
        await edge.ask(frames(1), OCTETS)  # decoded by the archive
        await edge.kept()
        pacs.form = COMPRESSED
        reply = await edge.ask(frames(1, 2), OCTETS + AS_STORED)
        await edge.kept()

        assert [part.body for part in reply.parts] == [pacs.frame(1, 1), pacs.frame(1, 2)]
        assert {part.fields["content-type"] for part in reply.parts} == {COMPRESSED}
        again = await edge.ask(frames(1, 2), OCTETS + AS_STORED)
        assert (again.body, again.get("cache-status")) == (reply.body, HIT)
        assert (await edge.ask(frames(1), OCTETS)).parts[0].fields["content-type"] == UNCOMPRESSED


def strange(pacs: Pacs, *parts: tuple[str | None, int]) -> list[Step]:
    """A frame answer with these locations and frames."""
    made = []
    for location, frame in parts:
        where = [("Content-Location", location)] if location else []
        made.append(([*where, ("Content-Type", UNCOMPRESSED)], pacs.frame(1, frame)))
    return pacs.parts(frames(1, 2), made, "application/octet-stream")


@pytest.mark.parametrize(
    "parts",
    [
        [(f"{INSTANCE}/frames/2", 2), (f"{INSTANCE}/frames/1", 1)],
        [(f"{INSTANCE}/frames/1", 1), (f"{INSTANCE}/frames/3", 3)],
        [(f"{INSTANCE}/frames/1", 1), ("/studies/1.2/series/1.2.3/instances/9.9/frames/2", 2)],
        [("1", 1), ("3", 3)],
        [(f"{INSTANCE}/frames/1", 1)],
    ],
    ids=["order", "other frame", "other instance", "relative", "too few"],
)
async def test_frames_that_are_not_those_asked_for_are_cut(
    tmp_path: Path, parts: list[tuple[str | None, int]]
) -> None:
    pacs = Pacs()
    pacs.say[frames(1, 2)] = lambda seen: strange(pacs, *parts)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(frames(1, 2), OCTETS)
        await edge.kept()
        assert reply.status == 502 or not reply.complete
        right = await edge.ask(frames(2), OCTETS)
        assert [part.body for part in right.parts] == [pacs.frame(1, 2)]


async def test_where_a_frame_is_may_be_said_relative_to_what_was_asked(tmp_path: Path) -> None:
    pacs = Pacs()
    pacs.say[frames(1, 2)] = lambda seen: strange(pacs, ("1", 1), ("2", 2))
    async with keeping(pacs, folder=tmp_path) as edge:
        for status in (MISS, HIT):
            assert (await edge.ask(frames(1, 2), OCTETS)).get("cache-status") == status
            await edge.kept()


async def test_several_frames_that_do_not_say_which_they_are_are_asked_for_one_by_one(tmp_path: Path) -> None:
    """One might have been left out, and all others would go by the wrong name."""
    pacs = Pacs(located=False)
    async with keeping(pacs, folder=tmp_path) as edge:
        expected = [pacs.frame(1, number) for number in (1, 2, 3)]
        for _ in range(3):
            reply = await edge.ask(frames(1, 2, 3), OCTETS)
            await edge.kept()
            assert [part.body for part in reply.parts] == expected
        assert reply.get("cache-status") == HIT
        assert pacs.asked[0] == frames(1, 2, 3)
        assert sorted(pacs.asked[1:]) == [frames(1), frames(2), frames(3)]


async def test_frames_that_may_not_be_kept_keep_the_order_of_the_list(tmp_path: Path) -> None:
    """What cannot be put into order from disk is asked for in that order, and relayed."""
    pacs = Pacs(fields=[("Cache-Control", "no-store")])
    async with keeping(pacs, folder=tmp_path) as edge:
        scrambled = await edge.ask(frames(3, 1), OCTETS)
        ordered = await edge.ask(frames(1, 3), OCTETS)

        assert [part.body for part in scrambled.parts] == [pacs.frame(1, 3), pacs.frame(1, 1)]
        assert [part.body for part in ordered.parts] == [pacs.frame(1, 1), pacs.frame(1, 3)]
        assert scrambled.get("cache-status") == "edgerouter; fwd=bypass"
        assert pacs.asked == [frames(1, 3), frames(3, 1), frames(1, 3)]


async def test_some_of_the_frames_is_the_archives_word(tmp_path: Path) -> None:
    """dcm4chee answers 206 when part of the list is out of range."""
    pacs = Pacs()

    def some(seen: Seen) -> list[Step]:
        [step] = pacs.answer(frames(1))
        assert isinstance(step, Scripted)
        return [Scripted(206, step.body, [*step.fields, ("Warning", "299 pacs.internal: one is gone")])]

    pacs.say[frames(1, 2)] = some
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(frames(1, 2), OCTETS)
            assert (reply.status, len(reply.parts)) == (206, 1)
            assert "one is gone" in (reply.get("warning") or "")


async def test_an_archive_that_breaks_off_in_the_middle_of_a_list_leaves_what_came(tmp_path: Path) -> None:
    pacs = Pacs(size=5000)
    pacs.cut(frames(1, 2, 3), Reset(), at=8000)
    async with keeping(pacs, folder=tmp_path) as edge:
        assert not (await edge.ask(frames(1, 2, 3), OCTETS)).complete
        await edge.kept()
        reply = await edge.ask(frames(1, 2, 3), OCTETS)

        assert [part.body for part in reply.parts] == [pacs.frame(1, number) for number in (1, 2, 3)]
        assert reply.get("cache-status") == PARTIAL
        assert pacs.asked[1:] == [frames(2, 3)]
