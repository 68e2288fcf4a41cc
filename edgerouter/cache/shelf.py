"""Units on disk, seen from the desk's thread: diskcache's rows and files, and the catalog's mirror of them.

A unit exists if its diskcache row and its file agree. Written in the order file, row, catalog; whatever a
crash leaves half done is a miss, or an orphan that the sweep at the next start finds.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import diskcache

from edgerouter.cache.database import (
    BUSY,
    Database,
    is_corrupt,
    is_unusable,
    prepare,
    set_aside,
    touch_private,
)
from edgerouter.cache.descriptions import Descriptions
from edgerouter.cache.disk import Adoption, Opened, UnitDisk
from edgerouter.cache.holdings import Holdings
from edgerouter.cache.inventory import Inventory
from edgerouter.cache.listings import DERIVED, Listings, Member, Row
from edgerouter.cache.locations import Locations
from edgerouter.cache.pins import Pins
from edgerouter.cache.studies import Studies
from edgerouter.cache.unit import CHANGED, Held, UnitKey, UnitKind, UnitMeta, is_sealed

_CHANGED = "changed"  # the tag of a row whose unit answers for its frames only
_ANSWERS = "SELECT count(*) FROM (SELECT key, raw, mode, filename, value, size, tag FROM Cache LIMIT 1)"
# diskcache makes attributes and pragmas of whatever is in its table: only what it counts there is believed.
_OWN_SETTINGS = "DELETE FROM Settings WHERE key NOT IN ('count', 'size', 'hits', 'misses')"
_SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "statistics": 0,
    "tag_index": 0,
    "sqlite_auto_vacuum": 0,
    "sqlite_journal_size_limit": 1 << 20,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiskRow:
    """A row of diskcache as it stands in its table; `key` and `meta` are None when they are not ours."""

    number: int
    key: UnitKey | None
    meta: UnitMeta | None
    filename: str
    changed: bool  # its header is known not to be the upstream's any more


class Shelf:
    """The two databases and the unit files, opened together. Made and used on the desk's thread only."""

    def __init__(
        self, units: Path, catalog: Path, suspect: Path, today: Callable[[], date] = date.today
    ) -> None:
        """Open both; a file `suspect` asks for a closer look. Raises sqlite3.Error, OSError."""
        self._suspect = suspect
        closely = suspect.exists()
        self._cache = _opened(units, closely)
        self.database = Database(catalog, closely=closely)
        suspect.unlink(missing_ok=True)
        connection = self.database.connection
        self.studies = Studies(connection)
        self.holdings = Holdings(connection, self.studies)
        self.listings = Listings(connection, self.studies)
        self.locations = Locations(connection)
        self.descriptions = Descriptions(connection)
        self.inventory = Inventory(connection, self.studies, self.listings)
        self.pins = Pins(connection, self.descriptions, today)
        if self.database.is_new and len(self._cache):
            _log.error("the catalog was lost: what was pinned is not known any more, pin it again")
            self.pins.mark_lost(time.time())
        self.bytes = self.studies.bytes  # these two are read by the event loop
        self.weights = self.studies.weights

    def notice(self, error: BaseException) -> None:
        """Remember over a restart that a database is corrupt; until then it is misses."""
        if is_corrupt(error):
            with suppress(OSError):
                touch_private(self._suspect)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction over both; diskcache's rows are committed before the catalog's."""
        committed = False
        try:
            with self.database.transaction(), self._cache.transact():
                yield
            committed = True
        except BaseException:
            self._cache.close()  # opened again at the next call; an open transaction goes with it
            raise
        finally:
            self._cache.disk.settle(committed)
            self._weigh()

    def fetch(self, key: str) -> Opened | None:
        """A unit's file and meta; None when there is no row, or key, row and file do not agree."""
        found: Opened | None = self._cache.get(key)
        return found if found and is_sealed(key, found.row) else None

    def adopt(self, key: UnitKey, adoption: Adoption, now: float) -> None:
        """Make a finished part file a unit, in place of an older one. Raises one of FAILURES."""
        try:
            self._cache.set(key.text, adoption)
            meta = adoption.meta
            self.holdings.add(Held(key, meta.size, meta.stored_at, meta.stored_at, meta.made), now)
            self._forget_derived(key)
        except BaseException:
            discard(adoption)
            with suppress(sqlite3.Error, diskcache.Timeout):
                self._cache.delete(key.text)
            raise

    def put_rows(self, upstream: str, study: str, rows: Iterable[Row], now: float) -> list[Member]:
        """Keep metadata rows; those that say other than before, whose instances' headers are unsure now.

        A row that we made takes the place of an older one only, and says nothing of a change."""
        rows = list(rows)
        known = self.listings.rows(upstream, study, [(row.series, row.instance) for row in rows])
        newer = [(row, old) for row, old in zip(rows, known, strict=True) if _is_newer(row, old)]
        self.listings.put_rows(upstream, study, [row for row, _ in newer], now)
        changed = [
            (row.series, row.instance)
            for row, old in newer
            if old is not None and DERIVED not in (old.validator, row.validator) and old.data != row.data
        ]
        for member in changed:
            self.holdings.doubt(upstream, study, *member)
        return changed

    def remove(self, keys: Iterable[UnitKey]) -> None:
        """Remove units: catalog, row, file."""
        keys = list(keys)
        self.holdings.remove(keys)
        for key in keys:
            self._cache.delete(key.text)

    def rows(self, after: int, limit: int) -> list[DiskRow]:
        """diskcache's rows in order of their numbers, beyond one number."""
        # Its own iteration gives keys only; file names and sizes are needed to find what disagrees.
        rows = self._cache._sql(
            "SELECT rowid, key, raw, value, filename, tag FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, limit),
        )
        return [
            DiskRow(number, _key(key, raw), _meta(key, value), str(name), tag == _CHANGED)
            for number, key, raw, value, name, tag in rows
        ]

    def date_headers(self, keys: Iterable[UnitKey], header_at: float) -> None:
        """Note when the headers of instances were last known to be right, or that they are not (CHANGED)."""
        for key in keys:
            self.holdings.date_header(key, header_at)
            if header_at == CHANGED:  # outlives a lost catalog
                self._forget_derived(key)
                self._cache._sql("UPDATE Cache SET tag = ? WHERE key = ? AND raw = 1", (_CHANGED, key.text))

    def count(self) -> int:
        """How many units there are."""
        return len(self._cache)

    def oldest(self, upstream: str, study: str) -> float | None:
        """When the oldest was asked for of what is here of a study (Unix seconds); None if nothing is."""
        found = self.database.connection.execute(
            "SELECT min(at) FROM ("
            " SELECT min(stored_at) AS at FROM unit WHERE study_id = ?1"
            " UNION ALL SELECT min(fetched_at) FROM metadata WHERE study_id = ?1"
            " UNION ALL SELECT min(fetched_at) FROM listing WHERE study_id = ?1)",
            (self.studies.id(upstream, study),),
        ).fetchone()
        return None if found[0] is None else float(found[0])

    def has_row(self, key: UnitKey) -> bool:
        return key.text in self._cache

    def remove_row(self, number: int, filename: str | None = None) -> bool:
        """Remove a diskcache row that is worth nothing; False if it has another file by now."""
        statement = "DELETE FROM Cache WHERE rowid = ?1 AND (?2 IS NULL OR filename = ?2)"
        return bool(self._cache._sql(statement, (number, filename)).rowcount)

    def close(self) -> None:
        self._cache.close()
        self.database.close()

    def _forget_derived(self, key: UnitKey) -> None:
        """What was made of an instance goes when there is another, or it is known to be wrong."""
        if key.kind is UnitKind.INSTANCE:
            self.listings.forget_derived(key.upstream, key.study, key.series, key.instance)

    def _weigh(self) -> None:
        with suppress(sqlite3.Error):
            self.bytes, self.weights = self.studies.bytes, self.studies.weights


def _opened(units: Path, closely: bool) -> diskcache.Cache:
    """diskcache over its database, which is set aside when it cannot be used.

    Raises sqlite3.Error, OSError."""
    database = units / "cache.db"
    prepare(database, _ANSWERS, closely=closely, tidy=_OWN_SETTINGS)
    try:
        return diskcache.Cache(str(units), timeout=BUSY, disk=UnitDisk, **_SETTINGS)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not is_unusable(error):  # a lock, a full disk
            raise
        set_aside(database)
        touch_private(database)
        return diskcache.Cache(str(units), timeout=BUSY, disk=UnitDisk, **_SETTINGS)


def _is_newer(row: Row, old: Row | None) -> bool:
    return old is None or row.validator != DERIVED or row.fetched_at > old.fetched_at


def discard(adoption: Adoption) -> None:
    """Remove the file of an adoption that did not come about, wherever it got to."""
    with suppress(OSError):
        (adoption.final or adoption.path).unlink()


def _key(key: object, raw: object) -> UnitKey | None:
    if not raw or not isinstance(key, str):
        return None
    try:
        return UnitKey.parse(key)
    except ValueError:
        return None


def _meta(key: object, value: object) -> UnitMeta | None:
    if not isinstance(key, str) or not isinstance(value, bytes) or not is_sealed(key, value):
        return None
    try:
        return UnitMeta.decode(value)
    except OSError:
        return None
