"""The catalog's table of locations: which upstream was seen to hold a study or series, and when.

All calls on the desk's thread.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 500_000  # rows; the oldest sightings go first


@dataclass(frozen=True, slots=True)
class Location:
    """An upstream was seen to hold a series, or ("" for `series`) something of the study."""

    study: str
    series: str
    upstream: str
    seen_at: float


class Locations:
    """Rows of locations."""

    def __init__(self, connection: sqlite3.Connection, most: int = _MOST) -> None:
        self._sql = connection.execute
        self._many = connection.executemany
        self._most = most
        self._left = 0  # rows that may come before the table is counted again

    def get(self, study: str) -> tuple[Location, ...]:
        rows = self._sql("SELECT study, series, upstream, seen_at FROM location WHERE study = ?", (study,))
        return tuple(Location(*row) for row in rows)

    def put(self, locations: Iterable[Location]) -> None:
        rows = [(row.study, row.series, row.upstream, row.seen_at) for row in locations]
        self._many(
            "INSERT INTO location VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
            rows,
        )
        self._left -= len(rows)
        if self._left < 0:
            self._prune()

    def forget(self, study: str | None, upstream: str | None) -> None:
        """Unlearn a study, an upstream, a study of one upstream, or everything."""
        self._sql(
            "DELETE FROM location WHERE (?1 IS NULL OR study = ?1) AND (?2 IS NULL OR upstream = ?2)",
            (study, upstream),
        )

    def _prune(self) -> None:
        (count,) = self._sql("SELECT count(*) FROM location").fetchone()
        if count > self._most:
            # A tenth more than needed, so that the next search does not prune again.
            goes = count - self._most * 9 // 10
            self._sql(
                "DELETE FROM location WHERE (study, series, upstream) IN"
                " (SELECT study, series, upstream FROM location ORDER BY seen_at LIMIT ?)",
                (goes,),
            )
            count -= goes
        self._left = self._most - count
