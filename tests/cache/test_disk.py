"""The hardened Disk: nothing that we did not write is believed, and nothing is ever unpickled."""

import os
import pickle  # noqa: TID251 (a planted one)
import shutil
import sqlite3
import sys
from pathlib import Path

import diskcache
import pytest

from edgerouter.cache.disk import UnitDisk
from tests.cache.support import got, instance, opened, put, unit_files

opened_pickles: list[str] = []


def watch(event: str, args: tuple[object, ...]) -> None:
    if event == "pickle.find_class":
        opened_pickles.append(event)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


def plant(path: Path, statement: str, *values: object) -> None:
    """Change a row behind the cache's back."""
    connection = sqlite3.connect(path / "cache.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


async def test_a_planted_pickle_is_a_miss_and_no_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sys.addaudithook(watch)
    bomb = pickle.dumps(Bomb())
    async with opened(tmp_path) as cache:
        await put(cache, instance(1), b"one")
        await put(cache, instance(2), b"two")
    (tmp_path / "cache/units/aa").mkdir()
    (tmp_path / "cache/units/aa/bb").mkdir()
    (tmp_path / f"cache/units/aa/bb/{'0' * 28}.val").write_bytes(bomb)
    text = instance(1).text
    units = tmp_path / "cache" / "units"
    plant(units, "UPDATE Cache SET mode = 4, filename = NULL, value = ? WHERE key = ?", bomb, text)
    plant(
        units,
        "UPDATE Cache SET mode = 4, filename = ?, value = NULL WHERE key = ?",
        f"aa/bb/{'0' * 28}.val",
        instance(2).text,
    )
    plant(units, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 4, ?)", bomb, bomb)
    async with opened(tmp_path) as cache:
        assert await got(cache, instance(1)) is None
        assert await got(cache, instance(2)) is None
        assert (await cache.stats()).units == 0
    assert not (tmp_path / "exploded").exists()
    assert opened_pickles == []


@pytest.mark.parametrize(
    "change",
    [
        "filename = '../../../etc/passwd'",
        "filename = '/etc/passwd'",
        "filename = NULL",
        "mode = 1",
        "mode = 3",
        "value = 'text'",
        "value = x'00'",
        "value = NULL",
    ],
)
async def test_a_row_that_was_tampered_with_is_a_miss(tmp_path: Path, change: str) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"bytes")
    plant(tmp_path / "cache/units", f"UPDATE Cache SET {change}")
    async with opened(tmp_path) as cache:
        assert await got(cache, instance()) is None
        await put(cache, instance(), b"bytes")
        assert await got(cache, instance()) == b"bytes"


async def test_nobody_else_can_read_anything_in_the_directory(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path) as cache:
            await put(cache, instance(), b"bytes")
            await cache.catalog.put_locations([])
            everything = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
            assert [path for path in everything if path.stat().st_mode & 0o077] == []
            assert any(path.name == "catalog.db-wal" for path in everything)
            assert any(path.name == "cache.db-wal" for path in everything)
    finally:
        os.umask(before)


async def test_what_is_made_again_in_an_emptied_directory_is_ours_alone_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path) as cache:
            for name in ("units", "parts"):
                shutil.rmtree(tmp_path / "cache" / name)
            await put(cache, instance(), b"bytes")
            everything = list((tmp_path / "cache").rglob("*"))
            assert [path for path in everything if path.stat().st_mode & 0o077] == []
    finally:
        os.umask(before)


async def test_file_names_say_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(), b"bytes")
        (path,) = unit_files(tmp_path)
        assert "1.2.840" not in str(path.relative_to(tmp_path))


def test_only_part_files_are_stored_and_only_under_text(tmp_path: Path) -> None:
    cache = diskcache.Cache(str(tmp_path), disk=UnitDisk)
    with pytest.raises(TypeError, match="part files"):
        cache.set("key", b"bytes")
    with pytest.raises(TypeError, match="text"):
        cache.get(("tuple",))
    plant(tmp_path, "INSERT INTO Cache (key, raw, mode) VALUES (?, 0, 4)", pickle.dumps(Bomb()))
    assert list(cache) == [""]
    cache.close()
