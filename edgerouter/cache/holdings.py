"""The catalog's table of units: a mirror of diskcache's keys that can be searched by what is asked for.

All calls on the desk's thread. A row here is a belief; the unit exists when diskcache's row and its file
agree.
"""

import sqlite3
from collections.abc import Iterable

from edgerouter.cache.studies import Studies
from edgerouter.cache.unit import UNSURE, Held, UnitKey, UnitKind

# What a look-up names: study, series, instance, kind, which.
Place = tuple[str, str, str, UnitKind, str]
# Where one stands when going through all units.
Position = tuple[int, str, str, str, str, str, str]
FIRST: Position = (-1, "", "", "", "", "", "")
_PLACE = "study_id = ? AND series = ? AND instance = ? AND kind = ? AND which = ?"
_REPRESENTATION = "media = ? AND syntax = ?"


def place(key: UnitKey) -> Place:
    """The look-up that would find this unit."""
    return key.study, key.series, key.instance, key.kind, key.which


class Holdings:
    """Rows of units."""

    def __init__(self, connection: sqlite3.Connection, studies: Studies) -> None:
        self._sql = connection.execute
        self._studies = studies

    def add(self, held: Held, now: float) -> None:
        """A unit came, at `now`."""
        key = held.key
        study_id = self._studies.made(key.upstream, key.study, now)
        self._sql(
            "INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET size = excluded.size, stored_at = excluded.stored_at,"
            " header_at = excluded.header_at, made = excluded.made",
            (study_id, *_inner(key), held.size, held.stored_at, held.header_at, held.made),
        )

    def date_header(self, key: UnitKey, header_at: float) -> None:
        """Note when the header of an instance was last known to be right."""
        study_id = self._studies.id(key.upstream, key.study)
        self._sql(
            f"UPDATE unit SET header_at = ? WHERE study_id = ? AND {_PLACE.partition(' AND ')[2]}"
            f" AND {_REPRESENTATION}",
            (header_at, study_id, *_inner(key)),
        )

    def doubt(self, upstream: str, study: str, series: str, instance: str) -> None:
        """The upstream may have changed the header of an instance."""
        self._sql(
            "UPDATE unit SET header_at = ? WHERE study_id = ? AND series = ? AND instance = ?"
            " AND kind = 'instance' AND header_at > 0",
            (UNSURE, self._studies.id(upstream, study), series, instance),
        )

    def remove(self, keys: Iterable[UnitKey]) -> None:
        for key in keys:
            study_id = self._studies.id(key.upstream, key.study)
            if study_id is not None:
                self._sql(f"DELETE FROM unit WHERE {_PLACE} AND {_REPRESENTATION}", (study_id, *_inner(key)))

    def has(self, key: UnitKey, size: int) -> bool:
        study_id = self._studies.id(key.upstream, key.study)
        found = (
            study_id is not None
            and self._sql(
                f"SELECT 1 FROM unit WHERE {_PLACE} AND {_REPRESENTATION} AND size = ?",
                (study_id, *_inner(key), size),
            ).fetchone()
        )
        return bool(found)

    def find(self, places: Iterable[Place]) -> list[tuple[Held, ...]]:
        """The representations held at each place, from every upstream."""
        return [self._at(place) for place in places]

    def _at(self, place: Place) -> tuple[Held, ...]:
        rows = self._sql(
            "SELECT upstream, media, syntax, size, stored_at, header_at, made"
            " FROM study CROSS JOIN unit ON study_id = id"
            " WHERE study = ? AND series = ? AND instance = ? AND kind = ? AND which = ?",
            place,
        )
        return tuple(_held(UnitKey(row[0], *place, row[1], row[2]), row[3:]) for row in rows)

    def instances(self, study: str, series: str | None) -> list[Held]:
        """Every instance held of a study, or of one series of it, from every upstream."""
        rows = self._sql(
            "SELECT upstream, series, instance, media, syntax, size, stored_at, header_at, made"
            " FROM study CROSS JOIN unit ON study_id = id"
            " WHERE study = ?1 AND (?2 IS NULL OR series = ?2) AND kind = 'instance'",
            (study, series),
        )
        return [
            _held(UnitKey(row[0], study, row[1], row[2], UnitKind.INSTANCE, "", row[3], row[4]), row[5:])
            for row in rows
        ]

    def units(self, upstream: str | None, study: str, instance: str) -> list[UnitKey]:
        """Every unit of one instance, of any kind, from one upstream or from all."""
        rows = self._sql(
            "SELECT upstream, series, instance, kind, which, media, syntax"
            " FROM study CROSS JOIN unit ON study_id = id"
            " WHERE study = ?1 AND (?2 IS NULL OR upstream = ?2) AND instance = ?3",
            (study, upstream, instance),
        )
        return [_key(row[0], study, row[1:]) for row in rows]

    def some(self, upstream: str, study: str, limit: int) -> list[UnitKey]:
        """Some units of a study, of any kind."""
        rows = self._sql(
            "SELECT series, instance, kind, which, media, syntax FROM study CROSS JOIN unit ON study_id = id"
            " WHERE study = ? AND upstream = ? LIMIT ?",
            (study, upstream, limit),
        )
        return [_key(upstream, study, row) for row in rows]

    def of(self, upstream: str, study: str, last: UnitKey | None, limit: int) -> list[UnitKey]:
        """The units of a study in order, behind one of them; for going through it in slices."""
        rows = self._sql(
            "SELECT series, instance, kind, which, media, syntax FROM study CROSS JOIN unit ON study_id = id"
            " WHERE study = ? AND upstream = ?"
            " AND (series, instance, kind, which, media, syntax) > (?, ?, ?, ?, ?, ?)"
            " ORDER BY series, instance, kind, which, media, syntax LIMIT ?",
            (study, upstream, *(_inner(last) if last else FIRST[1:]), limit),
        )
        return [_key(upstream, study, row) for row in rows]

    def count(self, upstream: str | None, study: str | None) -> int:
        """How many units there are of an upstream, of a study UID, of both, or in all."""
        found = self._sql(
            "SELECT count(*) FROM study CROSS JOIN unit ON study_id = id"
            " WHERE (?1 IS NULL OR study = ?1) AND (?2 IS NULL OR upstream = ?2)",
            (study, upstream),
        )
        return int(found.fetchone()[0])

    def after(self, position: Position, limit: int) -> list[tuple[Position, UnitKey]]:
        """The next units of all with their positions; for going through everything in slices."""
        rows = self._sql(
            "SELECT study_id, series, instance, kind, which, media, syntax, upstream, study"
            " FROM unit CROSS JOIN study ON id = study_id"
            " WHERE (study_id, series, instance, kind, which, media, syntax) > (?, ?, ?, ?, ?, ?, ?)"
            " ORDER BY study_id, series, instance, kind, which, media, syntax LIMIT ?",
            (*position, limit),
        )
        return [(row[:7], _key(row[7], row[8], row[1:7])) for row in rows]


def _inner(key: UnitKey) -> tuple[str, ...]:
    return key.series, key.instance, key.kind, key.which, key.media, key.syntax


def _key(upstream: str, study: str, row: tuple[str, ...]) -> UnitKey:
    series, instance, kind, which, media, syntax = row
    return UnitKey(upstream, study, series, instance, UnitKind(kind), which, media, syntax)


def _held(key: UnitKey, row: tuple[int, float, float, int]) -> Held:
    size, stored_at, header_at, made = row
    return Held(key, size, stored_at, header_at, bool(made))
