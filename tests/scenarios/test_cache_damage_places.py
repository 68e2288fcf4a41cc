"""Damage wherever it can be: in any segment, in every file, to what the directory consists of, before a start
and under a running router. Misses or a rebuild, never a wrong byte, never an error of the client's.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, Reply
from tests.scenarios.pacs import HIT, Pacs, keeping

MIB = 1 << 20
SIZE = 3 * MIB + 1000  # four segments, the last a short one
SEGMENTS = {"first": 700, "middle": MIB + 5, "last byte": -1}
Wishes = list[tuple[str, str]]


def flip(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        [byte] = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def wishes(pacs: Pacs) -> Wishes:
    """Something of every kind that is kept."""
    return [
        (pacs.study, DICOM),
        (pacs.instance(2), DICOM),
        (f"{pacs.instance(1)}/frames/2,1", OCTETS),
        (f"{pacs.instance(1)}/rendered", "image/jpeg"),
        (f"{pacs.instance(1)}/bulk/7fe00010", OCTETS),
        (f"{pacs.study}/metadata", JSON),
    ]


def said(reply: Reply) -> object:
    """What an answer says, whatever its boundary."""
    multipart = (reply.get("content-type") or "").startswith("multipart")
    return [part.body for part in reply.parts] if multipart else reply.body


async def everything(edge: Edge, pacs: Pacs) -> dict[str, object]:
    """Every answer, each of which must be a good one."""
    answers = {}
    for path, accept in wishes(pacs):
        reply = await edge.ask(path, accept)
        assert (reply.status, reply.complete) == (200, True)
        answers[path] = said(reply)
        await edge.kept()
    return answers


@pytest.mark.parametrize("when", ["restarted", "open"])
@pytest.mark.parametrize("where", SEGMENTS)
@pytest.mark.parametrize(
    "path", ["{series}", "{instance}", "{instance}/frames/1", "{instance}/bulk/7fe00010"]
)
async def test_a_flipped_byte_is_mended_or_a_cut_wherever_it_is(
    tmp_path: Path, path: str, where: str, when: str
) -> None:
    """`open`: the unit was read to its end, so that its file is open and every segment known as good."""
    pacs = Pacs(slices=1, frames=1, size=SIZE)
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    accept = OCTETS if "/frames/" in path or "/bulk/" in path else DICOM

    async def damaged(edge: Edge) -> None:
        replies = [await edge.ask(path, accept) for _ in range(2)]
        await edge.kept()
        replies.append(await edge.ask(path, accept))
        for reply in replies:
            assert reply.status == 200
            if reply.complete:
                assert said(reply) == said(whole)
        assert replies[-1].complete
        assert replies[-1].get("cache-status") == HIT

    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await edge.ask(path, accept)
        await edge.kept()
        assert said(await edge.ask(path, accept)) == said(whole)
        [file] = (tmp_path / "cache" / "units").rglob("*.val")
        flip(file, SEGMENTS[where])
        if when == "open":
            await damaged(edge)
    if when == "restarted":
        async with keeping(pacs, folder=tmp_path) as edge:
            await damaged(edge)


def empty_all(folder: Path) -> None:
    """What a power cut does to files whose rows were written down before their bytes."""
    for file in (folder / "units").rglob("*.val"):
        os.truncate(file, 0)


def garble_all(folder: Path) -> None:
    for file in (folder / "units").rglob("*.val"):
        file.write_bytes(random.Random(1).randbytes(file.stat().st_size))


def rotate_all(folder: Path) -> None:
    """Every file in another's place."""
    files = list((folder / "units").rglob("*.val"))
    contents = [file.read_bytes() for file in files]
    for file, data in zip(files, contents[1:] + contents[:1], strict=True):
        file.write_bytes(data)


def litter(folder: Path) -> None:
    """Things that are not ours, and what a crash leaves."""
    (folder / "secret.new").write_bytes(b"half")
    (folder / "parts" / "00").write_bytes(b"half a part")
    (folder / "units" / "00" / "00").mkdir(parents=True, exist_ok=True)
    (folder / "units" / "00" / "00" / ("0" * 28 + ".val")).write_bytes(b"nobody's")
    (folder / "units" / "strange").symlink_to("/")


def remove(*names: str) -> Callable[[Path], object]:
    def removing(folder: Path) -> None:
        for name in names:
            for path in folder.glob(name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return removing


def overwrite(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "all empty": empty_all,
    "all garbage": garble_all,
    "all swapped": rotate_all,
    "litter": litter,
    "no secret": remove("secret"),
    "short secret": overwrite("secret", b"short"),
    "no lock": remove("lock"),
    "no parts": remove("parts"),
    "no catalog": remove("catalog.db*"),
    "no diskcache": remove("units/cache.db*"),
    "no databases": remove("catalog.db*", "units/cache.db*"),
    "no files": remove("units/??"),
    "no units at all": remove("units"),
    "nothing": remove("*"),
    "empty catalog": overwrite("catalog.db", b""),
    "empty diskcache": overwrite("units/cache.db", b""),
    "catalog of zeros": overwrite("catalog.db", b"\0" * 40960),
    "garbage in the log": overwrite("catalog.db-wal", b"garbage" * 1000),
    "garbage in diskcache's log": overwrite("units/cache.db-wal", b"garbage" * 1000),
    "diskcache in the catalog's place": lambda folder: (
        shutil.copy(folder / "units" / "cache.db", folder / "catalog.db") and None
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_after_a_restart_damage_costs_nothing_but_time(tmp_path: Path, damage: str) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await everything(edge, pacs)
    DAMAGE[damage](tmp_path / "cache")
    for _ in range(2):
        async with keeping(pacs, folder=tmp_path) as edge:
            assert await everything(edge, pacs) == whole
            mark = len(pacs.asked)
            assert await everything(edge, pacs) == whole
            assert pacs.asked[mark:] == [], "the second time all is held again"


RUNNING = [name for name in DAMAGE if "log" not in name and "diskcache in" not in name]


@pytest.mark.parametrize("damage", RUNNING)
async def test_under_a_running_router_damage_costs_nothing_but_time(tmp_path: Path, damage: str) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await everything(edge, pacs)
        DAMAGE[damage](tmp_path / "cache")
        for _ in range(3):
            assert await everything(edge, pacs) == whole
    async with keeping(pacs, folder=tmp_path) as edge:
        assert await everything(edge, pacs) == whole


async def test_a_new_secret_makes_new_links_and_old_ones_a_clear_error(tmp_path: Path) -> None:
    """Links outside the study tree are signed with it: forgery must not work, a lost secret must be told."""
    pacs = Pacs(slices=1)
    outside = "http://pacs.internal:8042/dw/elsewhere/7"
    pacs.say[f"{pacs.instance(1)}/metadata"] = lambda seen: pacs.json(
        "", [{"7FE00010": {"vr": "OW", "BulkDataURI": outside}}]
    )

    async def link(edge: Edge) -> str:
        [row] = (
            await edge.ask(f"{pacs.instance(1)}/metadata", JSON, fields=[("Cache-Control", "no-cache")])
        ).json
        return "/bulkdata/" + str(row["7FE00010"]["BulkDataURI"]).rpartition("/bulkdata/")[2]

    async with keeping(pacs, folder=tmp_path) as edge:
        old = await link(edge)
    (tmp_path / "cache" / "secret").unlink()
    async with keeping(pacs, folder=tmp_path) as edge:
        assert await link(edge) != old
        mark = len(pacs.asked)
        assert (await edge.ask(old, OCTETS)).status == 404
        assert pacs.asked[mark:] == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be made in a directory or removed from it; root is not held by modes, but by attributes."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    root = os.geteuid() == 0
    try:
        if root:
            subprocess.run(["chattr", "+i", *folders], check=True, capture_output=True)
        else:
            for each in folders:
                each.chmod(0o500)
        yield
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this file system has no immutable directories, and root ignores modes: {error}")
    finally:
        if root:
            subprocess.run(["chattr", "-i", *folders], check=False, capture_output=True)
        else:
            for each in folders:
                each.chmod(0o700)


async def test_a_directory_that_becomes_read_only_serves_on(tmp_path: Path) -> None:
    """What is held is a hit, what is not passes through; afterwards it is kept again."""
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        held = await edge.ask(pacs.instance(2), DICOM)
        await edge.kept()
        with read_only(tmp_path / "cache"):
            assert said(await edge.ask(pacs.instance(2), DICOM)) == said(held)
            whole = await everything(edge, pacs)
            assert await everything(edge, pacs) == whole
    async with keeping(pacs, folder=tmp_path) as edge:
        assert await everything(edge, pacs) == whole
        assert (await edge.ask(pacs.study, DICOM)).get("cache-status") == HIT
