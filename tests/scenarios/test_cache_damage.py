"""Damaged files under a running router: misses, mended answers or visible cuts, never a wrong byte."""

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, Reply
from tests.scenarios.pacs import HIT, MISS, Pacs, keeping
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted

MIB = 1 << 20


def holding(folder: Path, *units: bytes) -> list[Path]:
    """The files that hold these units."""
    files = {path.read_bytes(): path for path in (folder / "cache" / "units").rglob("*.val")}
    return [files[unit] for unit in units]


def flip(path: Path, at: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def swap(path: Path) -> None:
    """Another unit's bytes in its place, and its own in the other's."""
    other = next(one for one in path.parents[2].rglob("*.val") if one != path)
    data = other.read_bytes()
    other.write_bytes(path.read_bytes())
    path.write_bytes(data)


def link(path: Path) -> None:
    copy = path.parents[3] / "elsewhere"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": lambda path: flip(path, 700),
    "cut": lambda path: os.truncate(path, 500),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "gone": lambda path: path.unlink(),
    "swapped": swap,
    "linked": link,
}


@pytest.mark.parametrize("running", [True, False], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["series", "instance", "frames"])
async def test_damage_is_never_served(tmp_path: Path, name: str, damage: str, running: bool) -> None:
    pacs = Pacs(slices=4)
    path, accept, units = {
        "series": (pacs.series, DICOM, pacs.files[:2]),
        "instance": (pacs.instance(1), DICOM, pacs.files[:2]),
        "frames": (f"{pacs.instance(1)}/frames/1,2,3,4", OCTETS, [pacs.frame(1, 1), pacs.frame(1, 2)]),
    }[name]
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(path, accept)
        if name == "instance":
            await edge.ask(pacs.instance(2), accept)
        await edge.kept()
        if running:
            spoil(tmp_path, damage, units)
            replies = [await asked(edge, path, accept) for _ in range(3)]
    if not running:
        spoil(tmp_path, damage, units)
        async with keeping(pacs, folder=tmp_path) as edge:
            replies = [await asked(edge, path, accept) for _ in range(3)]
    assert {reply.status for reply in replies} == {200}
    assert {reply.body for reply in replies} == {whole.body}
    assert replies[-1].get("cache-status") == HIT


def spoil(folder: Path, damage: str, units: Sequence[bytes]) -> None:
    for file in holding(folder, *units)[: 1 if damage == "swapped" else None]:
        DAMAGE[damage](file)


async def asked(edge: Edge, path: str, accept: str) -> Reply:
    reply = await edge.ask(path, accept)
    await edge.kept()
    return reply


async def test_a_damaged_part_is_fetched_alone_while_the_rest_comes_from_disk(tmp_path: Path) -> None:
    pacs = Pacs(slices=5)
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        flip(holding(tmp_path, pacs.files[2])[0], 1000)
        mended = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        again = await edge.ask(pacs.series, DICOM)

        assert mended.body == again.body == whole.body
        assert mended.complete
        assert pacs.asked[1] == pacs.instance(3)
        assert edge.cache is not None
        assert edge.cache.counts.damaged == 1


async def test_a_part_that_is_not_what_it_was_cuts_the_answer(tmp_path: Path) -> None:
    """The entity tag and the length that were sent are those of what was held."""
    pacs = Pacs(slices=3)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        flip(holding(tmp_path, pacs.files[1])[0], 1000)
        pacs.size = 1010
        del pacs.files
        changed = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert (changed.status, changed.complete) == (200, False)


async def test_an_instance_is_never_made_of_two_versions(tmp_path: Path) -> None:
    """Half of it has left when the damage is found, and the archive has changed its header since."""
    pacs = Pacs(slices=1, frames=1, size=3 * MIB)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
    flip(holding(tmp_path, pacs.files[0])[0], 2 * MIB + 5)
    pacs.date = "20100305"
    del pacs.files
    async with keeping(pacs, folder=tmp_path) as edge:
        changed = await edge.ask(pacs.series, DICOM)
        assert (changed.status, changed.complete) == (200, False)
        assert len(changed.raw.body) < 3 * MIB


async def test_a_damaged_part_that_cannot_be_fetched_cuts_the_answer(tmp_path: Path) -> None:
    pacs = Pacs(slices=3)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        flip(holding(tmp_path, pacs.files[1])[0], 1000)
        for number in (1, 2, 3):
            pacs.say[pacs.instance(number)] = lambda seen: [Scripted(503)]
        assert not (await edge.ask(pacs.series, DICOM)).complete


@pytest.mark.parametrize("path", ["{instance}", "{instance}/frames/1", "{instance}/bulk/7fe00010"])
async def test_damage_deep_in_a_large_unit_is_mended_where_it_is(tmp_path: Path, path: str) -> None:
    """Its first MiB has left before the damage is found."""
    pacs = Pacs(slices=1, frames=1, size=3 * MIB)
    path = path.format(instance=pacs.instance(1))
    accept = "application/dicom" if path == pacs.instance(1) else "application/octet-stream"
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(path, accept)
        await edge.kept()
    [file] = (tmp_path / "cache" / "units").rglob("*.val")
    flip(file, 2 * MIB + 5)
    async with keeping(pacs, folder=tmp_path) as edge:
        mended = await edge.ask(path, accept)
        await edge.kept()

        assert mended.body == whole.body
        assert mended.get("cache-status") == HIT
        assert len(pacs.seen) == 2
        part = await edge.ask(path, accept, fields=[("Range", f"bytes={2 * MIB}-{2 * MIB + 9}")])
        assert part.body == whole.body[2 * MIB : 2 * MIB + 10]
        assert len(pacs.seen) == 2


async def test_a_study_that_is_evicted_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    pacs = Pacs(slices=6, size=300_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        async with RawClient(edge.port, receive_buffer=4096) as client:
            await client.send(request(f"/dicomweb{pacs.series}", fields=[("Accept", DICOM)]))
            head = await client.read_until(b"\r\n\r\n")
            assert b"edgerouter; hit" in head
            assert edge.cache is not None
            await edge.cache.purge()
            assert await client.read(len(whole.body)) == whole.body
        await edge.cache.purge()
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == MISS


@pytest.mark.parametrize("file", ["catalog.db", "units/cache.db"])
async def test_a_database_that_is_garbage_after_a_restart_costs_nothing_but_time(
    tmp_path: Path, file: str
) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(pacs.series, DICOM)
        await edge.kept()
    (tmp_path / "cache" / file).write_bytes(random.Random(1).randbytes(50_000))
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()
            assert (reply.status, reply.body) == (200, whole.body)
        assert reply.get("cache-status") == HIT


async def test_a_database_that_becomes_garbage_under_us_costs_nothing_but_time(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        wholes = {
            path: await edge.ask(path, accept)
            for path, accept in ((pacs.series, DICOM), (f"{pacs.series}/metadata", JSON))
        }
        await edge.kept()
        for file in (tmp_path / "cache").rglob("*.db*"):
            file.write_bytes(b"\0" * file.stat().st_size)
        for path, whole in wholes.items():
            for _ in range(2):
                reply = await edge.ask(path, JSON if path.endswith("metadata") else DICOM)
                await edge.kept()
                assert (reply.status, reply.complete, reply.body) == (200, True, whole.body)


async def test_an_emptied_directory_is_made_again(tmp_path: Path) -> None:
    """F57: somebody clears it while we run."""
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for file in sorted((tmp_path / "cache").rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        for _ in range(3):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()
            assert (reply.status, reply.complete, reply.body) == (200, True, whole.body)
