"""Listings and metadata: members keep their order, what was touched is void, damage is a miss."""

import sqlite3
import zlib
from dataclasses import replace
from pathlib import Path

from edgerouter.cache.cache import Cache
from edgerouter.cache.listings import DERIVED, Listing, Row
from edgerouter.cache.unit import UNSURE, UnitKind, sealed
from tests.cache.support import SERIES, STUDY, got, instance, opened, put

MEMBERS = ((SERIES, f"{SERIES}.3"), (SERIES, f"{SERIES}.1"), (f"{STUDY}.2", "1.9"))


def listing(
    members: tuple[tuple[str, str], ...] = MEMBERS, *, upstream: str = "a", fetched_at: float = 50.0
) -> Listing:
    return Listing(upstream, STUDY, "", True, fetched_at, members)


def rows(*numbers: int) -> list[Row]:
    return [
        Row(SERIES, f"{SERIES}.{number}", b'{"00080018":%d}' % number, 50.0, f'"{number}"')
        for number in numbers
    ]


async def metadata(cache: Cache, *numbers: int, upstream: str = "a") -> list[Row | None]:
    members = [(SERIES, f"{SERIES}.{number}") for number in numbers]
    return [row async for row in cache.catalog.metadata(upstream, STUDY, members)]


async def test_a_listing_keeps_its_order_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert await cache.catalog.listing("a", STUDY) is None
        assert await cache.catalog.put_listing(listing(), cache.catalog.moment())
    async with opened(tmp_path) as cache:
        assert await cache.catalog.listing("a", STUDY) == listing()
        assert await cache.catalog.listing("b", STUDY) is None
        assert await cache.catalog.listing("a", STUDY, SERIES) is None


async def test_a_listing_that_says_something_else_marks_the_study_as_changed(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for fetched_at in (1.0, 2.0):
            await cache.catalog.put_listing(listing(fetched_at=fetched_at), cache.catalog.moment())
        study = await cache.catalog.study("a", STUDY)
        assert study is not None
        assert study.changed_at == 0
        await cache.catalog.put_listing(listing(MEMBERS[:1]), cache.catalog.moment())
        study = await cache.catalog.study("a", STUDY)
        assert study is not None
        assert study.changed_at > 0


async def test_metadata_comes_back_in_the_order_asked_with_its_holes(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache.catalog.put_metadata("a", STUDY, rows(1, 2, 3), cache.catalog.moment())
        one, two, three = rows(1, 2, 3)
        assert await metadata(cache, 3, 9, 1, 2) == [three, None, one, two]
        assert await metadata(cache, 1, upstream="b") == [None]
        assert await cache.catalog.described("a", STUDY) == {
            (row.series, row.instance) for row in rows(1, 2, 3)
        }
        assert await cache.catalog.described("a", STUDY, "1.5") == set()


async def test_a_row_of_our_making_takes_the_place_of_an_older_one_only(tmp_path: Path) -> None:
    def made(data: bytes, at: float) -> list[Row]:
        return [Row(SERIES, f"{SERIES}.1", data, at, DERIVED)]

    async with opened(tmp_path) as cache:
        key = replace(instance(), series=SERIES, instance=f"{SERIES}.1")
        await put(cache, key, b"file")
        since = cache.catalog.moment()
        for row, kept in (
            (made(b"{}", 40.0), made(b"{}", 40.0)),
            (rows(1), rows(1)),  # the upstream's own
            (made(b"{}", 50.0), rows(1)),
            (made(b"[]", 51.0), made(b"[]", 51.0)),
            (rows(1), rows(1)),
        ):
            await cache.catalog.put_metadata("a", STUDY, row, since)
            assert await metadata(cache, 1) == kept
        [held] = await cache.catalog.held(["a"], STUDY, SERIES, f"{SERIES}.1", UnitKind.INSTANCE)
        assert held.header_at > 0, "nothing of that says that the header changed"
        [own] = rows(1)
        await cache.catalog.put_metadata("a", STUDY, [replace(own, data=b"{1}")], since)
        [held] = await cache.catalog.held(["a"], STUDY, SERIES, f"{SERIES}.1", UnitKind.INSTANCE)
        assert held.header_at == UNSURE


async def test_many_rows_come_back_in_handfuls(tmp_path: Path) -> None:
    numbers = list(range(1, 351))
    async with opened(tmp_path) as cache:
        await cache.catalog.put_metadata("a", STUDY, rows(*numbers), cache.catalog.moment())
        assert await metadata(cache, *numbers) == rows(*numbers)


async def test_a_void_study_has_neither_listing_nor_metadata_but_its_units(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"one")
        for upstream in ("a", "b"):
            await cache.catalog.put_listing(listing(upstream=upstream), cache.catalog.moment())
            await cache.catalog.put_metadata(upstream, STUDY, rows(1), cache.catalog.moment())
        await cache.catalog.void(STUDY, "a")
        assert await cache.catalog.listing("a", STUDY) is None
        assert await metadata(cache, 1) == [None]
        assert await got(cache, instance()) == b"one"
        assert await cache.catalog.listing("b", STUDY) is not None
        await cache.catalog.void(STUDY)
        assert await cache.catalog.listing("b", STUDY) is None
        study = await cache.catalog.study("a", STUDY)
        assert study is not None
        assert study.changed_at > 0


async def test_an_answer_that_a_store_overtook_is_not_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        since = cache.catalog.moment()
        await cache.catalog.void(STUDY)
        assert not await cache.catalog.put_listing(listing(), since)
        assert not await cache.catalog.put_metadata("a", STUDY, rows(1), since)
        assert await cache.catalog.listing("a", STUDY) is None
        assert await metadata(cache, 1) == [None]


async def test_damaged_rows_are_misses(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache.catalog.put_listing(listing(), cache.catalog.moment())
        await cache.catalog.put_metadata("a", STUDY, rows(1, 2, 3), cache.catalog.moment())
    connection = sqlite3.connect(tmp_path / "cache" / "catalog.db")
    with connection:
        connection.execute("UPDATE listing SET members = x'789c03000000'")
        connection.execute("UPDATE metadata SET row = x'00ff' WHERE instance LIKE '%.1'")
        connection.execute("UPDATE metadata SET row = 'text' WHERE instance LIKE '%.2'")
        connection.execute("UPDATE metadata SET row = substr(row, 1, 5) WHERE instance LIKE '%.3'")
    connection.close()
    async with opened(tmp_path) as cache:
        assert await cache.catalog.listing("a", STUDY) is None
        assert await metadata(cache, 1, 2, 3) == [None, None, None]
        assert await cache.catalog.put_listing(listing(), cache.catalog.moment())
        assert await cache.catalog.listing("a", STUDY) == listing()


async def test_a_listing_that_unpacks_to_something_else_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache.catalog.put_listing(listing(), cache.catalog.moment())
        change = cache._shelf.database.connection.execute
        written = sealed(f"a\n{STUDY}\n", zlib.compress(b'{"a": 1}'))
        await cache._desk.write(change, "UPDATE listing SET members = ?", (written,))
        assert await cache.catalog.listing("a", STUDY) is None


async def test_what_is_sealed_and_does_not_unpack_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache.catalog.put_metadata("a", STUDY, rows(1), cache.catalog.moment())
        change = cache._shelf.database.connection.execute
        written = sealed("\n".join(("a", STUDY, SERIES, f"{SERIES}.1")), b"no zlib")
        await cache._desk.write(change, "UPDATE metadata SET row = ?", (written,))
        assert await metadata(cache, 1) == [None]


async def test_a_listing_or_row_under_another_name_is_a_miss(tmp_path: Path) -> None:
    """SQLite does not notice when a bit of a name changes."""
    async with opened(tmp_path) as cache:
        await cache.catalog.put_listing(listing(), cache.catalog.moment())
        await cache.catalog.put_metadata("a", STUDY, rows(1), cache.catalog.moment())
        change = cache._shelf.database.connection.execute
        await cache._desk.write(change, "UPDATE listing SET series = ?", (SERIES,))
        await cache._desk.write(change, "UPDATE metadata SET instance = ?", (f"{SERIES}.2",))
        assert await cache.catalog.listing("a", STUDY, SERIES) is None
        assert await metadata(cache, 1, 2) == [None, None]
