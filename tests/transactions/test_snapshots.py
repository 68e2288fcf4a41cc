"""Lists kept for paging: how long, for whom, and how many bytes of them."""

import json

from edgerouter.dicomweb.merge import Merged, Merger
from edgerouter.dicomweb.resource import Level
from edgerouter.dicomweb.rows import Row
from edgerouter.transactions.snapshots import LIFETIME, YOUNG, Snapshot, Snapshots
from tests.transactions.test_locations import Clock

MERGER = Merger(Level.STUDY, "https://edge/dicomweb", ("a", "b"))


def row(raw: bytes) -> Row:
    return Row(("1.2",), raw, "a", "")


def taken(clock: Clock, *rows: bytes, complete: bool = True) -> Snapshot:
    return Snapshot(tuple(map(row, rows)), MERGER, complete=complete, taken=clock.now)


def test_later_pages_come_from_the_list_that_the_first_came_from() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    one = taken(clock, b"{}", b"{}")
    snapshots.put("key", one)
    clock.now += LIFETIME - 1

    assert snapshots.get("key", 1) is one
    clock.now += 1
    assert snapshots.get("key", 1) is None
    assert snapshots.bytes == 0


def test_a_first_page_is_given_again_only_while_it_is_young() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    snapshots.put("key", taken(clock, b"{}"))

    assert snapshots.get("key", 0) is not None
    clock.now += YOUNG
    assert snapshots.get("key", 0) is None
    assert snapshots.get("key", 1) is not None


def test_an_incomplete_list_is_never_a_first_page_again() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    snapshots.put("key", taken(clock, b"{}", complete=False))

    assert snapshots.get("key", 0) is None
    assert snapshots.get("key", 1) is not None
    assert snapshots.get("other", 1) is None


def test_all_lists_together_stay_below_their_bytes() -> None:
    clock = Clock()
    size = taken(clock, b"x" * 1000).size
    snapshots = Snapshots(capacity=3 * size, clock=clock)
    for key in "abc":
        snapshots.put(key, taken(clock, b"x" * 1000))
    snapshots.get("a", 1)
    snapshots.put("d", taken(clock, b"x" * 1000))

    assert [key for key in "abcd" if snapshots.get(key, 1)] == ["a", "c", "d"]
    assert snapshots.bytes == 3 * size


def test_a_list_too_large_is_not_kept_and_pushes_nobody_out() -> None:
    clock = Clock()
    snapshots = Snapshots(capacity=2000, clock=clock)
    snapshots.put("a", taken(clock, b"{}"))
    snapshots.put("b", taken(clock, b"x" * 3000))

    assert snapshots.get("a", 1)
    assert snapshots.get("b", 1) is None


def test_a_new_list_takes_the_place_of_the_old_one() -> None:
    clock = Clock()
    snapshots = Snapshots(clock=clock)
    snapshots.put("a", taken(clock, b"x" * 3000))
    new = taken(clock, b"{}")
    snapshots.put("a", new)

    assert snapshots.get("a", 1) is new
    assert snapshots.bytes == new.size


def test_a_list_without_rows_counts_too() -> None:
    assert Snapshot((), MERGER).size > 0


def test_a_row_of_one_source_becomes_ours_when_it_is_needed() -> None:
    merged = Merged(("1.3",), b"{}", "", {"a": 1, "b": 2})
    snapshot = Snapshot((row(b'{"00080020":{"vr":"DA"}}'), merged), MERGER)

    assert list(json.loads(snapshot.match(0).body)) == ["00080020", "00081190", "0020000D"]
    assert snapshot.match(1) is merged
