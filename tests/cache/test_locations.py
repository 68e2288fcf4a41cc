"""Locations: learnt per series, seen through the allowed upstreams, bounded."""

from pathlib import Path

from edgerouter.cache.locations import Location, Locations
from tests.cache.support import SERIES, STUDY, opened

OTHER = "1.2.840.2"


async def test_locations_are_learnt_per_series_and_seen_through_the_allowed_upstreams(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        seen = [
            Location(STUDY, "", "a", 1.0),
            Location(STUDY, SERIES, "b", 2.0),
            Location(OTHER, "", "a", 3.0),
        ]
        assert await cache.catalog.locations({"a", "b"}, STUDY) == ()
        assert await cache.catalog.put_locations(seen)
        for _ in range(2):
            assert set(await cache.catalog.locations({"a", "b"}, STUDY)) == set(seen[:2])
            assert await cache.catalog.locations({"b"}, STUDY) == (seen[1],)
        await cache.catalog.put_locations([Location(STUDY, "", "a", 0.5)])
        assert await cache.catalog.locations({"a"}, STUDY) == (seen[0],)
        await cache.catalog.forget_locations(STUDY, "a")
        assert await cache.catalog.locations({"a", "b"}, STUDY) == (seen[1],)
        await cache.catalog.forget_locations(None, None)
        assert await cache.catalog.locations({"a"}, OTHER) == ()


async def test_locations_are_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        locations = Locations(cache._shelf.database.connection, most=100)
        for number in range(1, 301):
            await cache._desk.write(locations.put, [Location(f"1.{number}", "", "a", float(number))])
        assert await cache._desk.run(locations.get, "1.1") == ()
        assert len(await cache._desk.run(locations.get, "1.300")) == 1
        change = cache._shelf.database.connection.execute
        count = await cache._desk.run(lambda: change("SELECT count(*) FROM location").fetchone()[0])
        assert count <= 100
