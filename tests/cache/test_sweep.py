"""What a crash, a lost database or somebody's hand left behind is found again or cleared away."""

import asyncio
import shutil
import sqlite3
from array import array
from pathlib import Path

import pytest

from edgerouter.cache.cache import Cache
from edgerouter.cache.folder import FolderError
from edgerouter.cache.sweep import _remove_orphans
from edgerouter.cache.unit import UnitKind, sealed
from tests.cache.support import SERIES, STUDY, got, instance, noise, opened, put, put_all, unit_files


async def swept(cache: Cache) -> None:
    """Run the sweep once more, to its end."""
    await cache._sweep.run()


async def holds(cache: Cache, number: int) -> bool:
    return bool(await cache.catalog.held({"a"}, STUDY, SERIES, f"{SERIES}.{number}", UnitKind.INSTANCE))


async def some_units(path: Path, count: int = 3) -> None:
    async with opened(path) as cache:
        await put_all(cache, [(instance(number), noise(5000, number)) for number in range(1, count + 1)])


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:100] = b"garbage!" * 12 + b"dirt"
    path.write_bytes(data)


@pytest.mark.parametrize("loss", ["deleted", "garbage", "another file", "no tables"])
async def test_a_lost_catalog_is_rebuilt_from_the_keys(tmp_path: Path, loss: str) -> None:
    await some_units(tmp_path, 450)
    catalog = tmp_path / "cache" / "catalog.db"
    if loss == "deleted":
        catalog.unlink()
    elif loss == "garbage":
        spoil(catalog)
    elif loss == "another file":
        catalog.write_bytes(b"PK" * 5000)
    else:
        connection = sqlite3.connect(catalog)
        connection.execute("DROP TABLE total")
        connection.close()
    async with opened(tmp_path) as cache:
        await swept(cache)
        stats = await cache.stats()
        assert stats.units == 450
        assert stats.bytes > 450 * 5000
        assert await holds(cache, 2)
        assert await got(cache, instance(2)) == noise(5000, 2)


@pytest.mark.parametrize("loss", ["deleted", "garbage"])
async def test_a_garbage_diskcache_is_set_aside_and_the_cache_starts_empty(tmp_path: Path, loss: str) -> None:
    await some_units(tmp_path)
    database = tmp_path / "cache" / "units" / "cache.db"
    database.unlink() if loss == "deleted" else spoil(database)
    await asyncio.sleep(0.2)  # file times are coarse: what is swept must be older than the start
    async with opened(tmp_path) as cache:
        await swept(cache)
        assert await got(cache, instance(1)) is None
        assert not await holds(cache, 1)
        assert (await cache.stats()).units == 0
        assert (await cache.stats()).bytes == 0
        assert unit_files(tmp_path) == []
        assert database.with_name("cache.db.broken").exists() is (loss == "garbage")
        await put(cache, instance(1), b"again")
        assert await got(cache, instance(1)) == b"again"


@pytest.mark.parametrize("name", ["catalog.db", "units/cache.db"])
async def test_a_database_found_corrupt_inside_is_misses_and_set_aside_at_the_next_start(
    tmp_path: Path, name: str
) -> None:
    await some_units(tmp_path, 450)
    database = tmp_path / "cache" / name
    data = bytearray(database.read_bytes())
    data[20 * 4096 :] = b"\xa5" * (len(data) - 20 * 4096)  # its first pages look well
    assert len(data) > 21 * 4096
    database.write_bytes(data)
    async with opened(tmp_path) as cache:
        await swept(cache)
        for number in range(1, 451):
            assert await got(cache, instance(number)) in (None, noise(5000, number))
            await holds(cache, number)
        assert cache.counts.errors > 0
    async with opened(tmp_path) as cache:
        await swept(cache)
        assert database.with_name(database.name + ".broken").exists()
        assert not (tmp_path / "cache" / "suspect").exists()
        await put(cache, instance(1), b"again")
        assert await got(cache, instance(1)) == b"again"
        assert await holds(cache, 1)
        assert cache.counts.errors == 0


async def test_a_database_that_is_only_locked_is_not_thrown_away(tmp_path: Path) -> None:
    await some_units(tmp_path)
    connection = sqlite3.connect(tmp_path / "cache" / "catalog.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode=exclusive")
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ExceptionGroup) as raised:
        async with opened(tmp_path):
            pass
    assert raised.group_contains(FolderError, match="cannot be opened")
    connection.execute("ROLLBACK")
    connection.close()
    async with opened(tmp_path) as cache:
        assert await holds(cache, 1)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO Settings VALUES ('sqlite_%', 1)",
        "INSERT INTO Settings VALUES ('sqlite_no_such_pragma', 1)",
        "INSERT INTO Settings VALUES ('_directory', '/nowhere')",
        "INSERT INTO Settings VALUES ('disk_compress_level', 1)",
    ],
)
async def test_settings_that_are_not_ours_are_not_believed(tmp_path: Path, change: str) -> None:
    """diskcache would make pragmas, attributes and arguments of them."""
    await some_units(tmp_path)
    connection = sqlite3.connect(tmp_path / "cache" / "units" / "cache.db")
    with connection:
        connection.execute(change)
    connection.close()
    async with opened(tmp_path) as cache:
        assert await got(cache, instance(1)) == noise(5000, 1)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE Settings; CREATE TABLE Settings (key)",
        "DROP TABLE Settings; CREATE TABLE Settings (key UNIQUE, value);"
        " INSERT INTO Settings VALUES ('count', CAST(x'ff' AS TEXT))",
    ],
    ids=["another shape", "text that is none"],
)
async def test_a_diskcache_of_another_shape_is_set_aside_and_the_cache_starts_empty(
    tmp_path: Path, change: str
) -> None:
    await some_units(tmp_path)
    database = tmp_path / "cache" / "units" / "cache.db"
    connection = sqlite3.connect(database)
    connection.executescript(change)
    connection.close()
    async with opened(tmp_path) as cache:
        assert database.with_name("cache.db.broken").exists()
        assert await got(cache, instance(1)) is None
        await put(cache, instance(1), b"again")
        assert await got(cache, instance(1)) == b"again"


async def test_a_diskcache_that_cannot_be_opened_just_now_is_not_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_units(tmp_path)

    def locked(*args: object, **settings: object) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("diskcache.Cache", locked)
        with pytest.raises(ExceptionGroup) as raised:
            async with opened(tmp_path):
                pass
        assert raised.group_contains(FolderError, match="cannot be opened")
    async with opened(tmp_path) as cache:
        assert await got(cache, instance(1)) == noise(5000, 1)


async def test_text_that_is_none_is_a_miss_and_asks_for_a_closer_look(tmp_path: Path) -> None:
    await some_units(tmp_path)
    async with opened(tmp_path) as cache:
        await swept(cache)
        spoiled = "UPDATE Cache SET filename = CAST(x'ff2f' AS TEXT)"
        await cache._desk.write(lambda: cache._shelf._cache._sql(spoiled))
        assert await got(cache, instance(1)) is None
        assert (tmp_path / "cache" / "suspect").exists()
    async with opened(tmp_path) as cache:
        assert await got(cache, instance(1)) is None


async def test_a_file_without_a_row_is_swept(tmp_path: Path) -> None:
    await some_units(tmp_path)
    orphan = unit_files(tmp_path)[0].with_name("0" * 28 + ".val")
    orphan.write_bytes(b"orphan")
    stranger = orphan.with_name("notes.txt")
    stranger.write_bytes(b"")
    await asyncio.sleep(0.2)
    async with opened(tmp_path) as cache:
        await swept(cache)
        assert not orphan.exists()
        assert stranger.exists()
        assert len(unit_files(tmp_path)) == 3


async def test_a_file_that_came_after_the_start_is_not_swept(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), b"one")
        young = unit_files(tmp_path)[0].with_name("0" * 28 + ".val")
        young.write_bytes(b"being adopted")
        await swept(cache)
        assert young.exists()


async def test_a_catalog_entry_without_a_row_is_swept(tmp_path: Path) -> None:
    await some_units(tmp_path, 450)
    connection = sqlite3.connect(tmp_path / "cache" / "units" / "cache.db")
    with connection:
        connection.execute("DELETE FROM Cache WHERE rowid % 2 = 0")
    connection.close()
    async with opened(tmp_path) as cache:
        await swept(cache)
        assert (await cache.stats()).units == 225


@pytest.mark.parametrize("value", [b"\0", sealed(instance(1).text, b"\0")], ids=["no seal", "no meta"])
async def test_a_row_that_is_not_ours_is_swept(tmp_path: Path, value: bytes) -> None:
    await some_units(tmp_path)
    connection = sqlite3.connect(tmp_path / "cache" / "units" / "cache.db")
    with connection:
        connection.execute("INSERT INTO Cache (key, raw, mode, value) VALUES ('strange', 1, 1, 5)")
        connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (value, instance(1).text))
    connection.close()
    async with opened(tmp_path) as cache:
        await swept(cache)
        assert await cache._desk.run(lambda: len(cache._shelf.rows(0, 10))) == 2
        assert (await cache.stats()).units == 2


async def test_rows_that_lost_their_file_or_its_bytes_are_swept_and_counted(tmp_path: Path) -> None:
    """What a power cut leaves would otherwise count towards `size` until somebody asks for it."""
    await some_units(tmp_path, 5)
    gone, cut, linked, folder, _ = unit_files(tmp_path)
    gone.unlink()
    cut.write_bytes(b"")
    linked.unlink()
    linked.symlink_to("/dev/null")
    folder.unlink()
    folder.mkdir()
    await asyncio.sleep(0.2)  # file times are coarse: what is swept must be older than the start
    async with opened(tmp_path) as cache:
        before = (await cache.stats()).bytes
        await swept(cache)
        stats = await cache.stats()
        assert (stats.units, cache.counts.damaged) == (1, 4)
        assert stats.bytes < before / 3
        assert [await holds(cache, number) for number in range(1, 6)].count(True) == 1
        assert len([path for path in unit_files(tmp_path) if path.is_file()]) == 1, "a folder stops nothing"


async def test_a_row_that_has_another_file_by_now_is_not_swept(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), noise(5000, 1))
        before = await cache._desk.run(cache._shelf.rows, 0, 10)
        await put(cache, instance(1), noise(5000, 2))
        assert await cache._desk.write(cache._sweep._remove_lost, before) == 0
        assert await got(cache, instance(1)) == noise(5000, 2)


async def test_someone_empties_the_directory_while_it_runs(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), b"one")
        assert await got(cache, instance(1)) == b"one"
        for folder in [*(tmp_path / "cache/units").glob("??"), tmp_path / "cache/parts"]:
            shutil.rmtree(folder)
        assert await got(cache, instance(1)) is None
        await put(cache, instance(1), b"again")
        assert await got(cache, instance(1)) == b"again"
        await swept(cache)
        for entry in (tmp_path / "cache").iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        assert await got(cache, instance(1)) is None
        await put(cache, instance(2), b"two")


def test_a_folder_that_eviction_removed_meanwhile_is_passed_over(tmp_path: Path) -> None:
    _remove_orphans(tmp_path / "gone", array("Q"), 0.0)


async def test_a_sweep_that_the_disk_refuses_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as cache:

        def fail(*args: object) -> None:
            raise OSError("no")

        monkeypatch.setattr(cache._shelf, "rows", fail)
        await swept(cache)
        assert "ended early" in caplog.text
