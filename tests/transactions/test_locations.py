"""What is remembered of where things are: bounded, forgetful, and never more than was said."""

from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.rows import Row
from edgerouter.transactions.locations import FRESH, Locations

KEYS = st.sampled_from([("1",), ("2",), ("3",), ("1", "1.1"), ("2", "2.1", "7")])
ROWS = st.lists(st.builds(Row, KEYS, st.just(b""), st.sampled_from("ab"), st.just(""), st.integers(-1, 3)))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_holders_are_those_that_said_so_the_one_with_most_first() -> None:
    locations = Locations()
    locations.learn("1.2", "", "a", 3)
    locations.learn("1.2", "", "b", 5)
    locations.learn("1.2", "", "c", 5)

    assert locations.holders("1.2", "", ["a", "b", "c"]) == ["b", "c", "a"]
    assert locations.holders("1.2", "", ["c", "b"]) == ["c", "b"]
    assert locations.holders("1.3", "", ["a"]) == []


def test_who_says_no_number_is_kept_with_the_last_one_it_said() -> None:
    locations = Locations()
    locations.learn("1.2", "", "a", 3)
    locations.learn("1.2", "", "b")
    locations.learn("1.2", "", "a")

    assert locations.holders("1.2", "", ["b", "a"]) == ["a", "b"]


def test_a_series_tells_of_its_study_and_not_the_other_way_round() -> None:
    locations = Locations()
    locations.learn_row(("1.2", "3.4"), "a", 7)
    locations.learn_row(("1.5",), "b", 7)
    locations.learn_row(("1.6", "3.6", "9"), "a", -1)

    assert locations.holders("1.2", "", ["a"]) == locations.holders("1.2", "3.4", ["a"]) == ["a"]
    assert locations.holders("1.5", "3.4", ["b"]) == []
    assert locations.holders("1.6", "3.6", ["a"]) == ["a"]
    assert locations.holders("1.2", "3.5", ["a"]) == []


@given(before=ROWS, rows=ROWS)
def test_many_rows_say_what_each_of_them_says(before: list[Row], rows: list[Row]) -> None:
    one_by_one, together = (Locations(clock=Clock()) for _ in range(2))
    for locations in (one_by_one, together):
        for row in before:
            if row.instances == 0:
                locations.learn_lack(row.key[0], "", [row.source])
            else:
                locations.learn_row(row.key, row.source, row.instances)
    for row in rows:
        one_by_one.learn_row(row.key, row.source, row.instances)
    together.learn_rows(rows)

    assert together._studies == one_by_one._studies
    assert list(together._studies) == list(one_by_one._studies)  # the last one will be forgotten last
    assert len(together) == len(one_by_one)


@given(rows=ROWS)
def test_many_rows_at_once_are_not_more_than_it_holds(rows: list[Row]) -> None:
    locations = Locations(2)
    locations.learn_rows(rows)

    assert len(locations) <= 2


def test_what_was_said_long_ago_is_not_known_any_more() -> None:
    clock = Clock()
    locations = Locations(clock=clock)
    locations.learn("1.2", "", "a")
    clock.now += FRESH - 1
    locations.learn("1.2", "", "b")
    assert locations.holders("1.2", "", ["a", "b"]) == ["a", "b"]
    clock.now += 1

    assert locations.holders("1.2", "", ["a", "b"]) == ["b"]


def test_who_lacks_a_study_lacks_its_series_until_it_says_otherwise() -> None:
    clock = Clock()
    locations = Locations(clock=clock)
    locations.learn("1.2", "", "a")
    locations.learn_lack("1.2", "", ["b", "c"])
    locations.learn_lack("1.2", "3.4", ["a"])

    assert locations.holders("1.2", "", "abc") == ["a"]
    assert locations.lacking("1.2", "", "abc") == {"b", "c"}
    assert locations.lacking("1.2", "3.4", "abc") == {"a", "b", "c"}
    locations.learn("1.2", "", "b", 2)
    assert locations.holders("1.2", "", "abc") == ["b", "a"]
    assert locations.lacking("1.2", "", "abc") == {"c"}
    clock.now += FRESH
    assert locations.lacking("1.2", "3.4", "abc") == set()


def test_a_study_is_forgotten_with_its_series_at_one_upstream_or_at_all() -> None:
    locations = Locations()
    for upstream in ("a", "b"):
        locations.learn_row(("1.2", "3.4"), upstream, 1)

    locations.forget("1.2", "a")
    assert locations.holders("1.2", "", ["a", "b"]) == locations.holders("1.2", "3.4", ["a", "b"]) == ["b"]
    locations.forget("1.2")
    assert (locations.holders("1.2", "", ["a", "b"]), len(locations)) == ([], 0)
    locations.forget("1.3")
    locations.forget("1.3", "a")


def test_the_study_least_recently_spoken_of_goes_first() -> None:
    locations = Locations(capacity=4)
    locations.learn_row(("1", "1.1"), "a", 1)
    locations.learn_row(("2", "2.1"), "a", 1)
    locations.learn("1", "", "b")
    locations.learn("3", "", "a")

    assert len(locations) == 3
    assert locations.holders("2", "", ["a"]) == []
    assert locations.holders("1", "1.1", ["a"]) == ["a"]


def test_a_study_of_more_series_than_there_is_room_for_is_not_kept() -> None:
    locations = Locations(capacity=10)
    for number in range(100):
        locations.learn_row(("1", f"1.{number}"), "a", 1)
        assert len(locations) <= 10
