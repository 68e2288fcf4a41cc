"""A study that two archives have in parts, in copies, or both, retrieved through the whole router: every
instance once, from whoever has it, and never silently less than all."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC, XML, Edge, Reply, edge_over
from tests.scenarios.pacs import HIT, Pacs, file, instance
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, ScriptedUpstream, Stall

STUDY, SERIES = Pacs.study, Pacs.series
BOTH_WAYS = pytest.mark.parametrize("kept", [True, False], ids=["kept", "passed on"])


@asynccontextmanager
async def over(
    *archives: Pacs,
    folder: Path | None = None,
    route: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Edge]:
    """A router over north and south, with a cache in `folder` or without one."""
    upstreams = ["north", "south", "west"][: len(archives)]
    rules = [
        {
            "name": "all",
            "match": {"transaction": "retrieve"},
            "route": {"upstreams": upstreams, **(route or {})},
        }
    ]
    async with AsyncExitStack() as stack:
        scripted = [await stack.enter_async_context(ScriptedUpstream(pacs)) for pacs in archives]
        cache = folder / "cache" if folder else None
        yield await stack.enter_async_context(
            edge_over(*scripted, cache=cache, rules=rules, settings=settings)
        )


def bodies(pacs: Pacs, *numbers: int) -> list[bytes]:
    return [file(pacs.pixels(number), number) for number in numbers]


def given(reply: Reply) -> list[bytes]:
    return [part.body for part in reply.parts]


def pixels_asked(pacs: Pacs) -> list[str]:
    return [path for path in pacs.asked if path in (STUDY, SERIES) or path.startswith(f"{SERIES}/instances/")]


def told(reply: Reply) -> tuple[int, list[str]]:
    lines = reply.raw.all("warning")
    return reply.status, [line.removeprefix(f"299 {PUBLIC}: ") for line in lines]


MISSING = (206, ["Source south did not answer (error); results may be incomplete"])


@BOTH_WAYS
@pytest.mark.parametrize("path", [STUDY, SERIES])
async def test_parts_are_one_and_the_better_holder_comes_first(tmp_path: Path, path: str, kept: bool) -> None:
    north, south = Pacs(only=[3]), Pacs(only=[1, 2])
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(path, DICOM)

    assert told(reply) == (200, [])
    assert given(reply) == bodies(north, 1, 2, 3)
    locations = [part.fields.get("content-location") for part in reply.parts]
    assert locations == [f"{PUBLIC}{SERIES}/instances/{instance(number)}" for number in (1, 2, 3)] or not kept


@BOTH_WAYS
async def test_what_both_have_comes_once(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(only=[1, 2, 3]), Pacs(only=[3, 4, 5, 6])
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert given(reply) == bodies(north, 3, 4, 5, 6, 1, 2)
    assert pixels_asked(south) == [STUDY]
    singly = [north.instance(1), north.instance(2)]
    assert pixels_asked(north) == ([SERIES] if kept else singly)


@BOTH_WAYS
async def test_one_of_many_is_fetched_alone(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(only=[1, 2, 3, 4]), Pacs(only=[2, 3, 4, 5])
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        assert given(await edge.ask(STUDY, DICOM)) == bodies(north, 1, 2, 3, 4, 5)

    assert pixels_asked(south) == [south.instance(5)]


@BOTH_WAYS
async def test_of_two_copies_one_is_asked_for(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(), Pacs()
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (told(reply), given(reply)) == ((200, []), bodies(north, 1, 2, 3))
    assert (pixels_asked(north), pixels_asked(south)) == ([STUDY], [])


async def test_what_was_put_together_once_is_answered_without_the_archives(tmp_path: Path) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    async with over(north, south, folder=tmp_path) as edge:
        first = await edge.ask(STUDY, DICOM)
        await edge.kept()
        asked = len(north.asked), len(south.asked)
        again = await edge.ask(STUDY, DICOM)

    assert given(again) == given(first) == bodies(north, 1, 2, 3)
    assert again.get("cache-status") == HIT
    assert (len(north.asked), len(south.asked)) == asked


async def test_what_is_held_is_known_to_be_all_of_it_after_a_restart_too(tmp_path: Path) -> None:
    north, south = Pacs(date="20100304"), Pacs(slices=0)
    async with over(north, south, folder=tmp_path) as edge:
        await edge.ask(STUDY, DICOM)
    asked = len(north.asked), len(south.asked)
    async with over(north, south, folder=tmp_path) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (told(reply), given(reply)) == ((200, []), bodies(north, 1, 2, 3))
    assert (len(north.asked), len(south.asked)) == asked


async def test_a_study_that_one_archive_has_costs_one_question_and_after_a_search_none() -> None:
    north, south = Pacs(), Pacs(slices=0)
    async with over(north, south) as edge:
        await edge.ask(STUDY, DICOM)
        await edge.ask(STUDY, DICOM)
        assert (north.asked, south.asked) == (["/studies", STUDY, STUDY], ["/studies"])

    north, south = Pacs(), Pacs(slices=0)
    async with over(north, south) as edge:
        await edge.ask("/studies", JSON)
        north.seen.clear()
        south.seen.clear()
        await edge.ask(STUDY, DICOM)
        assert (north.asked, south.asked) == ([STUDY], [])


def failing(south: Pacs, *, lists: bool) -> None:
    """South gives nothing; it may say what it has."""
    south.say = {path: lambda seen: [Scripted(500)] for path in (STUDY, SERIES, south.instance(3))}
    if not lists:
        south.say[f"{STUDY}/instances"] = lambda seen: [Reset()]


@pytest.mark.parametrize(("kept", "lists"), [(True, True), (True, False), (False, False)])
async def test_without_one_holder_the_rest_is_206_and_a_strict_rule_refuses_it(
    tmp_path: Path, kept: bool, lists: bool
) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    failing(south, lists=lists)
    async with over(north, south, folder=tmp_path / "1" if kept else None) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (told(reply), given(reply)) == (MISSING, bodies(north, 1, 2))
    assert (reply.get("cache-control"), reply.get("etag")) == ("private, no-store", None)
    assert "next-hop=south" in (reply.get("proxy-status") or "")
    async with over(north, south, folder=tmp_path / "2" if kept else None, route={"partial": "fail"}) as edge:
        refused = await edge.ask(STUDY, DICOM)
        assert "south (error)" in refused.problem(502)
        assert refused.get("cache-status")


async def test_who_lists_and_then_does_not_give_it_is_a_cut_where_nothing_is_kept() -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    failing(south, lists=True)
    async with over(north, south) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (reply.status, reply.complete) == (200, False)


@BOTH_WAYS
async def test_an_archive_that_is_down_is_not_missed_where_all_of_its_share_is_elsewhere(
    tmp_path: Path, kept: bool
) -> None:
    north, south = Pacs(only=[1, 2, 3]), Pacs(only=[2, 3])
    north.say = {path: lambda seen: [Scripted(503)] for path in (STUDY, SERIES)}
    async with over(south, north, folder=tmp_path if kept else None) as edge:
        partly = await edge.ask(STUDY, DICOM)
    assert (partly.status, given(partly)) == (206, bodies(north, 2, 3))

    north.say, south.say = {}, {path: lambda seen: [Scripted(503)] for path in (STUDY, SERIES)}
    async with over(south, north, folder=tmp_path / "other" if kept else None) as edge:
        whole = await edge.ask(STUDY, DICOM)
    assert (told(whole), given(whole)) == ((200, []), bodies(north, 1, 2, 3))


@BOTH_WAYS
async def test_who_says_nothing_is_waited_for_a_while_and_named(
    tmp_path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.transactions.holders.PATIENCE", 0.05)
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    south.say["/studies"] = lambda seen: [Stall()]
    async with over(north, south, folder=tmp_path if kept else None) as edge, asyncio.timeout(8):
        reply = await edge.ask(STUDY, DICOM)

    assert given(reply) == bodies(north, 1, 2)
    assert told(reply) == (206, ["Source south did not answer (timeout); results may be incomplete"])


async def test_with_a_known_holder_nobody_else_is_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.transactions.holders.PATIENCE", 0.05)
    north, south = Pacs(), Pacs(only=[4])
    south.say["/studies"] = lambda seen: [Scripted(500)]
    async with over(north, south) as edge, asyncio.timeout(8):
        await edge.ask("/studies", JSON)
        south.say["/studies"] = lambda seen: [Stall()]
        reply = await edge.ask(STUDY, DICOM)

    assert given(reply) == bodies(north, 1, 2, 3)
    assert told(reply) == (206, ["Source south did not answer (timeout); results may be incomplete"])


@BOTH_WAYS
async def test_what_was_deleted_meanwhile_is_not_missing(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    south.say = {path: lambda seen: [Scripted(404)] for path in (STUDY, SERIES, south.instance(3))}
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (
        (told(reply), given(reply)) == ((200, []), bodies(north, 1, 2)) if kept else reply.complete is False
    )


@BOTH_WAYS
async def test_a_share_that_breaks_off_is_a_cut(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3], framing="chunked")
    south.cut(STUDY, Reset(), at=2000)
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(STUDY, DICOM)

    assert (reply.status, reply.complete) == (200, False)


@BOTH_WAYS
async def test_an_instance_that_was_listed_and_does_not_come_is_a_cut(tmp_path: Path, kept: bool) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    south.say[f"{STUDY}/instances"] = lambda seen: south.json(
        f"{STUDY}/instances", [south.row(3), south.row(4)]
    )
    south.say[STUDY] = lambda seen: south.parts(
        STUDY, [([("Content-Type", "application/dicom")], south.files[0])]
    )
    north.only = [1, 2, 5]
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        reply = await edge.ask(f"{STUDY}/metadata", JSON)

    assert reply.complete is False


@BOTH_WAYS
@pytest.mark.parametrize("path", [STUDY, SERIES])
async def test_metadata_is_listed_from_all_holders(tmp_path: Path, path: str, kept: bool) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[2, 3])
    async with over(north, south, folder=tmp_path if kept else None) as edge:
        first = await edge.ask(f"{path}/metadata", JSON)
        again = await edge.ask(f"{path}/metadata", JSON, fields=[("Accept-Encoding", "gzip")])

    for reply in (first, again):
        assert (told(reply), reply.get("content-type")) == ((200, []), JSON)
        assert [row["00080018"]["Value"][0] for row in reply.json] == [
            instance(number) for number in (1, 2, 3)
        ]
        links = [row["7FE00010"]["BulkDataURI"] for row in reply.json]
        assert links == [f"{PUBLIC}{north.instance(number)}/bulk/7fe00010" for number in (1, 2, 3)]
    assert again.get("content-encoding") == "gzip"


async def test_metadata_in_xml_and_a_zip_archive_are_of_all_holders_where_they_are_made_here(
    tmp_path: Path,
) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[2, 3])
    async with over(north, south, folder=tmp_path) as edge:
        documents = await edge.ask(f"{STUDY}/metadata", XML)
        archive = await edge.ask(STUDY, "application/zip")

    assert [
        instance(number).encode() in part.body
        for part, number in zip(documents.parts, (1, 2, 3), strict=True)
    ]
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        files = [opened.read(name) for name in opened.namelist()]
    assert (archive.status, files) == (200, bodies(north, 1, 2, 3))


async def test_a_zip_archive_that_the_archives_make_is_said_to_be_of_one() -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    north.say[STUDY] = lambda seen: [Scripted(body=b"PK..", fields=[("Content-Type", "application/zip")])]
    async with over(north, south) as edge:
        reply = await edge.ask(STUDY, "application/zip")

    assert (told(reply), reply.body) == (MISSING, b"PK..")


async def test_an_instance_is_asked_of_who_lists_it(tmp_path: Path) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    async with over(north, south, folder=tmp_path) as edge:
        await edge.ask(f"{STUDY}/metadata", JSON)
        frame = await edge.ask(f"{south.instance(3)}/frames/1", OCTETS)
        file = await edge.ask(south.instance(3), DICOM)

    assert (frame.status, given(file)) == (200, bodies(south, 3))
    assert not [path for path in north.asked if path.startswith(south.instance(3))]


async def test_head_says_what_get_would_and_asks_for_no_pixels(tmp_path: Path) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    async with over(north, south, folder=tmp_path) as edge:
        reply = await edge.ask(STUDY, DICOM, method="HEAD")

    assert (reply.status, reply.body) == (200, b"")
    assert (reply.get("content-type") or "").startswith(DICOM)
    assert (pixels_asked(north), pixels_asked(south)) == ([], [])


async def test_the_archives_may_be_gone_once_all_is_held(tmp_path: Path) -> None:
    north, south = Pacs(only=[1, 2]), Pacs(only=[3])
    async with over(north, south, folder=tmp_path) as edge:
        first = await edge.ask(STUDY, DICOM)
        await edge.kept()
    for pacs in (north, south):
        pacs.say = {
            path: lambda seen: [Reset()] for path in ("/studies", STUDY, SERIES, f"{STUDY}/instances")
        }
    async with over(north, south, folder=tmp_path) as edge:
        cached = await edge.ask(STUDY, DICOM, fields=[("Cache-Control", "only-if-cached")])
        reply = await edge.ask(STUDY, DICOM)

    assert given(cached) == given(reply) == given(first)
    assert (told(cached), told(reply)) == ((200, []), (200, []))


async def test_a_client_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    north, south = Pacs(only=[1, 2], size=200_000), Pacs(only=[3], size=200_000)
    async with over(north, south, folder=tmp_path) as edge, RawClient(edge.port) as client:
        await client.send(request(f"/dicomweb{STUDY}", fields=[("Accept", DICOM)]))
        await client.read_until(b"\r\n\r\n")
        client.close()
