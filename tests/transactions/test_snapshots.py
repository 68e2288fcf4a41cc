"""Lists kept for paging: how long, for whom, in memory and on disk, and how many bytes of them."""

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgerouter.dicomweb.merge import Group, Match, Merger
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row
from edgerouter.transactions import snapshots as module
from edgerouter.transactions import spill as spill_module
from edgerouter.transactions.snapshots import LIFETIME, YOUNG, Snapshot, Snapshots
from edgerouter.transactions.spill import Spilled
from tests.transactions.test_locations import Clock

MERGER = Merger(Level.STUDY, "https://edge/dicomweb", ("a", "b"))
STUDIES = Resource(Kind.COLLECTION, Level.STUDY)
ME, HER = "192.0.2.1", "192.0.2.2"


def row(raw: bytes) -> Row:
    return Row(("1.2",), raw, "a", "")


def taken(clock: Clock, *rows: bytes, complete: bool = True) -> Snapshot:
    return Snapshot(tuple(map(row, rows)), MERGER, complete=complete, taken=clock.now)


async def put(snapshots: Snapshots, key: str, snapshot: Snapshot) -> None:
    snapshots.put(key, ME, snapshot)
    await snapshots.settled()


def big(clock: Clock) -> Snapshot:
    return taken(clock, b"x" * 1000)


async def test_later_pages_come_from_the_list_that_the_first_came_from() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    one = taken(clock, b"{}", b"{}")
    snapshots.put("key", ME, one)
    clock.now += LIFETIME - 1

    assert snapshots.get("key", ME, 1) is one
    clock.now += 1
    assert snapshots.get("key", ME, 1) is None
    assert snapshots.bytes == 0


async def test_a_first_page_is_given_again_only_while_it_is_young_but_to_everybody() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    one = taken(clock, b"{}")
    snapshots.put("key", ME, one)

    assert snapshots.get("key", ME, 0) is snapshots.get("key", HER, 0) is one
    clock.now += YOUNG
    assert snapshots.get("key", ME, 0) is None
    assert snapshots.get("key", ME, 1) is snapshots.get("key", HER, 1) is one
    assert snapshots.get("key", "somebody new", 1) is None


async def test_a_newer_list_of_somebody_else_does_not_change_anybody_s_pages() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    mine, hers = taken(clock, b"{}"), taken(clock, b"{}", b"{}")
    snapshots.put("key", ME, mine)
    snapshots.put("key", HER, hers)

    assert snapshots.get("key", ME, 1) is mine
    assert snapshots.get("key", HER, 1) is hers
    assert snapshots.bytes == mine.size + hers.size


async def test_an_incomplete_list_is_never_a_first_page_again() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    snapshots.put("key", ME, taken(clock, b"{}", complete=False))

    assert snapshots.get("key", ME, 0) is None
    assert snapshots.get("key", ME, 1) is not None
    assert snapshots.get("other", ME, 1) is None


async def test_a_list_that_several_waited_for_is_what_each_of_them_pages_through() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    one = taken(clock, b"{}")
    snapshots.put("key", ME, one)
    snapshots.share("key", HER, one)
    snapshots.put("key", ME, taken(clock, b"{}"))

    assert snapshots.get("key", HER, 1) is one


async def test_a_new_list_takes_the_place_of_the_old_one() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    snapshots.put("a", ME, taken(clock, b"x" * 3000))
    new = taken(clock, b"{}")
    snapshots.put("a", ME, new)

    assert snapshots.get("a", ME, 1) is new
    assert snapshots.bytes == new.size


async def test_what_nobody_can_ask_for_any_more_goes_with_the_next(tmp_path: Path) -> None:
    clock = Clock()
    snapshots = Snapshots(tmp_path, capacity=0, clock=clock)
    await put(snapshots, "a", big(clock))
    assert snapshots.spilled > 0
    clock.now += LIFETIME
    new = big(clock)
    await put(snapshots, "b", new)

    assert snapshots.spilled == new.size


async def test_beyond_what_memory_may_hold_the_least_recently_used_go_to_disk(tmp_path: Path) -> None:
    clock = Clock()
    size = big(clock).size
    snapshots = Snapshots(tmp_path, capacity=3 * size, clock=clock)
    lists = {key: big(clock) for key in "abcd"}
    for key in "abc":
        await put(snapshots, key, lists[key])
    snapshots.get("a", ME, 1)
    await put(snapshots, "d", lists["d"])

    assert all(snapshots.get(key, ME, 1) is one for key, one in lists.items())
    assert [key for key, one in lists.items() if isinstance(one.matches, Spilled)] == ["b"]
    assert snapshots.bytes == 3 * size
    assert snapshots.spilled == lists["b"].size
    assert os.listdir(tmp_path) == []  # the file has no name


STUDY: dict[str, Any] = {"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00100020": {"vr": "LO", "Value": ["7"]}}


async def test_a_page_from_disk_is_what_it_was() -> None:
    clock = Clock()
    rows = [read(json.dumps(STUDY).encode(), STUDIES, source, issuer) for source, issuer in ("aN", "bS")]
    matches = (rows[0], Group((rows[1], rows[0]), "order", conflict=True), rows[1])
    snapshot = Snapshot(matches, MERGER, taken=clock.now)
    snapshots = Snapshots(capacity=0, clock=clock)
    await put(snapshots, "key", snapshot)

    assert isinstance(snapshot.matches, Spilled)
    assert len(snapshot) == 3
    for first in range(4):
        for end in range(first, 4):
            assert await snapshot.page(range(first, end)) == list(matches[first:end])


async def test_what_disk_may_hold_is_bounded_too(tmp_path: Path) -> None:
    clock = Clock()
    snapshots = Snapshots(tmp_path, capacity=0, on_disk=3000, clock=clock)
    for key in "abcd":
        await put(snapshots, key, big(clock))

    assert [key for key in "abcd" if snapshots.get(key, ME, 1)] == ["c", "d"]
    assert snapshots.spilled <= 3000


async def test_so_are_the_files_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES", 2)
    clock = Clock()
    snapshots = Snapshots(tmp_path, capacity=0, clock=clock)
    for key in "abc":
        await put(snapshots, key, big(clock))

    assert [key for key in "abc" if snapshots.get(key, ME, 1)] == ["b", "c"]


async def test_a_list_that_fits_nowhere_is_not_kept_and_pushes_nobody_out(tmp_path: Path) -> None:
    clock = Clock()
    snapshots = Snapshots(tmp_path, capacity=2000, on_disk=2000, clock=clock)
    await put(snapshots, "b", taken(clock, b"x" * 3000))
    await put(snapshots, "a", taken(clock, b"{}"))

    assert snapshots.get("a", ME, 1)
    assert snapshots.get("b", ME, 1) is None


async def test_without_a_disk_that_takes_it_a_list_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    snapshots = Snapshots(tmp_path / "not there", capacity=0, clock=clock)
    await put(snapshots, "a", big(clock))

    assert snapshots.get("a", ME, 1) is None
    assert (snapshots.bytes, snapshots.spilled) == (0, 0)
    assert "cannot be kept on disk: No such file or directory" in caplog.text


async def test_a_list_that_is_replaced_while_it_is_written_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    snapshots = Snapshots(tmp_path, capacity=0, clock=clock)
    one = big(clock)

    writing, replaced = threading.Event(), threading.Event()

    def slowly(matches: Sequence[Match], folder: Path | None) -> Spilled:
        writing.set()
        assert replaced.wait(10)
        return spill_module.spill(matches, folder)

    monkeypatch.setattr(module, "spill", slowly)
    snapshots.put("a", ME, one)
    await asyncio.to_thread(writing.wait, 10)
    snapshots.drop(one)
    replaced.set()
    await snapshots.settled()

    assert snapshots.get("a", ME, 1) is None
    assert (snapshots.bytes, snapshots.spilled) == (0, 0)


async def test_a_file_that_was_cut_is_an_error_and_not_half_a_page(tmp_path: Path) -> None:
    clock = Clock()
    snapshot = big(clock)
    snapshots = Snapshots(tmp_path, capacity=0, clock=clock)
    await put(snapshots, "a", snapshot)
    assert isinstance(snapshot.matches, Spilled)
    os.ftruncate(snapshot.matches._file, 100)

    with pytest.raises(OSError, match="not what was written"):
        await snapshot.page(range(1))


async def test_lists_that_come_faster_than_disk_takes_them_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    size = big(clock).size
    go_on = threading.Event()

    def stuck(matches: Sequence[Match], folder: Path | None) -> Spilled:
        assert go_on.wait(10)
        return spill_module.spill(matches, folder)

    monkeypatch.setattr(module, "spill", stuck)
    snapshots = Snapshots(tmp_path, capacity=2 * size, clock=clock)
    for key in "abcdefgh":
        snapshots.put(key, ME, big(clock))
        assert snapshots.bytes <= 4 * size
    go_on.set()
    await snapshots.settled()

    assert [key for key in "abcdefgh" if snapshots.get(key, ME, 1)] == ["a", "f", "g", "h"]
    assert snapshots.bytes == 2 * size


def test_a_list_without_rows_counts_too() -> None:
    assert Snapshot((), MERGER).size > 0
