"""What is held, as a search sees it: units make it, a complete listing says what is still there."""

from pathlib import Path

from edgerouter.cache.listings import Listing, Row
from tests.cache.support import SERIES, STUDY, instance, opened, put


async def test_only_what_has_an_instance_or_a_frame_is_held(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        catalog = cache.catalog
        await catalog.put_metadata("a", STUDY, [Row(SERIES, f"{SERIES}.1", b"{}", 1.0)], catalog.moment())
        assert await catalog.inventory("a") == []
        assert await catalog.held_whole("a", [STUDY, "9.9"]) == []
        await put(cache, instance(1), b"x")

        assert (await catalog.inventory("a"), await catalog.inventory("b")) == ([STUDY], [])
        [item] = await catalog.held_whole("a", [STUDY])
        assert (item.study, item.members) == (STUDY, ((SERIES, f"{SERIES}.1"),))
        assert [row.data for row in item.described] == [b"{}"]


async def test_what_a_complete_listing_has_no_more_is_not_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        for number in (1, 2):
            await put(cache, instance(number), b"x")
        members = ((SERIES, f"{SERIES}.9"), (SERIES, f"{SERIES}.2"))
        for complete, expected in ((False, {f"{SERIES}.1", f"{SERIES}.2"}), (True, {f"{SERIES}.2"})):
            listing = Listing("a", STUDY, "", complete, 1.0, members)
            await cache.catalog.put_listing(listing, cache.catalog.moment())
            [item] = await cache.catalog.held_whole("a", [STUDY])
            assert {uid for _, uid in item.members} == expected


async def test_one_instance_of_each_series_speaks_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        catalog = cache.catalog
        for number in (1, 2):
            await put(cache, instance(number), b"x")
        rows = [Row(SERIES, f"{SERIES}.{number}", b'{"n":%d}' % number, 1.0) for number in (1, 2, 3)]
        await catalog.put_metadata("a", STUDY, rows, catalog.moment())
        [item] = await catalog.held_whole("a", [STUDY])

        assert len(item.described) == 1
        members = [(SERIES, f"{SERIES}.{number}") for number in (2, 4, 1)]
        assert [row.data for row in await catalog.held_described("a", STUDY, members)] == [
            b'{"n":2}',
            b'{"n":1}',
        ]
