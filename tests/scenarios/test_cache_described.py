"""Metadata made of held instances, where the archive's own says what its instances do (dicomweb §4.4)."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from edgerouter.cache.unit import CHANGED
from edgerouter.transactions import describing
from tests.dicom.build import part10
from tests.scenarios.edge import DICOM, JSON, PUBLIC, XML
from tests.scenarios.pacs import DERIVED, HIT, MISS, Pacs, keeping
from tests.scenarios.pictures import data_set, holding, pictured
from tests.scenarios.retrieves import instances

DERIVES = {"derive_metadata": "yes"}


def told(file: bytes) -> pydicom.Dataset:
    """The data set of a file by pydicom, less its pixels."""
    found = pydicom.dcmread(io.BytesIO(file))
    del found.PixelData
    return pydicom.Dataset(found)


def read(row: dict[str, Any]) -> pydicom.Dataset:
    """A metadata row by pydicom, less its pixels."""
    return pydicom.Dataset.from_json({tag: value for tag, value in row.items() if tag != "7FE00010"})


@pytest.mark.parametrize("accept", [JSON, XML])
@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_what_is_held_is_described_and_nobody_is_asked(tmp_path: Path, level: str, accept: str) -> None:
    pacs = pictured(Pacs())
    place = {"study": pacs.study, "series": pacs.series, "instance": pacs.instance(1)}[level]
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.study, DICOM)
        await edge.kept()
        reply = await edge.ask(f"{place}/metadata", accept)
        rows = await edge.ask(f"{place}/metadata", JSON)

        assert reply.get("cache-status") == rows.get("cache-status") == DERIVED
        count = 1 if level == "instance" else 3
        assert [read(row) for row in rows.json] == [told(file) for file in pacs.files[:count]]
        assert len(rows.json if accept == JSON else reply.parts) == count
        assert rows.json[0]["7FE00010"]["BulkDataURI"] == f"{PUBLIC}{pacs.instance(1)}/dataset/7FE00010"
        assert pacs.asked == [pacs.study]


@pytest.mark.parametrize(
    ("settings", "derives"),
    [
        ({}, False),
        ({"profile": "orthanc"}, True),
        ({"profile": "orthanc", "derive_metadata": "no"}, False),
        ({"derive_metadata": "yes"}, True),
    ],
)
async def test_the_profile_says_whether_and_the_configuration_has_the_last_word(
    tmp_path: Path, settings: dict[str, str], derives: bool
) -> None:
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path, settings=settings) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(f"{pacs.series}/metadata", JSON)

        assert reply.get("cache-status") == (DERIVED if derives else MISS)
        assert len(pacs.seen) == (1 if derives else 2)


async def test_the_archives_own_rows_take_the_place_of_ours(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=2))
    path = f"{pacs.series}/metadata"
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        ours = await edge.ask(path, JSON)
        theirs = await edge.ask(path, JSON, fields=[("Cache-Control", "no-cache")])
        await edge.kept()
        after = await edge.ask(path, JSON)
        files = await edge.ask(pacs.series, DICOM)

        assert "00100010" in ours.json[0]
        assert "00100010" not in theirs.json[0]
        assert (after.body, after.get("cache-status")) == (theirs.body, HIT)
        assert after.get("etag") != ours.get("etag")
        assert files.get("cache-status") == HIT, "what the archive says in its own words is no change"


async def test_another_file_is_another_description(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.series}/metadata"
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        before = await edge.ask(path, JSON)
        holding(pacs, pacs.files[0].replace(b"Doe^Jane", b"Roe^Jane"))
        await edge.ask(pacs.instance(1), DICOM, fields=[("Cache-Control", "no-cache")])
        await edge.kept()
        after = await edge.ask(path, JSON)

        assert [reply.get("cache-status") for reply in (before, after)] == [DERIVED, DERIVED]
        assert before.json[0]["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
        assert after.json[0]["00100010"]["Value"] == [{"Alphabetic": "Roe^Jane"}]


async def test_what_was_made_of_a_header_that_is_known_to_be_wrong_is_not_served(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.series}/metadata"
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert (await edge.ask(path, JSON)).get("cache-status") == DERIVED
        assert edge.cache is not None
        await edge.cache.catalog.date_headers([held.key for held in await instances(edge)], CHANGED)
        reply = await edge.ask(path, JSON)

        assert reply.get("cache-status") == MISS
        assert pacs.asked == [pacs.series, path]


async def test_only_what_the_archive_did_not_say_is_made(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=2))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(f"{pacs.instance(2)}/metadata", JSON)
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        first, second = (await edge.ask(f"{pacs.series}/metadata", JSON)).json

        assert ("00100010" in first, "00100010" in second) == (True, False)
        assert len(pacs.seen) == 2


async def test_more_rows_than_can_be_made_in_good_time_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "_MOST", 1)
    pacs = pictured(Pacs(slices=2))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        both = await edge.ask(f"{pacs.series}/metadata", JSON)
        assert both.get("cache-status") == MISS
        assert pacs.asked == [pacs.series, f"{pacs.series}/metadata"]


async def test_rows_are_written_down_in_handfuls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "_BATCH", 2)
    pacs = pictured(Pacs(slices=5))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        async with asyncio.TaskGroup() as group:
            asks = [group.create_task(edge.ask(f"{pacs.series}/metadata", JSON)) for _ in range(5)]

        assert {ask.result().get("cache-status") for ask in asks} == {DERIVED}
        assert [read(row) for row in asks[0].result().json] == [told(file) for file in pacs.files]
        assert pacs.asked == [pacs.series]


async def test_a_row_that_is_too_large_to_be_kept_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "MAX_KEPT", 100)
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert (await edge.ask(f"{pacs.series}/metadata", JSON)).get("cache-status") == MISS


async def test_what_is_not_all_held_is_asked_for(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=2))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        series = await edge.ask(f"{pacs.series}/metadata", JSON)
        other = await edge.ask(f"{pacs.instance(2)}/metadata", JSON)

        assert len(series.json) == 2
        assert series.get("cache-status") == MISS
        assert other.get("cache-status") == HIT


@pytest.mark.parametrize("what", ["cannot be read", "is gone"])
async def test_an_instance_that_cannot_be_described_is_asked_about(tmp_path: Path, what: str) -> None:
    broken = part10(data_set(1)) + b"\x30\x00\x10\x00LO\xff\x00cut"
    pacs = holding(Pacs(slices=1), broken)
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        if what == "is gone":
            for file in (tmp_path / "cache" / "units").rglob("*"):
                if file.is_file() and file.stat().st_size == len(broken):
                    file.unlink()
        reply = await edge.ask(f"{pacs.series}/metadata", JSON)
        value = await edge.ask(f"{pacs.instance(1)}/dataset/7FE00010", "application/octet-stream")

        assert (reply.json, reply.get("cache-status")) == (
            [json.loads(json.dumps(pacs.row(1)).replace("http://pacs.internal:8042/dw", PUBLIC))],
            MISS,
        )
        assert value.status == 404
