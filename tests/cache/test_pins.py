"""Pins: a study or a query, kept over restarts, and decided anew when the day or the knowledge changes."""

import logging
from datetime import date
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.pins import Pin
from tests.cache.support import (
    MIB,
    describe,
    got,
    instance,
    noise,
    opened,
    put,
    read_all,
    serving,
    settled,
    unit_files,
)

STUDIES = ("1.1", "1.2", "1.3")


async def pinned(cache: Cache) -> list[str]:
    await cache.pins.settle()
    return sorted(f"{one.upstream}/{one.study}" for one in await cache.catalog.studies() if one.pinned)


async def put_three(cache: Cache) -> None:
    for number, study in enumerate(STUDIES):
        await put(cache, instance(study=study), noise(1000, number))
    await put(cache, instance(study="1.1", upstream="b"), noise(1000, 9))


async def test_a_study_is_pinned_at_one_upstream_or_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache.pins.put(Pin("a", "1.1", ""))
        assert await pinned(cache) == ["a/1.1"]
        await cache.pins.put(Pin("", "1.1", ""))
        assert await pinned(cache) == ["a/1.1", "b/1.1"]
        assert await cache.pins.drop(Pin("", "1.1", ""))
        assert await pinned(cache) == ["a/1.1"]
        assert not await cache.pins.drop(Pin("", "1.1", ""))


async def test_a_study_is_pinned_before_it_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache.pins.put(Pin("a", "1.2", ""))
        await put_three(cache)
        assert await pinned(cache) == ["a/1.2"]


async def test_a_query_pins_what_it_finds_and_what_comes_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await describe(cache, "1.1", Modality="CT", StudyDate="20240301")
        await cache.pins.put(Pin("", "", "ModalitiesInStudy=CT"))
        assert await pinned(cache) == ["a/1.1"]
        await describe(cache, "1.2", Modality="MR", SeriesInstanceUID="2.1")
        assert await pinned(cache) == ["a/1.1"]
        await describe(cache, "1.2", Modality="CT", SeriesInstanceUID="2.2")
        assert await pinned(cache) == ["a/1.1", "a/1.2"]


async def test_a_query_of_one_upstream_pins_its_studies_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        for upstream in "ab":
            await describe(cache, "1.1", upstream=upstream, PatientID="7")
        await cache.pins.put(Pin("b", "", "PatientID=7"))
        assert await pinned(cache) == ["b/1.1"]


async def test_todays_studies_are_pinned_until_the_day_is_over(tmp_path: Path) -> None:
    day = [date(2024, 3, 1)]
    async with opened(tmp_path) as cache:
        cache._shelf.pins._today = lambda: day[0]
        await put_three(cache)
        await cache.catalog.date("a", "1.1", "20240301")
        await cache.catalog.date("a", "1.2", "20240302")
        await cache.pins.put(Pin("", "", "StudyDate=today"))
        assert await pinned(cache) == ["a/1.1"]
        day[0] = date(2024, 3, 2)
        assert await pinned(cache) == ["a/1.2"]


async def test_what_cannot_be_judged_is_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await describe(cache, "1.1", PatientID="7")
        assert await cache.pins.undecided(Pin("", "", "PatientID=7")) == 3
        assert await cache.pins.undecided(Pin("a", "", "PatientID=7")) == 2
        assert await cache.pins.undecided(Pin("", "", "StudyDate=today")) == 0
        assert await cache.pins.undecided(Pin("", "1.1", "")) == 0


async def test_many_studies_are_decided_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.cache.pins._TIME", -1.0)
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache.pins.put(Pin("", "1.1", ""))
        assert await pinned(cache) == ["a/1.1", "b/1.1"]
        await cache._desk.write(cache._shelf.pins.drop, Pin("", "1.1", ""))
        await cache._desk.write(cache._shelf.pins.put, Pin("", "1.2", ""))
        slices = 1
        while await cache._desk.write(cache._shelf.pins.settle):
            slices += 1
        assert slices == 4  # studies, one in each
        assert await pinned(cache) == ["a/1.2"]


async def test_a_pin_this_version_cannot_read_pins_nothing_and_harms_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache.pins.put(Pin("", "", "of-the-future=1"))
        await cache.pins.put(Pin("a", "1.3", ""))
        assert await pinned(cache) == ["a/1.3"]


async def test_metadata_that_cannot_be_read_is_no_metadata(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await describe(cache, "1.1", PatientID="7")
        change = cache._shelf.database.connection.execute
        for damage in ("x'00'", "x'789c030000000001'"):  # not zlib; zlib of nothing, which is not JSON
            await cache._desk.write(change, f"UPDATE metadata SET row = {damage}")
            await cache.pins.put(Pin("", "", "PatientID=7"))
            assert await pinned(cache) == []


async def test_pins_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache.pins.put(Pin("a", "1.1", ""))
        await cache.pins.put(Pin("", "", "StudyDate=today"))
    async with opened(tmp_path) as cache:
        assert {(pin.study, pin.query) for pin in await cache.pins.all()} == {
            ("1.1", ""),
            ("", "StudyDate=today"),
        }
        assert await pinned(cache) == ["a/1.1"]
        assert (await cache.stats()).pinned.lost_at is None


async def test_pins_lost_with_the_catalog_are_told_until_some_are_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as cache:
        await put_three(cache)
        await cache.pins.put(Pin("a", "1.1", ""))
    (tmp_path / "cache" / "catalog.db").unlink()
    with caplog.at_level(logging.ERROR):
        async with opened(tmp_path) as cache:
            assert (await cache.stats()).pinned.lost_at is not None
    assert "what was pinned is not known any more" in caplog.text
    async with opened(tmp_path) as cache:
        assert (await cache.stats()).pinned.lost_at is not None
        await cache.pins.put(Pin("a", "1.1", ""))
        assert (await cache.stats()).pinned.lost_at is None


async def test_a_new_cache_has_lost_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert (await cache.stats()).pinned.lost_at is None


async def test_what_a_query_pins_is_not_evicted_although_nobody_decided_before(tmp_path: Path) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        await cache.pins.put(Pin("", "", "PatientID=7"))
        await put(cache, instance(study="1.1"), noise(2 * MIB, 1))
        await describe(cache, "1.1", PatientID="7")
        for number in range(2, 20):
            await put(cache, instance(study=f"1.{number}"), noise(2 * MIB, number))
        assert await got(cache, instance(study="1.1")) == noise(2 * MIB, 1)
        assert cache.counts.evicted > 0


async def test_when_pins_fill_the_cache_fills_pass_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path, size=20 * MIB) as cache:
        for number in range(1, 8):
            await put(cache, instance(study=f"1.{number}"), noise(2 * MIB, number))
            await cache.pins.put(Pin("a", f"1.{number}", ""))
        assert not (await cache.stats()).pinned.crowded
        with caplog.at_level(logging.WARNING):
            for number in (8, 9):
                data = noise(2 * MIB, number)
                async with cache.fills.join(number, serving([(instance(study=f"1.{number}"), data)])) as f:
                    assert await read_all(f) == [data]
        await settled(cache)
        assert (await cache.stats()).pinned.crowded
        assert caplog.text.count("pinned studies fill the cache") == 1
        assert len(unit_files(tmp_path)) == 7
        for number in range(1, 4):
            await cache.pins.drop(Pin("a", f"1.{number}", ""))
        assert not (await cache.stats()).pinned.crowded
        await put(cache, instance(study="1.9"), noise(2 * MIB, 9))
        assert await got(cache, instance(study="1.9")) == noise(2 * MIB, 9)
