"""One bit of a database is not what it was, which SQLite does not notice: never another thing's bytes."""

import os
import random
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Reply
from tests.scenarios.pacs import Pacs, instance, keeping

FLIPS = 400 if os.environ.get("EDGEROUTER_FULL") == "1" else 40


def rename(file: Path, old: bytes, new: bytes) -> int:
    """Put another name of the same length wherever a database has one; how often that was."""
    data = file.read_bytes()
    file.write_bytes(data.replace(old, new))
    return data.count(old)


async def test_a_frame_whose_number_flipped_is_not_served_as_the_other(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(f"{pacs.instance(1)}/frames/3", OCTETS)
        await edge.kept()
    assert rename(tmp_path / "cache" / "units/cache.db", b"frame\x1f3", b"frame\x1f2") >= 1
    rename(tmp_path / "cache" / "catalog.db", b"frame3", b"frame2")
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(f"{pacs.instance(1)}/frames/2", OCTETS)
        assert [part.body for part in reply.parts] == [pacs.frame(1, 2)]


async def test_metadata_whose_instance_flipped_is_not_served_as_the_others(tmp_path: Path) -> None:
    pacs = Pacs(slices=2)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(f"{pacs.instance(1)}/metadata", JSON)
        await edge.kept()
    assert rename(tmp_path / "cache" / "catalog.db", instance(1).encode(), instance(2).encode()) >= 1
    async with keeping(pacs, folder=tmp_path) as edge:
        [row] = (await edge.ask(f"{pacs.instance(2)}/metadata", JSON)).json
        assert row["00080018"]["Value"] == [instance(2)]


def said(reply: Reply) -> object:
    multipart = (reply.get("content-type") or "").startswith("multipart")
    return [part.body for part in reply.parts] if multipart else reply.body


@pytest.mark.timeout(400)
@pytest.mark.parametrize("file", ["units/cache.db", "catalog.db"])
async def test_any_flipped_bit_is_a_miss_or_nothing(tmp_path: Path, file: str) -> None:
    """One after the other over the whole file, in a fixed order that chance made."""
    chance = random.Random(5)
    pacs = Pacs(slices=3, frames=2)
    wishes = [
        (pacs.study, DICOM),
        (f"{pacs.series}/metadata", JSON),
        (f"{pacs.instance(2)}/frames/2,1", OCTETS),
        (f"{pacs.instance(1)}/rendered", "image/jpeg"),
    ]
    async with keeping(pacs, folder=tmp_path) as edge:
        wholes = {path: said(await edge.ask(path, accept)) for path, accept in wishes}
        await edge.kept()
    for _ in range(FLIPS):
        database = tmp_path / "cache" / file
        data = bytearray(database.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        database.write_bytes(data)
        async with keeping(pacs, folder=tmp_path) as edge:
            for path, accept in wishes:
                reply = await edge.ask(path, accept)
                assert (reply.status, reply.complete) == (200, True)
                assert said(reply) == wholes[path]
            await edge.kept()
