"""An archive that breaks off: clients see a cut, nothing of the broken unit is kept, what was whole before it
is, and the next request asks again for what is missing."""

import asyncio
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, OCTETS, Edge, multipart, related
from tests.scenarios.pacs import HIT, MISS, Pacs, keeping
from tests.support.scripted import Close, Reset, Seen, Stall, Step
from tests.support.scripted import Reply as Scripted

HOW = {"rst": Reset(), "fin": Close(), "stall": Stall()}


async def is_cut(edge: Edge, path: str, accept: str) -> bool:
    """Whether the answer is visibly none."""
    reply = await edge.ask(path, accept)
    await edge.kept()
    return not reply.complete or reply.status in (502, 504)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_of_a_broken_series_the_whole_instances_are_kept(
    tmp_path: Path, framing: str, how: str
) -> None:
    pacs = Pacs(framing=framing, size=3000)
    pacs.cut(pacs.series, HOW[how], at=len(pacs.files[0]) + len(pacs.files[1]) + 2000)
    async with keeping(pacs, folder=tmp_path, settings=IMPATIENT) as edge:
        assert await is_cut(edge, pacs.series, DICOM)
        held = [(await edge.ask(pacs.instance(number), DICOM)).get("cache-status") for number in (1, 2, 3)]
        assert held == [HIT, HIT, MISS]
        again = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in again.parts] == pacs.files
        assert pacs.asked == [pacs.series, pacs.instance(3), f"{pacs.series}/instances"]


NAMES = ("instance", "frame", "metadata", "rendered", "value")
# Nothing tells such an end of a lone body from a whole one: it is passed on close-delimited, and never kept.
UNPROVEN = ("rendered", "close", "fin")
BREAKS = [one for one in product(NAMES, ("length", "chunked", "close"), HOW) if one != UNPROVEN]


@pytest.mark.parametrize(("name", "framing", "how"), BREAKS)
async def test_of_a_broken_thing_nothing_is_kept(tmp_path: Path, name: str, framing: str, how: str) -> None:
    pacs = Pacs(framing=framing)
    path, accept = {
        "instance": (pacs.instance(1), DICOM),
        "frame": (f"{pacs.instance(1)}/frames/1", OCTETS),
        "metadata": (f"{pacs.series}/metadata", JSON),
        "rendered": (f"{pacs.instance(1)}/rendered", "image/jpeg"),
        "value": (f"{pacs.instance(1)}/bulk/7fe00010", OCTETS),
    }[name]
    pacs.cut(path, HOW[how], at=700)
    async with keeping(pacs, folder=tmp_path, settings=IMPATIENT) as edge:
        assert await is_cut(edge, path, accept)
        assert edge.cache is not None
        assert (await edge.cache.stats()).units == 0
        again = await edge.ask(path, accept)
        assert (again.status, again.complete) == (200, True)
        assert pacs.asked == [path, path]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("name", ["series", "instance", "frames", "value"])
async def test_a_missing_closing_boundary_is_a_cut(tmp_path: Path, name: str, framing: str) -> None:
    """The connection ends cleanly, and says nothing."""
    pacs = Pacs(listed=False)
    path, accept, parts = {
        "series": (pacs.series, DICOM, pacs.files),
        "instance": (pacs.instance(1), DICOM, pacs.files[:1]),
        "frames": (f"{pacs.instance(1)}/frames/1,2", OCTETS, [pacs.frame(1, 1), pacs.frame(1, 2)]),
        "value": (f"{pacs.instance(1)}/bulk/7fe00010", OCTETS, [pacs.pixels(1)]),
    }[name]
    body = multipart(*(([], part) for part in parts), closing=False)
    root = accept.partition('"')[2].rstrip('"')
    ending: list[Step] = [Close()] if framing == "close" else []
    pacs.say[path] = lambda seen: [Scripted(body=body, fields=[related(root)], framing=framing), *ending]
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            assert await is_cut(edge, path, accept)
            assert pacs.asked.count(path) == asked
        del pacs.say[path]
        assert (await edge.ask(path, accept)).complete


@pytest.mark.parametrize("said", [-1, 1])
async def test_a_part_that_is_not_as_long_as_it_says_is_a_cut(tmp_path: Path, said: int) -> None:
    pacs = Pacs()
    first = ([("Content-Type", "application/dicom")], pacs.files[0])
    wrong = (
        [("Content-Type", "application/dicom"), ("Content-Length", str(len(pacs.files[1]) + said))],
        pacs.files[1],
    )
    pacs.say[pacs.series] = lambda seen: pacs.parts(pacs.series, [first, wrong])
    async with keeping(pacs, folder=tmp_path) as edge:
        assert await is_cut(edge, pacs.series, DICOM)
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert (await edge.ask(pacs.instance(2), DICOM)).get("cache-status") == MISS


async def test_metadata_that_breaks_off_keeps_its_rows_and_proves_no_list(tmp_path: Path) -> None:
    pacs = Pacs(slices=50)
    pacs.cut(f"{pacs.series}/metadata", Reset(), at=5000)
    async with keeping(pacs, folder=tmp_path) as edge:
        assert await is_cut(edge, f"{pacs.series}/metadata", JSON)
        again = await edge.ask(f"{pacs.series}/metadata", JSON)
        assert (len(again.json), again.get("cache-status")) == (50, MISS)


async def test_everybody_who_follows_sees_the_cut(tmp_path: Path) -> None:
    pacs = Pacs(size=100_000)

    def cut(seen: Seen) -> Iterable[Step]:
        pacs.cut(pacs.series, Reset(), at=700_000)
        return pacs.answer(pacs.series)

    pacs.say[pacs.series] = cut  # who comes too late to follow is cut likewise
    async with keeping(pacs, folder=tmp_path) as edge:
        replies = await asyncio.gather(*(edge.ask(pacs.series, DICOM) for _ in range(10)))

        assert not any(reply.complete for reply in replies)
        assert {reply.status for reply in replies} == {200}


async def test_an_end_that_nothing_proves_is_passed_on_as_such(tmp_path: Path) -> None:
    pacs = Pacs(framing="close")
    path = f"{pacs.instance(1)}/rendered"
    pacs.cut(path, Close(), at=700)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, "image/jpeg")
        assert (reply.raw.framing, len(reply.body)) == ("close", 700)
        again = await edge.ask(path, "image/jpeg")
        assert again.body == pacs.frame(1, 99)
        assert pacs.asked == [path, path]
