"""The catalog's listings and metadata rows; all calls on the desk's thread.

A listing is what an upstream said a study or series contains; a metadata row is one element of a
metadata array, the very bytes the upstream sent, kept compressed. Both are sealed under whose they are.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from edgerouter.cache.studies import Studies
from edgerouter.cache.unit import is_sealed, sealed

# (SeriesInstanceUID, SOPInstanceUID)
Member = tuple[str, str]
DERIVED = "derived"  # in the place of a validator: we made the row of the instance itself
_MOST = 64 << 20  # bytes a listing or a row may unpack to
_members = msgspec.json.Decoder(tuple[Member, ...])


@dataclass(frozen=True, slots=True)
class Listing:
    """What an upstream said a study (`series` is "") or series contains, in its order.

    `complete` is whether it said so with proof; `fetched_at` is when it was asked (Unix seconds).
    """

    upstream: str
    study: str
    series: str
    complete: bool
    fetched_at: float
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """The metadata of one instance: a JSON object as bytes, unrewritten."""

    series: str
    instance: str
    data: bytes
    fetched_at: float
    validator: str = ""


class Listings:
    """Rows of listings and of metadata."""

    def __init__(self, connection: sqlite3.Connection, studies: Studies) -> None:
        self._sql = connection.execute
        self._studies = studies

    def get(self, upstream: str, study: str, series: str) -> Listing | None:
        row = self._sql(
            "SELECT complete, fetched_at, members FROM study CROSS JOIN listing ON study_id = id"
            " WHERE study = ? AND upstream = ? AND series = ?",
            (study, upstream, series),
        ).fetchone()
        is_its = row and is_sealed(_name(upstream, study, series), row[2])
        members = unpacked_members(row[2]) if is_its else None
        return (
            Listing(upstream, study, series, bool(row[0]), row[1], members) if members is not None else None
        )

    def put(self, listing: Listing, now: float) -> None:
        """Keep a listing; one that says other than the last marks the study as changed."""
        before = self.get(listing.upstream, listing.study, listing.series)
        study_id = self._studies.made(listing.upstream, listing.study, now)
        name = _name(listing.upstream, listing.study, listing.series)
        packed = _packed(name, msgspec.json.encode(listing.members))
        self._sql(
            "INSERT INTO listing VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " complete = excluded.complete, fetched_at = excluded.fetched_at, members = excluded.members",
            (study_id, listing.series, listing.complete, listing.fetched_at, packed),
        )
        if before is not None and set(before.members) != set(listing.members):
            self._studies.changed(listing.upstream, listing.study, now)

    def rows(self, upstream: str, study: str, members: Sequence[Member]) -> list[Row | None]:
        """The metadata of some members, in their order, None where there is none."""
        study_id = self._studies.id(upstream, study)
        if study_id is None:
            return [None] * len(members)
        return [self._row(study_id, _name(upstream, study, *member), *member) for member in members]

    def put_rows(self, upstream: str, study: str, rows: Iterable[Row], now: float) -> None:
        study_id = self._studies.made(upstream, study, now)
        for row in rows:
            self._sql(
                "INSERT INTO metadata VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " row = excluded.row, fetched_at = excluded.fetched_at, validator = excluded.validator",
                (
                    study_id,
                    row.series,
                    row.instance,
                    _packed(_name(upstream, study, row.series, row.instance), row.data),
                    row.fetched_at,
                    row.validator,
                ),
            )

    def described(self, upstream: str, study: str, series: str | None) -> list[Member]:
        """Which instances of a study, or of one series of it, have metadata here."""
        rows = self._sql(
            "SELECT series, instance FROM study CROSS JOIN metadata ON study_id = id"
            " WHERE study = ?1 AND upstream = ?2 AND (?3 IS NULL OR series = ?3)",
            (study, upstream, series),
        )
        return [(row[0], row[1]) for row in rows]

    def void(self, upstream: str | None, study: str, now: float) -> None:
        """Drop the listings and metadata of a study, of one upstream or of all: something touched it."""
        for table in ("listing", "metadata"):
            self._sql(
                f"DELETE FROM {table} WHERE study_id IN"
                " (SELECT id FROM study WHERE study = ?2 AND (?1 IS NULL OR upstream = ?1))",
                (upstream, study),
            )
        self._studies.changed(upstream, study, now)

    def forget_derived(self, upstream: str, study: str, series: str, instance: str) -> None:
        """Remove the metadata row of an instance if it is of our making."""
        self._sql(
            "DELETE FROM metadata WHERE study_id = ? AND series = ? AND instance = ? AND validator = ?",
            (self._studies.id(upstream, study), series, instance, DERIVED),
        )

    def forget_some(self, upstream: str, study: str, limit: int) -> int:
        """Remove up to that many metadata rows, and all listings; how many rows went."""
        study_id = self._studies.id(upstream, study)
        self._sql("DELETE FROM listing WHERE study_id = ?", (study_id,))
        return self._sql(
            "DELETE FROM metadata WHERE rowid IN (SELECT rowid FROM metadata WHERE study_id = ? LIMIT ?)",
            (study_id, limit),
        ).rowcount

    def _row(self, study_id: int, name: str, series: str, instance: str) -> Row | None:
        row = self._sql(
            "SELECT row, fetched_at, validator FROM metadata"
            " WHERE study_id = ? AND series = ? AND instance = ?",
            (study_id, series, instance),
        ).fetchone()
        data = unpacked(row[0]) if row and is_sealed(name, row[0]) else None
        return Row(series, instance, data, row[1], row[2]) if data is not None else None


def _name(*of: str) -> str:
    """What a listing or a metadata row is sealed under: upstream, study, series, instance."""
    return "\n".join(of)


def _packed(name: str, plain: bytes) -> bytes:
    return sealed(name, zlib.compress(plain, 1))


def unpacked(data: object) -> bytes | None:
    """The plain bytes before the seal, or None when they are damaged: to the catalog that is a miss."""
    if not isinstance(data, bytes):
        return None
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(data, _MOST)
    except zlib.error:
        return None
    return plain if inflate.eof else None


def unpacked_members(data: object) -> tuple[Member, ...] | None:
    plain = unpacked(data)
    try:
        return None if plain is None else _members.decode(plain)
    except msgspec.MsgspecError:
        return None
