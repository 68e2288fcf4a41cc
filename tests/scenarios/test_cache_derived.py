"""Frames out of held instances: one copy on disk answers for every frame in it, whatever shape it has."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, OCTETS
from tests.scenarios.pacs import AS_STORED, DERIVED, HIT, MISS, SERIES, Pacs, keeping
from tests.scenarios.shapes import SHAPES
from tests.scenarios.test_cache_damage import DAMAGE, MIB, flip, holding
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted

ALONE = "application/octet-stream"
STORED = OCTETS + AS_STORED


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_held_instance_answers_for_each_of_its_frames(
    tmp_path: Path, shape: str, frames: int
) -> None:
    pacs = Pacs(slices=2, frames=frames, shape=shape)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM + AS_STORED)
        await edge.kept()
        for number in pacs.numbers:
            for frame in range(1, frames + 1):
                reply = await edge.ask(f"{pacs.instance(number)}/frames/{frame}", STORED)

                [part] = reply.parts
                assert part.body == pacs.frame(number, frame)
                assert part.fields["content-type"] == pacs.form
                assert part.fields["content-location"].endswith(
                    f"/instances/{SERIES}.{number}/frames/{frame}"
                )
                assert reply.get("cache-status") == DERIVED
        assert pacs.asked == [pacs.series]


@pytest.mark.parametrize("shape", ["native", "deflated", "jpeg, fragments and offset table"])
async def test_what_is_cut_out_is_what_the_archive_would_have_sent(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=1, frames=5, shape=shape)
    path = f"{pacs.instance(1)}/frames/4,2,5"
    async with keeping(pacs, folder=tmp_path / "one") as edge:
        fetched = await edge.ask(path, STORED)
        assert fetched.get("cache-status") == MISS
    async with keeping(pacs, folder=tmp_path / "other") as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        asked = len(pacs.seen)
        derived = await edge.ask(path, STORED)

        assert derived.get("cache-status") == DERIVED
        assert derived.parts == fetched.parts  # bodies, types, lengths and locations
        assert len(pacs.seen) == asked


async def test_a_frame_that_is_held_and_frames_that_are_cut_out_leave_in_one_answer(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=5, shape="native")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(f"{pacs.instance(1)}/frames/2", OCTETS)
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        asked = len(pacs.seen)
        reply = await edge.ask(f"{pacs.instance(1)}/frames/5,2", OCTETS)

        assert [part.body for part in reply.parts] == [pacs.frame(1, 5), pacs.frame(1, 2)]
        assert len(pacs.seen) == asked


async def test_a_frame_beyond_the_last_is_the_archives_to_refuse(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=3, shape="native")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        for numbers in ("4", "1,4"):
            (await edge.ask(f"{pacs.instance(1)}/frames/{numbers}", OCTETS)).problem(404)
        assert (await edge.ask(f"{pacs.instance(1)}/frames/3", OCTETS)).get("cache-status") == DERIVED


async def test_what_cannot_be_cut_exactly_is_a_miss(tmp_path: Path) -> None:
    """Two frames, three fragments, and nothing that says which belong together."""
    pacs = Pacs(slices=1, frames=2, shape="rle")
    pacs.files[0] = (
        SHAPES["jpeg"]
        .file(
            [(0x00080018, "UI", f"{SERIES}.1"), (0x0020000D, "UI", "1.2"), (0x0020000E, "UI", SERIES)],
            [pacs.frame(1, 1), pacs.frame(1, 2)],
        )
        .replace(b"\xfe\xff\xdd\xe0", b"\xfe\xff\x00\xe0\x02\x00\x00\x00ab\xfe\xff\xdd\xe0")
    )
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        reply = await edge.ask(f"{pacs.instance(1)}/frames/2", STORED)
        await edge.kept()

        assert (reply.parts[0].body, reply.get("cache-status")) == (pacs.frame(1, 2), MISS)
        assert (await edge.ask(f"{pacs.instance(1)}/frames/2", STORED)).get("cache-status") == HIT


@pytest.mark.parametrize("shape", ["native", "deflated", "jpeg, fragments and offset table"])
async def test_ranges_validators_and_head_work_on_what_is_cut_out(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=1, frames=3, size=5000, shape=shape)
    path, frame = f"{pacs.instance(1)}/frames/2", pacs.frame(1, 2)
    accept = pacs.form.partition(";")[0] + AS_STORED
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        whole = await edge.ask(path, accept)
        etag = whole.get("etag") or ""
        assert (whole.body, whole.get("content-length"), whole.get("content-type")) == (
            frame,
            "5000",
            pacs.form,
        )
        for asked, start, stop in (("10-19", 10, 20), ("2490-2609", 2490, 2610), ("-7", 4993, 5000)):
            part = await edge.ask(path, accept, fields=[("Range", f"bytes={asked}"), ("If-Range", etag)])
            assert (part.status, part.body) == (206, frame[start:stop])
            assert part.get("content-range") == f"bytes {start}-{stop - 1}/5000"
        beyond = await edge.ask(path, accept, fields=[("Range", "bytes=5000-")])
        assert (beyond.status, beyond.get("content-range")) == (416, "bytes */5000")
        same = await edge.ask(path, accept, fields=[("If-None-Match", etag)])
        assert (same.status, same.body) == (304, b"")
        for wish in (accept, STORED):
            got, head = await edge.ask(path, wish), await edge.ask(path, wish, method="HEAD")
            names = ("etag", "content-type", "content-length", "cache-status", "accept-ranges", "vary")
            assert (head.status, head.body) == (200, b"")
            assert [head.get(name) for name in names] == [got.get(name) for name in names]
        assert pacs.asked == [pacs.instance(1)]


async def test_the_frames_of_one_instance_have_an_entity_tag_each(tmp_path: Path) -> None:
    pacs = Pacs(slices=2, frames=3, shape="native")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        paths = [f"{pacs.instance(one)}/frames/{frame}" for one in (1, 2) for frame in (1, 2, 3)]
        tags = {(await edge.ask(path, wish)).get("etag") for path in paths for wish in (ALONE, OCTETS)}
        assert len(tags) == 12
        assert pacs.asked == [pacs.series]


@pytest.mark.parametrize("running", [True, False], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", [*DAMAGE.keys() - {"swapped"}])
async def test_damage_in_an_instance_is_never_served_as_a_frame(
    tmp_path: Path, damage: str, running: bool
) -> None:
    pacs = Pacs(slices=1, frames=3, shape="native")
    path = f"{pacs.instance(1)}/frames/3"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        if running:
            DAMAGE[damage](holding(tmp_path, *pacs.files)[0])
            replies = [await edge.ask(path, OCTETS) for _ in range(2)]
            await edge.kept()
    if not running:
        DAMAGE[damage](holding(tmp_path, *pacs.files)[0])
        async with keeping(pacs, folder=tmp_path) as edge:
            replies = [await edge.ask(path, OCTETS) for _ in range(2)]
    assert [[part.body for part in reply.parts] for reply in replies] == [[pacs.frame(1, 3)]] * 2


@pytest.mark.parametrize("shape", ["native", "jpeg, fragments and offset table"])
async def test_damage_found_while_a_frame_leaves_is_mended_where_it_is(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=1, frames=2, size=3 * MIB, shape=shape)
    path = f"{pacs.instance(1)}/frames/2"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
    flip(holding(tmp_path, *pacs.files)[0], 5 * MIB + 1000)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, STORED)
        await edge.kept()
        again = await edge.ask(path, STORED)

        assert reply.parts[0].body == again.parts[0].body == pacs.frame(1, 2)
        assert again.get("cache-status") == DERIVED
        assert pacs.asked == [pacs.instance(1)] * 2


@pytest.mark.parametrize("shape", ["native", "deflated"])
async def test_damage_that_cannot_be_mended_cuts_the_frame(tmp_path: Path, shape: str) -> None:
    pacs = Pacs(slices=1, frames=2, size=3 * MIB, shape=shape)
    path = f"{pacs.instance(1)}/frames/2"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
    flip(holding(tmp_path, *pacs.files)[0], 5 * MIB + 1000)
    pacs.say[pacs.instance(1)] = lambda seen: [Scripted(503)]
    async with keeping(pacs, folder=tmp_path) as edge:
        cut = await edge.ask(path, STORED)
        assert (cut.status, cut.complete) == (200, False)
        assert pacs.frame(1, 2).startswith(cut.raw.body.partition(b"\r\n\r\n")[2])
        await edge.kept()
        reply = await edge.ask(path, STORED)
        assert (reply.parts[0].body, reply.get("cache-status")) == (pacs.frame(1, 2), MISS)


async def test_a_frame_is_read_to_its_end_from_an_instance_that_is_evicted_meanwhile(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=2, size=4 * MIB, shape="native")
    path = f"{pacs.instance(1)}/frames/2"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        async with RawClient(edge.port, receive_buffer=4096) as client:
            await client.send(request(f"/dicomweb{path}", fields=[("Accept", ALONE)]))
            head = await client.read_until(b"\r\n\r\n")
            assert DERIVED.encode() in head
            assert edge.cache is not None
            await edge.cache.purge()
            assert await client.read(4 * MIB) == pacs.frame(1, 2)
        assert (await edge.ask(path, ALONE)).get("cache-status") == MISS
