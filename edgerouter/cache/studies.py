"""The catalog's table of studies: last use, pins, dates and weight; all calls on the desk's thread."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Weight(NamedTuple):
    """What the studies of one upstream take of the disk, in bytes, and the pinned among them."""

    bytes: int = 0
    pinned: int = 0


@dataclass(frozen=True, slots=True)
class Study:
    """A study of one upstream, as the catalog knows it.

    `study_date` is DICOM DA or ""; `changed_at` is when its listing was last seen to change or was made
    void, 0 for never; times are Unix seconds; `bytes` is what it takes of the disk.
    """

    upstream: str
    study: str
    last_used: float
    pinned: bool
    study_date: str
    changed_at: float
    bytes: int


_COLUMNS = "upstream, study, last_used, pinned, study_date, changed_at, bytes"


class Studies:
    """Rows of studies."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection.execute
        self._many = connection.executemany

    @property
    def bytes(self) -> int:
        """What all studies together take of the disk."""
        return int(self._sql("SELECT bytes FROM total").fetchone()[0])

    @property
    def weights(self) -> dict[str, Weight]:
        """The same for each upstream that ever had one."""
        return {
            row[0]: Weight(row[1], row[2]) for row in self._sql("SELECT upstream, bytes, pinned FROM weight")
        }

    def id(self, upstream: str, study: str) -> int | None:
        row = self._sql("SELECT id FROM study WHERE study = ? AND upstream = ?", (study, upstream)).fetchone()
        return int(row[0]) if row else None

    def made(self, upstream: str, study: str, now: float) -> int:
        """The study's row number, the row being made if there is none."""
        found = self.id(upstream, study)
        if found is not None:
            return found
        made = self._sql(
            "INSERT INTO study (upstream, study, last_used) VALUES (?, ?, ?)", (upstream, study, now)
        )
        return int(made.lastrowid or 0)

    def get(self, upstream: str, study: str) -> Study | None:
        rows = self._all("WHERE study = ? AND upstream = ?", (study, upstream))
        return rows[0] if rows else None

    def of(self, upstream: str | None, study: str | None) -> list[Study]:
        """The studies of an upstream, of a study UID, of both, or all."""
        return self._all(
            "WHERE (?1 IS NULL OR study = ?1) AND (?2 IS NULL OR upstream = ?2)", (study, upstream)
        )

    def by_use(self, limit: int, upstream: str | None = None) -> list[Study]:
        """Those that are not pinned, of an upstream or of all, least recently used first."""
        return self._all(
            "WHERE pinned = 0 AND (?1 IS NULL OR upstream = ?1) ORDER BY last_used LIMIT ?2",
            (upstream, limit),
        )

    def used(self, uses: Iterable[tuple[str, str, float]]) -> None:
        """(upstream, study, when): note the last use; unknown studies are left unknown."""
        self._many(
            "UPDATE study SET last_used = max(last_used, ?3) WHERE study = ?2 AND upstream = ?1", list(uses)
        )

    def date(self, upstream: str, study: str, study_date: str) -> None:
        self._sql(
            "UPDATE study SET study_date = ?1 WHERE study = ?2 AND upstream = ?3 AND study_date <> ?1",
            (study_date, study, upstream),
        )

    def changed(self, upstream: str | None, study: str, now: float) -> None:
        self._sql(
            "UPDATE study SET changed_at = ?3 WHERE study = ?2 AND (?1 IS NULL OR upstream = ?1)",
            (upstream, study, now),
        )

    def forget(self, upstream: str, study: str) -> None:
        """Remove the row of a study that has nothing left."""
        self._sql("DELETE FROM study WHERE study = ? AND upstream = ?", (study, upstream))

    def count(self) -> int:
        return int(self._sql("SELECT count(*) FROM study").fetchone()[0])

    def _all(self, where: str, values: tuple[object, ...]) -> list[Study]:
        rows = self._sql(f"SELECT {_COLUMNS} FROM study {where}", values)
        return [Study(row[0], row[1], row[2], bool(row[3]), *row[4:]) for row in rows]
