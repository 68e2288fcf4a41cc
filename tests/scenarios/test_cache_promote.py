"""A missing frame of a single-frame instance brings the instance: its pixels cross the line once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, Reply, multipart
from tests.scenarios.pacs import AS_STORED, DERIVED, HIT, MISS, UNCOMPRESSED, Pacs, keeping
from tests.scenarios.shapes import SHAPES
from tests.scenarios.test_cache_flight import clients, crowd, until
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, Send

MIB = 1 << 20
STORED = OCTETS + AS_STORED
PROMOTING = {"promote": "yes"}


def frame_of(pacs: Pacs, number: int, frame: int = 1) -> str:
    return f"{pacs.instance(number)}/frames/{frame}"


def body_of(reply: Reply) -> bytes:
    [part] = reply.parts
    return part.body


async def test_after_its_frames_a_series_costs_no_pixel_more(tmp_path: Path) -> None:
    pacs = Pacs(slices=4, frames=1, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)
        for number in (3, 1, 4, 2):
            reply = await edge.ask(frame_of(pacs, number), STORED)
            assert (body_of(reply), reply.get("cache-status")) == (pacs.frame(number, 1), MISS)
            await edge.kept()
            assert (await edge.ask(frame_of(pacs, number), OCTETS)).get("cache-status") == DERIVED
        instances = [pacs.instance(number) for number in (3, 1, 4, 2)]
        assert pacs.asked == [f"{pacs.series}/metadata", *instances]

        for number in pacs.numbers:
            reply = await edge.ask(pacs.instance(number), "application/dicom")
            assert (reply.body, reply.get("cache-status")) == (pacs.files[number - 1], HIT)
        series = await edge.ask(pacs.series, DICOM)
        assert [part.body for part in series.parts] == pacs.files
        assert (await edge.ask(f"{pacs.series}/metadata", JSON)).get("cache-status") == HIT
        assert pacs.asked[5:] == []


async def test_an_instance_is_kept_whose_end_comes_after_its_frame(tmp_path: Path) -> None:
    """The only reader has all that he asked for; the instance is not given up before its end mark."""
    pacs = Pacs(slices=1, frames=1, size=200_000, shape="native", sized=False)
    gate = pacs.hold(pacs.instance(1), at=pacs_end(pacs))
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        async with asyncio.TaskGroup() as group:
            frame = group.create_task(edge.ask(frame_of(pacs, 1), STORED))
            await gate.reached.wait()
            for _ in range(100):  # whoever wants to be done by now is done
                await asyncio.sleep(0.001)
            gate.open.set()
        await edge.kept()
        assert body_of(frame.result()) == pacs.frame(1, 1)
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.instance(1)]


def pacs_end(pacs: Pacs) -> int:
    """How many bytes of the answer there are up to the delimiter behind its file."""
    label = [("Content-Type", "application/dicom")]
    return len(multipart((label, pacs.files[0]), closing=False))


async def test_a_frame_leaves_while_its_instance_is_still_arriving(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, size=200_000, shape="native")
    gate = pacs.hold(pacs.instance(1), at=120_000)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge, RawClient(edge.port) as client:
        await client.send(
            request(f"/dicomweb{frame_of(pacs, 1)}", fields=[("Accept", "application/octet-stream")])
        )
        head = await client.read_until(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"content-length: 200000" in head.lower()
        assert await client.read(100_000) == pacs.frame(1, 1)[:100_000]
        assert not gate.open.is_set()
        gate.open.set()
        assert await client.read(100_000) == pacs.frame(1, 1)[100_000:]
        await edge.kept()
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.instance(1)]


@pytest.mark.parametrize("padding", [0, 300_000], ids=["short head", "long head"])
@pytest.mark.parametrize(
    "shape", ["native", "implicit", "deflated", "rle", "jpeg, fragments and offset table"]
)
async def test_a_single_frame_of_any_shape_is_cut_out_of_its_instance(
    tmp_path: Path, shape: str, padding: int
) -> None:
    pacs = Pacs(slices=2, frames=1, size=100_000, shape=shape, padding=padding)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        for number in (1, 2):
            reply = await edge.ask(frame_of(pacs, number), STORED)
            await edge.kept()
            [part] = reply.parts
            assert (part.body, part.fields["content-type"]) == (pacs.frame(number, 1), pacs.form)
            assert reply.get("cache-status") == MISS
            assert (await edge.ask(frame_of(pacs, number), STORED)).parts == reply.parts
        assert pacs.asked == [pacs.instance(1), pacs.instance(2)]


async def test_an_instance_of_several_frames_is_given_up_after_its_head_and_its_series_remembered(
    tmp_path: Path,
) -> None:
    pacs = Pacs(slices=2, frames=3, size=100_000, shape="native")
    gate = pacs.hold(pacs.instance(1), at=20_000)  # and it is never let go
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        for number in (1, 2):
            reply = await edge.ask(frame_of(pacs, number), STORED)
            assert (body_of(reply), reply.get("cache-status")) == (pacs.frame(number, 1), MISS)
        await edge.kept()
        assert gate.reached.is_set()
        assert pacs.asked == [pacs.instance(1), frame_of(pacs, 1), frame_of(pacs, 2)]


async def test_an_instance_known_to_have_several_frames_is_not_asked_for(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=3, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        await edge.ask(f"{pacs.instance(1)}/metadata", JSON)
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        assert pacs.asked[1:] == [frame_of(pacs, 1)]


async def test_only_where_a_rule_allows_it(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, shape="native")
    async with keeping(pacs, folder=tmp_path, route={"promote": "no"}) as edge:
        await edge.ask(frame_of(pacs, 1), STORED)
        assert pacs.asked == [frame_of(pacs, 1)]


async def test_what_the_instance_cannot_give_is_asked_for_itself(tmp_path: Path) -> None:
    """The archive sends files as they are stored, and decodes frames."""
    pacs = Pacs(slices=2, frames=1, shape="jpeg")
    pacs.form = UNCOMPRESSED
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        for number in (1, 2):
            [part] = (await edge.ask(frame_of(pacs, number), OCTETS)).parts
            assert part.fields["content-type"] == UNCOMPRESSED
        await edge.kept()
        assert pacs.asked == [pacs.instance(1), frame_of(pacs, 1), frame_of(pacs, 2)]
        # Who takes it as it is stored gets it out of the instance all the same.
        [part] = (await edge.ask(frame_of(pacs, 2), "multipart/related; type=image/jpeg" + AS_STORED)).parts
        assert part.fields["content-type"].startswith("image/jpeg")
        assert pacs.asked[3:] == [pacs.instance(2)]


@pytest.mark.parametrize(("status", "again"), [(406, False), (500, False), (503, True)])
async def test_an_archive_that_refuses_the_instance_may_have_the_frame(
    tmp_path: Path, status: int, again: bool
) -> None:
    pacs = Pacs(slices=2, frames=1, shape="native")
    for number in (1, 2):
        pacs.say[pacs.instance(number)] = lambda seen: [Scripted(status)]
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        for number in (1, 2):
            assert body_of(await edge.ask(frame_of(pacs, number), STORED)) == pacs.frame(number, 1)
        second = [pacs.instance(2)] if again else []
        assert pacs.asked == [pacs.instance(1), frame_of(pacs, 1), *second, frame_of(pacs, 2)]


async def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        (await edge.ask(frame_of(pacs, 7), STORED)).problem(404)
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        assert pacs.asked[-1] == pacs.instance(1)


@pytest.mark.parametrize("why", ["no-store", "full"])
@pytest.mark.parametrize("shape", ["native", "jpeg", "deflated"])
async def test_what_may_not_be_kept_is_served_right_nevertheless(
    tmp_path: Path, shape: str, why: str
) -> None:
    """Of more bytes than a passing fill holds for a reader who waits for the end."""
    pacs = Pacs(slices=1, frames=1, size=6 * MIB, shape=shape)
    if why == "no-store":
        pacs.fields = [("Cache-Control", "no-store")]
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        assert edge.cache is not None
        if why == "full":
            edge.cache.room.pause()
        for _ in range(2):
            reply = await edge.ask(frame_of(pacs, 1), STORED)
            assert body_of(reply) == pacs.frame(1, 1)
            assert reply.get("cache-status") == "edgerouter; fwd=miss"
        await edge.kept()


async def test_an_instance_that_breaks_off_breaks_the_frame_off(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, size=100_000, shape="native")
    pacs.cut(pacs.instance(1), Reset(), at=60_000)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        cut = await edge.ask(frame_of(pacs, 1), STORED)
        await edge.kept()
        assert (cut.status, cut.complete) == (200, False)
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)


@pytest.mark.parametrize("shape", ["native", "jpeg"])
async def test_a_hundred_frames_at_once_are_a_hundred_instances_each_once(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=25, frames=1, shape=shape)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge, asyncio.TaskGroup() as group:
        asked = {
            group.create_task(edge.ask(frame_of(pacs, number), STORED)): number
            for number in [*pacs.numbers] * 4
        }
        for task, number in asked.items():
            assert body_of(await task) == pacs.frame(number, 1)
        assert Counter(pacs.asked) == Counter([pacs.instance(number) for number in pacs.numbers])


@pytest.mark.parametrize("path", ["/frames/1", ""])
async def test_what_is_still_on_its_way_into_the_cache_is_not_fetched_again(
    tmp_path: Path, path: str
) -> None:
    """The first answer ends when all has come, which is before it is a unit."""
    pacs = Pacs(slices=1, frames=1, size=100_000, shape="native")
    accept = (OCTETS if path else DICOM) + AS_STORED
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge, asyncio.TaskGroup() as group:
        cache = edge.cache
        assert cache is not None
        with cache.readers.clearing(("north", "1.2")):  # for so long nothing of it becomes a unit
            first = await edge.ask(pacs.instance(1) + path, accept)
            second = group.create_task(edge.ask(pacs.instance(1) + path, accept))
            await until(lambda: cache.counts.fills + cache.counts.collapsed == 2)
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert pacs.asked == [pacs.instance(1)]
        assert body_of(await second) == body_of(first)
        assert pacs.asked == [pacs.instance(1)]


async def test_a_crowd_at_one_frame_is_one_instance(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, size=100_000, shape="native")
    gate = pacs.hold(pacs.instance(1), at=50_000)
    async with (
        keeping(pacs, folder=tmp_path, route=PROMOTING) as edge,
        clients(edge, frame_of(pacs, 1), STORED, 50) as waiting,
    ):
        await until(lambda: crowd(edge) == 49)
        gate.open.set()
        replies = [Reply(await client.response()) for client in waiting]
        assert [body_of(reply) for reply in replies] == [pacs.frame(1, 1)] * 50
        assert pacs.asked == [pacs.instance(1)]


@pytest.mark.parametrize(("arrived", "kept"), [(70_000, True), (30_000, False)])
async def test_an_instance_whose_client_left_is_finished_when_most_of_it_is_here(
    tmp_path: Path, arrived: int, kept: bool
) -> None:
    pacs = Pacs(slices=1, frames=1, size=100_000, shape="native")
    gate = pacs.hold(pacs.instance(1), at=arrived)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        async with clients(edge, frame_of(pacs, 1), STORED, 1) as [client]:
            await gate.reached.wait()
            assert len(await client.read(20_000)) == 20_000
            client.reset()
            await until(lambda: edge.listening.connections == 0)
        gate.open.set()
        await edge.kept()
        del pacs.gates[pacs.instance(1)]
        status = (await edge.ask(frame_of(pacs, 1), STORED)).get("cache-status")
        assert status == (DERIVED if kept else MISS)


def behind(pacs: Pacs, parts: int) -> int:
    """Where in the answer to the series that many parts are over, and the next has begun."""
    return sum(len(file) + 200 for file in pacs.files[:parts]) + 5_000


async def while_series_arrives(
    pacs: Pacs,
    edge: Edge,
    parts: int,
    play: Callable[[], Coroutine[None, None, None]],
    path: str = "",
    accept: str = DICOM + AS_STORED,
) -> None:
    """Play while the series, or another path, is being fetched and so many of its parts are here."""
    path = path or pacs.series
    gate = pacs.hold(path, at=behind(pacs, parts))
    async with clients(edge, path, accept, 1) as [first]:
        await gate.reached.wait()
        await first.read(behind(pacs, parts) - 3_000)
        joined = crowd(edge)
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(play())
            # Who joins waits for the gate; who does not is answered without it.
            await until(lambda: crowd(edge) > joined or playing.done())
            gate.open.set()


@pytest.mark.parametrize("promote", ["yes", "no"])
@pytest.mark.parametrize(("shape", "frames"), [("native", 1), ("native", 3), ("jpeg", 1)])
async def test_a_frame_of_an_instance_that_a_series_is_bringing_is_cut_out_of_that(
    tmp_path: Path, shape: str, frames: int, promote: str
) -> None:
    pacs = Pacs(slices=6, frames=frames, size=60_000, shape=shape)
    async with keeping(pacs, folder=tmp_path, route={"promote": promote}) as edge:

        async def play() -> None:
            reply = await edge.ask(frame_of(pacs, 3, frames), STORED)
            assert body_of(reply) == pacs.frame(3, frames)
            assert "collapsed" in (reply.get("cache-status") or "")

        await while_series_arrives(pacs, edge, 2, play)
        assert pacs.asked == [pacs.series]


@pytest.mark.parametrize("path", ["", "/frames/1"])
async def test_what_is_made_to_order_for_one_is_not_given_to_who_takes_any(tmp_path: Path, path: str) -> None:
    """The series is asked for by the name of a lossy syntax: the archive may compress it for that."""
    pacs = Pacs(slices=6, frames=1, size=60_000, shape="jpeg")
    async with keeping(pacs, folder=tmp_path) as edge:

        async def play() -> None:
            accept = (OCTETS if path else DICOM) + AS_STORED
            reply = await edge.ask(pacs.instance(3) + path, accept)
            assert reply.status == 200
            assert "collapsed" not in (reply.get("cache-status") or "")

        order = f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50"
        await while_series_arrives(pacs, edge, 2, play, accept=order)
        assert pacs.asked == [pacs.series, pacs.instance(3) + path]


@pytest.mark.parametrize(("number", "joins"), [(4, True), (6, True), (7, False), (20, False)])
async def test_a_frame_that_is_near_waits_for_the_series_and_one_that_is_far_does_not(
    tmp_path: Path, number: int, joins: bool
) -> None:
    """Near is what the listing has next, as long as the archive keeps to its order."""
    pacs = Pacs(slices=20, frames=1, size=60_000, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)

        async def play() -> None:
            assert body_of(await edge.ask(frame_of(pacs, number), STORED)) == pacs.frame(number, 1)

        await while_series_arrives(pacs, edge, 2, play)
        assert pacs.asked[1:] == [pacs.series, *([] if joins else [pacs.instance(number)])]


@pytest.mark.parametrize(
    "order", [range(20, 0, -1), [*range(2, 21, 2), *range(1, 20, 2)]], ids=["back", "even"]
)
async def test_an_archive_that_does_not_keep_to_its_order_is_not_waited_for(
    tmp_path: Path, order: Sequence[int]
) -> None:
    """What is next on the list to the part that is arriving may come last of all."""
    number = order[2] + 1 if order[0] < order[2] else order[2] - 4  # the third is arriving
    pacs = Pacs(slices=20, frames=1, size=60_000, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)
        pacs.order = order

        async def play() -> None:
            assert body_of(await edge.ask(frame_of(pacs, number), STORED)) == pacs.frame(number, 1)

        await while_series_arrives(pacs, edge, 2, play)
        assert pacs.asked[1:] == [pacs.series, pacs.instance(number)]


async def test_who_wants_it_uncompressed_does_not_join_a_fetch_that_brings_it_compressed(
    tmp_path: Path,
) -> None:
    """No transfer syntax named means uncompressed, and never a compressed copy."""
    pacs = Pacs(slices=6, frames=1, size=60_000, shape="jpeg")
    plain = Pacs(slices=6, frames=1, size=60_000, shape="native")
    pacs.say[pacs.instance(3)] = lambda seen: plain.answer(plain.instance(3))
    pacs.say[frame_of(pacs, 3)] = lambda seen: plain.answer(frame_of(plain, 3))
    async with keeping(pacs, folder=tmp_path, route={"promote": "no"}) as edge:

        async def play() -> None:
            instance = await edge.ask(pacs.instance(3), DICOM)
            assert [part.body for part in instance.parts] == [plain.files[2]]
            [frame] = (await edge.ask(frame_of(pacs, 3), OCTETS)).parts
            assert (frame.body, frame.fields["content-type"]) == (plain.frame(3, 1), UNCOMPRESSED)

        await while_series_arrives(pacs, edge, 2, play)
        assert pacs.asked[:2] == [pacs.series, pacs.instance(3)]


async def test_fetches_of_a_study_and_of_its_series_share_units(tmp_path: Path) -> None:
    pacs = Pacs(slices=6, frames=1, size=60_000, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:

        async def play() -> None:
            series = await edge.ask(pacs.series, DICOM + AS_STORED)
            assert [part.body for part in series.parts] == pacs.files

        await while_series_arrives(pacs, edge, 2, play, pacs.study)
        await edge.kept()
        for path in (pacs.study, pacs.series, pacs.instance(5)):
            reply = await edge.ask(path, DICOM + AS_STORED)
            assert reply.get("cache-status") == HIT
        assert edge.cache is not None
        assert (await edge.cache.stats()).units == 6
        # What the study had brought, or was bringing, was not asked for again.
        assert pacs.asked[:2] == [pacs.study, f"{pacs.series}/instances"]
        assert not {pacs.instance(number) for number in (1, 2, 3)} & set(pacs.asked)


async def test_frames_asked_for_while_an_instance_of_many_arrives_wait_only_for_what_is_near(
    tmp_path: Path,
) -> None:
    pacs = Pacs(slices=2, frames=8, size=MIB, shape="native")
    gate = pacs.hold(pacs.series, at=MIB)
    async with keeping(pacs, folder=tmp_path, route={"promote": "no"}) as edge:
        async with clients(edge, pacs.series, DICOM, 1) as [first], asyncio.TaskGroup() as group:
            await gate.reached.wait()
            await first.read(MIB // 2)
            near = group.create_task(edge.ask(f"{pacs.instance(1)}/frames/2,3", OCTETS))
            far = await edge.ask(frame_of(pacs, 1, 8), OCTETS)
            assert body_of(far) == pacs.frame(1, 8)
            gate.open.set()
            assert [part.body for part in (await near).parts] == [pacs.frame(1, 2), pacs.frame(1, 3)]
        assert pacs.asked == [pacs.series, frame_of(pacs, 1, 8)]


async def test_a_frame_is_never_cut_out_of_another_instance_than_its_own(tmp_path: Path) -> None:
    """An archive that mixes two instances up: its frame, asked for itself, is at least what it says."""
    pacs = Pacs(slices=2, frames=1, shape="native")
    pacs.say[pacs.instance(1)] = lambda seen: pacs.answer(pacs.instance(2))
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        await edge.kept()
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        assert pacs.asked == [pacs.instance(1), frame_of(pacs, 1)]


@pytest.mark.parametrize("shape", ["native", "jpeg"])
async def test_a_very_small_instance_gives_its_frame(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=1, frames=1, size=16, shape=shape)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        assert pacs.asked == [pacs.instance(1)]


def nonsense(pacs: Pacs) -> bytes:
    return bytes(5000)


def cut_short(pacs: Pacs) -> bytes:
    return pacs.files[0][:300]


def nameless(pacs: Pacs) -> bytes:
    return SHAPES["native"].file([(0x00080060, "CS", "OT")], [pacs.frame(1, 1)])


def endless(pacs: Pacs) -> bytes:
    """Its pixels begin behind what is looked at."""
    return Pacs(slices=1, frames=1, shape="native", padding=3 * MIB).files[0]


@pytest.mark.parametrize("made", [nonsense, cut_short, nameless, endless])
async def test_an_instance_whose_head_tells_nothing_is_left_alone(
    tmp_path: Path, made: Callable[[Pacs], bytes]
) -> None:
    pacs = Pacs(slices=1, frames=1, shape="native")
    pacs.files[0] = made(pacs)
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        assert body_of(await edge.ask(frame_of(pacs, 1), STORED)) == pacs.frame(1, 1)
        assert pacs.asked == [pacs.instance(1), frame_of(pacs, 1)]


@pytest.mark.parametrize("how", ["gone", "cut"])
@pytest.mark.parametrize("what", ["frame", "instance"])
async def test_who_waited_for_a_series_in_vain_is_served_by_himself(
    tmp_path: Path, what: str, how: str
) -> None:
    """It was due next, and the series ends, or breaks off, without it."""
    pacs = Pacs(slices=20, frames=1, size=60_000, shape="native")
    async with keeping(pacs, folder=tmp_path, route=PROMOTING) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)
        gate = pacs.hold(pacs.series, at=behind(pacs, 2))
        [begun, note, wait, *_] = pacs.answer(pacs.series)
        without = Pacs(slices=3, frames=1, size=60_000, shape="native")
        if how == "cut":
            pacs.say[pacs.series] = lambda seen: [begun, note, wait, Reset()]
        else:
            [three] = without.answer(pacs.series)
            assert isinstance(three, Scripted)
            whole = three.render(0, "GET")
            at = whole.index(b"\r\n\r\n") + 4 + behind(pacs, 2)
            pacs.say[pacs.series] = lambda seen: [Send(whole[:at]), note, wait, Send(whole[at:])]
        async with clients(edge, pacs.series, DICOM + AS_STORED, 1) as [first], asyncio.TaskGroup() as group:
            await gate.reached.wait()
            await first.read(behind(pacs, 2) - 3_000)
            joined = crowd(edge)
            path = frame_of(pacs, 5) if what == "frame" else pacs.instance(5)
            asked = group.create_task(edge.ask(path, STORED if what == "frame" else DICOM))
            await until(lambda: crowd(edge) > joined or asked.done())
            assert not asked.done()
            gate.open.set()
            expected = pacs.frame(5, 1) if what == "frame" else pacs.files[4]
            assert body_of(await asked) == expected
        assert pacs.asked[1:] == [pacs.series, pacs.instance(5)]
