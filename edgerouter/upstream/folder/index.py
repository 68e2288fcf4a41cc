"""What the files of a folder hold: an index in a private database that exists only while we run.

SQLite keeps a bounded part of it in memory and the rest in a file of its own that has no name. All of it
runs in one thread. Where two files hold the same instance, the first by path is the one that counts.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.parsing.worker import Entry
from edgerouter.upstream.folder.walk import Found

_CACHE = 32 << 10  # KiB of the database in memory
_SCHEMA = """
CREATE TABLE file (
  id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, stamp TEXT NOT NULL, scan INTEGER NOT NULL,
  study TEXT, series TEXT, instance TEXT, syntax TEXT, modality TEXT, size INTEGER, pixels INTEGER,
  moment TEXT, series_number INTEGER, number INTEGER, current INTEGER NOT NULL DEFAULT 0);
CREATE INDEX by_place ON file (study, series, instance, path);
CREATE INDEX by_instance ON file (instance);
CREATE INDEX by_scan ON file (scan);
CREATE TABLE text (
  id INTEGER PRIMARY KEY, study_row BLOB, series_row BLOB, instance_row BLOB, attributes BLOB,
  metadata BLOB, frames BLOB);
"""
_MEMBER = "id, path, stamp, study, series, instance, syntax, size, pixels"
_ORDER = "series_number IS NULL, series_number, series, number IS NULL, number, instance"
_RANKED = {
    Level.STUDY: """
      SELECT id, study, group_concat(DISTINCT modality), count(DISTINCT series), count(*),
             min(series || ' ' || instance), moment
      FROM file WHERE current {where} GROUP BY study ORDER BY moment DESC, study""",
    Level.SERIES: f"""
      SELECT id, study, modality, 1, count(*), min(instance)
      FROM file WHERE current {{where}} GROUP BY study, series ORDER BY study, {_ORDER}""",
    Level.INSTANCE: f"""
      SELECT id, study, modality, 1, 1
      FROM file WHERE current {{where}} ORDER BY study, {_ORDER}""",
}


class Member(NamedTuple):
    """An instance that can be served, and the file it is in (its path below the folder)."""

    id: int
    path: bytes
    stamp: str
    study: str
    series: str
    instance: str
    syntax: str
    size: int
    has_pixels: bool


class Candidate(NamedTuple):
    """A study, series or instance that a search may find; `id` is the file whose attributes stand for it."""

    id: int
    study: str
    modalities: tuple[str, ...]
    series: int
    instances: int


class Texts(NamedTuple):
    """DICOM JSON objects of one file, see worker.Entry."""

    study_row: bytes
    series_row: bytes
    instance_row: bytes
    attributes: bytes


class Counts(NamedTuple):
    """`unusable` files are no PS3.10 files we can read, `doubles` hold instances that others hold, too."""

    studies: int
    instances: int
    unusable: int
    doubles: int


class Index:
    """To be made, used and closed in one thread."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for pragma in (f"cache_size = -{_CACHE}", "temp_store = FILE", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_SCHEMA)
        self._scan = 0

    def close(self) -> None:
        self._database.close()

    # What a scan does

    def begin_scan(self) -> None:
        """From now on, what is passed over or put is known to be there."""
        self._scan += 1

    def pass_over(self, batch: Sequence[Found]) -> list[Found]:
        """Those of the files that are new or have changed; the others stay as they are."""
        update = "UPDATE file SET scan = ? WHERE path = ? AND stamp = ?"
        with self._database:
            self._database.execute("BEGIN")
            return [
                found
                for found in batch
                if not self._database.execute(update, (self._scan, found.path, found.stamp)).rowcount
            ]

    def end_scan(self) -> int:
        """Forget what was not seen since the scan began; returns how many files that were."""
        gone = self._rows("SELECT path FROM file WHERE scan < ?", self._scan)
        self.forget(path for (path,) in gone)
        return len(gone)

    def put(self, found: Found, entry: Entry | None) -> None:
        """This is what the file holds; None for what cannot be used."""
        with self._database:
            self._database.execute("BEGIN")
            self._remove(found.path)
            cursor = self._database.execute(
                "INSERT INTO file (path, stamp, scan) VALUES (?, ?, ?)", (*found, self._scan)
            )
            if entry is not None:
                self._fill(cursor.lastrowid, entry)

    def forget(self, paths: Iterable[bytes]) -> None:
        """These files are gone."""
        with self._database:
            self._database.execute("BEGIN")
            for path in paths:
                self._remove(path)

    def _fill(self, row: int | None, entry: Entry) -> None:
        place = (entry.study, entry.series, entry.instance)
        self._database.execute(
            "UPDATE file SET study = ?, series = ?, instance = ?, syntax = ?, modality = ?, size = ?,"
            " pixels = ?, moment = ?, series_number = ?, number = ? WHERE id = ?",
            (
                *place,
                entry.transfer_syntax,
                entry.modality,
                entry.size,
                entry.has_pixels,
                entry.moment,
                entry.series_number,
                entry.number,
                row,
            ),
        )
        texts = (entry.study_row, entry.series_row, entry.instance_row, entry.attributes)
        self._database.execute(
            "INSERT INTO text VALUES (?, ?, ?, ?, ?, ?, ?)", (row, *texts, entry.metadata, entry.frames)
        )
        self._choose(place)

    def _remove(self, path: bytes) -> None:
        for row, *place in self._rows("SELECT id, study, series, instance FROM file WHERE path = ?", path):
            self._database.execute("DELETE FROM file WHERE id = ?", (row,))
            self._database.execute("DELETE FROM text WHERE id = ?", (row,))
            self._choose(tuple(place))

    def _choose(self, place: tuple[Any, ...]) -> None:
        self._database.execute(
            "UPDATE file SET current = (path = (SELECT min(path) FROM file WHERE study = ?1 AND series = ?2"
            " AND instance = ?3)) WHERE study = ?1 AND series = ?2 AND instance = ?3",
            place,
        )

    # What is asked

    def counts(self) -> Counts:
        studies, instances, unusable, doubles = self._rows(
            "SELECT count(DISTINCT CASE WHEN current THEN study END), coalesce(sum(current), 0),"
            " coalesce(sum(instance IS NULL), 0), coalesce(sum(instance IS NOT NULL AND NOT current), 0)"
            " FROM file"
        )[0]
        return Counts(studies, instances, unusable, doubles)

    def members(self, resource: Resource) -> list[Member]:
        """The instances of a study, a series, or the one instance, in the order of their numbers."""
        where, values = _where(resource)
        sql = f"SELECT {_MEMBER} FROM file WHERE current {where} ORDER BY {_ORDER}"
        return [Member(*row) for row in self._rows(sql, *values)]

    def named(self, instance: str) -> list[Member]:
        """Every file that holds an instance of that SOP Instance UID, in whatever study."""
        return [
            Member(*row) for row in self._rows(f"SELECT {_MEMBER} FROM file WHERE instance = ?", instance)
        ]

    def candidates(self, resource: Resource, uids: Mapping[str, Sequence[str]]) -> list[Candidate]:
        """What a search of that collection may find, in the order of its results: studies by date, the
        newest first, the rest by number. `uids` restricts the columns study, series and instance."""
        where, values = _where(resource)
        for column, wanted in uids.items():
            where += f" AND {column} IN ({', '.join('?' * len(wanted))})"
            values += tuple(wanted)
        sql = _RANKED[resource.level or Level.STUDY].format(where=where)
        return [
            Candidate(id, study, _modalities(modality), series, instances)
            for id, study, modality, series, instances, *_ in self._rows(sql, *values)
        ]

    def studies(self, uids: Iterable[str]) -> dict[str, Candidate]:
        """The studies of these UIDs as candidates, with all that they hold."""
        sql = _RANKED[Level.STUDY].format(where="AND study = ?")
        found: dict[str, Candidate] = {}
        for uid in uids:
            for id, study, modality, series, instances, *_ in self._rows(sql, uid):
                found[study] = Candidate(id, study, _modalities(modality), series, instances)
        return found

    def texts(self, ids: Iterable[int]) -> Iterator[Texts | None]:
        """The rows and attributes of files, None where a file is gone."""
        for id in ids:
            rows = self._rows(
                "SELECT study_row, series_row, instance_row, attributes FROM text WHERE id = ?", id
            )
            yield Texts(*rows[0]) if rows else None

    def metadata(self, ids: Iterable[int]) -> list[bytes]:
        """The metadata of files, without those that are gone."""
        found = (self.text(id, "metadata") for id in ids)
        return [metadata for metadata in found if metadata is not None]

    def text(self, id: int, column: str) -> bytes | None:
        """One text of a file, None when the file is gone."""
        rows = self._rows(f"SELECT {column} FROM text WHERE id = ?", id)
        return bytes(rows[0][0]) if rows else None

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(sql, values).fetchall()


def _where(resource: Resource) -> tuple[str, tuple[str, ...]]:
    given = (("study", resource.study), ("series", resource.series), ("instance", resource.instance))
    named = [(column, uid) for column, uid in given if uid]
    return "".join(f" AND {column} = ?" for column, _ in named), tuple(uid for _, uid in named)


def _modalities(joined: str | None) -> tuple[str, ...]:
    return tuple(sorted(filter(None, (joined or "").split(","))))
