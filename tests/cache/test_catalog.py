"""The catalog: only allowed upstreams are seen, what is remembered is true, use and weight are kept."""

import time
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.catalog import Catalog
from edgerouter.cache.counts import Counts
from edgerouter.cache.listings import Listing, Row
from edgerouter.cache.pins import Pin
from edgerouter.cache.unit import UnitKey, UnitKind
from tests.cache.support import EXPLICIT, SERIES, STUDY, frame, instance, opened, put, put_all

MEMBERS = ((SERIES, f"{SERIES}.3"), (SERIES, f"{SERIES}.1"))


def listing(
    members: tuple[tuple[str, str], ...] = MEMBERS, *, upstream: str = "a", fetched_at: float = 50.0
) -> Listing:
    return Listing(upstream, STUDY, "", True, fetched_at, members)


async def held(cache: Cache, upstreams: set[str], number: int = 1) -> list[UnitKey]:
    found = await cache.catalog.held(upstreams, STUDY, SERIES, f"{SERIES}.{number}", UnitKind.INSTANCE)
    return [one.key for one in found]


async def test_a_look_up_sees_only_the_upstreams_it_is_given(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(upstream="a"), b"one")
        await put(cache, instance(upstream="b"), b"two")
        for _ in range(2):  # from the desk, then from memory
            assert await held(cache, {"a"}) == [instance(upstream="a")]
            assert sorted(key.upstream for key in await held(cache, {"a", "b"})) == ["a", "b"]
            assert await held(cache, {"c"}) == []
            assert await held(cache, set()) == []


async def test_every_representation_of_a_thing_is_told(tmp_path: Path) -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"explicit")
        assert len(await held(cache, {"a"})) == 1
        await put(cache, instance(syntax=jpeg), b"jpeg bytes")
        found = await cache.catalog.held({"a"}, STUDY, SERIES, f"{SERIES}.1", UnitKind.INSTANCE)
        assert {(one.key.syntax, one.size) for one in found} == {(EXPLICIT, 8), (jpeg, 10)}
        assert all(abs(one.stored_at - time.time()) < 60 for one in found)


async def test_what_is_remembered_of_a_look_up_follows_what_comes_and_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert await held(cache, {"a"}) == []
        await put(cache, instance(), b"one")
        assert await held(cache, {"a"}) == [instance()]
        await cache.units.remove([instance()])
        assert await held(cache, {"a"}) == []


async def test_frames_are_looked_up_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_all(cache, [(frame(1), b"1"), (frame(3), b"3"), (frame(3, media="image/jp2"), b"3")])
        for _ in range(2):
            found = await cache.catalog.held_each(
                {"a"}, STUDY, SERIES, f"{SERIES}.1", UnitKind.FRAME, ["3", "2", "1"]
            )
            assert {which: len(held) for which, held in found.items()} == {"3": 2, "2": 0, "1": 1}


async def test_the_members_of_a_study_are_told_at_once(tmp_path: Path) -> None:
    other = UnitKey("a", STUDY, "1.5", "1.5.1", UnitKind.INSTANCE, "", "application/dicom", EXPLICIT)
    async with opened(tmp_path) as cache:
        await put_all(
            cache,
            [(key, b"x") for key in (instance(1), instance(1, upstream="b"), instance(2), other, frame(1))],
        )
        members = await cache.catalog.held_members({"a", "b"}, STUDY)
        assert {member: len(held) for member, held in members.items()} == {
            (SERIES, f"{SERIES}.1"): 2,
            (SERIES, f"{SERIES}.2"): 1,
            ("1.5", "1.5.1"): 1,
        }
        assert set(await cache.catalog.held_members({"a"}, STUDY, "1.5")) == {("1.5", "1.5.1")}
        assert await cache.catalog.held_members({"c"}, STUDY) == {}


async def test_last_use_is_written_once_a_minute_at_most(tmp_path: Path) -> None:
    now = [1000.0]
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"x")
        catalog = Catalog(cache._desk, cache._shelf, Counts(), clock=lambda: now[0])

        async def last_used() -> float:
            study = await catalog.study("a", STUDY)
            assert study is not None
            return study.last_used

        before = await last_used()
        now[0] = before + 10
        for _ in range(5):
            catalog.touch("a", STUDY)
        assert await last_used() in (before, before + 10)
        now[0] += 20
        catalog.touch("a", STUDY)
        assert await last_used() <= before + 10
        now[0] += 100
        catalog.touch("a", STUDY)
        assert await last_used() == now[0]
        now[0] += 5
        catalog.touch("a", STUDY)
        await catalog.flush()
        assert await last_used() == now[0]


async def test_a_study_is_dated_and_pinned(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"x")
        await cache.catalog.date("a", STUDY, "20200102")
        await cache.pins.put(Pin("a", STUDY, ""))
        study = await cache.catalog.study("a", STUDY)
        assert study is not None
        assert (study.study_date, study.pinned) == ("20200102", True)
        assert await cache.catalog.studies("b") == []


async def test_when_the_database_fails_reads_are_misses_and_writes_are_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"x")
        change = cache._shelf.database.connection.execute
        await cache._desk.run(change, "ALTER TABLE unit RENAME TO gone")
        await cache._desk.run(change, "ALTER TABLE listing RENAME TO gone_too")
        await cache._desk.run(change, "ALTER TABLE location RENAME TO gone_as_well")
        errors = cache.counts.errors
        assert await held(cache, {"a"}) == []
        assert await cache.catalog.listing("a", STUDY) is None
        assert not await cache.catalog.put_listing(listing(), cache.catalog.moment())
        assert await cache.catalog.locations({"a"}, STUDY) == ()
        assert cache.counts.errors == errors + 4
        await cache._desk.run(change, "ALTER TABLE study RENAME TO gone_at_last")
        assert (await cache.stats()).units == 0


@pytest.mark.parametrize("table", ["unit", "metadata", "listing"])
async def test_the_weight_of_a_study_follows_what_it_holds(tmp_path: Path, table: str) -> None:
    async with opened(tmp_path) as cache:

        async def put_one(size: int) -> None:
            if table == "unit":
                await put(cache, instance(), b"x" * size)
            elif table == "metadata":
                noisy = bytes(range(256)) * (size // 256)
                await cache.catalog.put_metadata(
                    "a", STUDY, [Row(SERIES, f"{SERIES}.1", noisy, 1.0)], cache.catalog.moment()
                )
            else:
                members = tuple((SERIES, f"1.{number}") for number in range(size // 10))
                await cache.catalog.put_listing(listing(members), cache.catalog.moment())

        await put_one(10_000)
        first = (await cache.stats()).bytes
        await put_one(30_000)
        second = (await cache.stats()).bytes
        await cache.purge(study=STUDY)
        assert 0 < first < second
        assert (await cache.stats()).bytes == 0
