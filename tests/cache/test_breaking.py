"""Fills that break: errors before the head are errors, later ones are cuts; whole parts stay."""

import asyncio
from pathlib import Path

import pytest

from edgerouter.cache.fill import Fetch, Fill
from edgerouter.errors import ConnectError, Cut, NotFound
from tests.cache.players import Reader
from tests.cache.support import DICOM, HEAD, got, instance, opened, part_files, serving, settled, until


async def test_a_fill_that_breaks_is_cut_for_all_and_keeps_whole_parts(tmp_path: Path) -> None:
    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        await fill.open_part(DICOM, 1000)
        await fill.write(b"a" * 1000)
        await fill.close_part(instance(1))
        await fill.open_part(DICOM, 1000)
        await fill.write(b"b" * 500)
        await until(lambda: all(len(reader.received) == 1500 for reader in readers))
        raise Cut("The archive broke off.", upstream="a")

    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        readers = [Reader(cache, fetch) for _ in range(3)]
        for reader in readers:
            group.create_task(reader.run())
        await until(lambda: all(reader.done for reader in readers))
        for reader in readers:
            assert reader.received == b"a" * 1000 + b"b" * 500
            assert isinstance(reader.error, Cut)
            assert reader.error.upstream == "a"
        await settled(cache)
        assert await got(cache, instance(1)) == b"a" * 1000
        assert part_files(tmp_path) == []
        assert cache.room.parts == 0


async def test_a_fetch_that_fails_before_its_head_is_that_error_for_all(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def fetch(fill: Fill) -> None:
        await go.wait()
        raise ConnectError("The archive cannot be reached.", upstream="a")

    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        readers = [Reader(cache, fetch) for _ in range(3)]
        for reader in readers:
            group.create_task(reader.run())
        for reader in readers:
            await reader.joined.wait()
        go.set()
        await until(lambda: all(reader.done for reader in readers))
        assert [type(reader.error) for reader in readers] == [ConnectError] * 3


async def test_another_error_after_the_head_is_a_cut(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        reader = Reader(cache, serving_then(NotFound("gone")))
        await reader.run()
        assert isinstance(reader.error, Cut)
        assert reader.received == b"part"


async def test_an_error_of_ours_is_told_without_its_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fetch(fill: Fill) -> None:
        raise KeyError("DOE^JOHN")

    async with opened(tmp_path) as cache:
        reader = Reader(cache, fetch)
        await reader.run()
        assert reader.error is not None
        assert reader.error.status == 500
    assert "KeyError at test_breaking.py" in caplog.text
    assert "DOE" not in caplog.text


@pytest.mark.parametrize("mistake", ["no head", "open part", "no part to write"])
async def test_a_fetch_that_ends_without_ending_its_answer_is_a_cut(tmp_path: Path, mistake: str) -> None:
    async def fetch(fill: Fill) -> None:
        if mistake == "no head":
            return
        await fill.begin(200, HEAD)
        if mistake == "no part to write":
            await fill.write(b"x")
        await fill.open_part(DICOM)
        await fill.write(b"x")

    async with opened(tmp_path) as cache:
        reader = Reader(cache, fetch)
        await reader.run()
        assert reader.error is not None
        assert reader.error.status in (500, 502)
        assert await got(cache, instance(1)) is None


def serving_then(error: Exception) -> Fetch:
    async def fetch(fill: Fill) -> None:
        await serving([(instance(1), b"part")])(fill)
        raise error

    return fetch
