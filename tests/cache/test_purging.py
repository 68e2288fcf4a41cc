"""Purges: by study, patient, upstream and age; readers are not disturbed, and what is not judged is told."""

import asyncio
import time
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.locations import Location
from edgerouter.cache.pins import Pin
from edgerouter.cache.purging import Choice, Purged
from tests.cache.players import Origin, Reader
from tests.cache.support import (
    STUDY,
    describe,
    got,
    instance,
    noise,
    opened,
    put,
    settled,
    unit_files,
    until,
)

DAY = 86400.0


async def put_study(cache: Cache, study: str, upstream: str = "a") -> None:
    await put(cache, instance(study=study, upstream=upstream), noise(1000))


async def left(cache: Cache) -> list[str]:
    return sorted(f"{one.upstream}/{one.study}" for one in await cache.catalog.studies())


async def purge(cache: Cache, wait: float = 0.0, **choice: object) -> Purged:
    return await cache.purger.purge(Choice(**choice), wait=wait, tell=lambda done, of: None)  # type: ignore[arg-type]


async def test_a_study_goes_everywhere_or_at_one_upstream(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for study, upstream in (("1.1", "a"), ("1.1", "b"), ("1.2", "a"), ("1.2", "b")):
            await put_study(cache, study, upstream)
        await cache.catalog.put_locations([Location("1.1", "", "a", 1.0), Location("1.2", "", "a", 1.0)])
        assert await purge(cache, study="1.1", upstream="b") == Purged(studies=1, units=1)
        assert await purge(cache, study="1.1") == Purged(studies=1, units=1)
        assert await left(cache) == ["a/1.2", "b/1.2"]
        assert await cache.catalog.locations(["a"], "1.1") == ()
        assert len(await cache.catalog.locations(["a"], "1.2")) == 1
        assert cache.counts.purged == 2


async def test_all_of_an_upstream_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for study, upstream in (("1.1", "a"), ("1.1", "b"), ("1.2", "a")):
            await put_study(cache, study, upstream)
        assert await purge(cache, upstream="a") == Purged(studies=2, units=2)
        assert await left(cache) == ["b/1.1"]


async def test_everything_goes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    async with opened(tmp_path) as cache:
        for study in ("1.1", "1.2", "1.3"):
            await put_study(cache, study)
        purged = await cache.purger.purge(Choice(), wait=0, tell=lambda done, of: told.append((done, of)))
        assert purged == Purged(studies=3, units=3)
        assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
        assert unit_files(tmp_path) == []


async def test_a_patient_goes_and_who_cannot_be_judged_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for study in ("1.1", "1.2", "1.3", "1.4"):
            await put_study(cache, study)
        await describe(cache, "1.1", PatientID="7 ")
        await describe(cache, "1.2", PatientID="77")
        await describe(cache, "1.3", StudyDate="20240101")  # does not say whose it is
        assert await purge(cache, patient="7") == Purged(
            studies=1, units=1, unknown=[("a", "1.3"), ("a", "1.4")]
        )
        assert await left(cache) == ["a/1.2", "a/1.3", "a/1.4"]


async def test_a_study_in_which_any_series_is_the_patients_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_study(cache, "1.1")
        await describe(cache, "1.1", PatientID="8", SeriesInstanceUID="2.1")
        await describe(cache, "1.1", PatientID="7", SeriesInstanceUID="2.2")
        assert (await purge(cache, patient="7")).studies == 1


@pytest.mark.parametrize(
    ("issuer", "gone", "unknown"),
    [
        (None, ["a/1.1", "a/1.2", "b/1.1", "c/1.1"], []),
        ("HOSP-A", ["a/1.1"], [("c", "1.1")]),
        ("OTHER", ["a/1.2"], [("c", "1.1")]),
        ("HOSP-B", ["b/1.1"], [("c", "1.1")]),
    ],
)
async def test_the_same_number_of_another_issuer_is_another_patient(
    tmp_path: Path, issuer: str | None, gone: list[str], unknown: list[tuple[str, str]]
) -> None:
    async with opened(tmp_path, issuers={"a": "HOSP-A", "b": "HOSP-B"}) as cache:
        for study, upstream in (("1.1", "a"), ("1.2", "a"), ("1.1", "b"), ("1.1", "c")):
            await put_study(cache, study, upstream)
            await describe(cache, study, upstream=upstream, PatientID="7")
        await describe(cache, "1.2", PatientID="7", IssuerOfPatientID="OTHER ")
        before = await left(cache)
        purged = await purge(cache, patient="7", issuer=issuer)
        assert sorted(set(before) - set(await left(cache))) == gone
        assert purged.unknown == unknown


async def test_what_was_not_used_for_long_goes_and_what_is_pinned_stays(tmp_path: Path) -> None:
    now = [time.time() - 10 * DAY]
    async with opened(tmp_path) as cache:
        cache.catalog._clock = lambda: now[0]
        for study in ("1.1", "1.2", "1.3"):
            await put_study(cache, study)
        await cache._desk.write(
            cache._shelf.database.connection.execute, f"UPDATE study SET last_used = {now[0]}"
        )
        await cache.catalog.flush()
        await cache.pins.put(Pin("a", "1.2", ""))
        now[0] = time.time()
        cache.catalog.touch("a", "1.3")
        assert await purge(cache, unused_for=11 * DAY) == Purged(spared=0)
        assert await purge(cache, unused_for=5 * DAY) == Purged(studies=1, units=1, spared=1)
        assert await left(cache) == ["a/1.2", "a/1.3"]


async def test_a_study_of_which_anything_is_old_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for study in ("1.1", "1.2", "1.3"):
            await put_study(cache, study)
        await describe(cache, "1.2", PatientID="7")
        change = cache._shelf.database.connection.execute
        old = time.time() - 10 * DAY
        await cache._desk.write(
            change,
            f"UPDATE unit SET stored_at = {old} WHERE study_id = (SELECT id FROM study WHERE study = '1.1')",
        )
        await cache._desk.write(change, f"UPDATE metadata SET fetched_at = {old}")
        assert (await purge(cache, stored_before=11 * DAY)).studies == 0
        assert (await purge(cache, stored_before=9 * DAY)).studies == 2
        assert await left(cache) == ["a/1.3"]


async def test_all_conditions_have_to_hold(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for study, upstream in (("1.1", "a"), ("1.1", "b"), ("1.2", "a")):
            await put_study(cache, study, upstream)
            await describe(cache, study, upstream=upstream, PatientID="7")
        assert (await purge(cache, upstream="a", patient="7", study="1.1")).studies == 1
        assert await left(cache) == ["a/1.2", "b/1.1"]


async def test_a_purge_waits_for_the_readers_of_a_study(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        await put_study(cache, "1.1")
        await put_study(cache, "1.2")
        with cache.readers.reading("a", "1.1"):
            purging = group.create_task(purge(cache, wait=60))
            await until(lambda: len(unit_files(tmp_path)) == 1)
            assert not purging.done()
            assert await got(cache, instance(study="1.1")) == noise(1000)
        assert await purging == Purged(studies=2, units=2)
        assert unit_files(tmp_path) == []


async def test_what_is_read_for_too_long_stays_and_is_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_study(cache, "1.1")
        await put_study(cache, "1.2")
        with cache.readers.reading("a", "1.1"):
            assert await purge(cache, wait=0.01) == Purged(studies=1, units=1, busy=1)
        assert await left(cache) == ["a/1.1"]


async def test_what_is_on_its_way_does_not_come_back(tmp_path: Path) -> None:
    origin = Origin()
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        reader = Reader(cache, origin.fetch)
        reading = group.create_task(reader.run())
        origin.head.set()
        await reader.joined.wait()
        await purge(cache, study=STUDY)
        origin.go_on()
        await reading
        await settled(cache)
        assert reader.error is None
        assert len(reader.received) == origin.sent
        assert await got(cache, instance(1)) is None
