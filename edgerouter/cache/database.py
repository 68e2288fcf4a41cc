"""SQLite files: looked at before they are used, set aside when they are garbage, open to us alone.

One connection to each, for good: SQLite before 3.51.3 can corrupt a write-ahead log that two write to.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

SCHEMA = 3
BUSY = 0.25  # seconds to wait for a lock nobody should hold
_SOUND = f"SELECT 1 FROM total, pragma_user_version WHERE user_version = {SCHEMA}"
_GARBAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_log = logging.getLogger(__name__)


def is_corrupt(error: BaseException) -> bool:
    """Whether a database turned out to be garbage, rather than locked, full or unreadable just now."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # not SQLite's own word, but the module's on text that is none
        return isinstance(error, UnicodeDecodeError | sqlite3.OperationalError)
    return code & 0xFF in _GARBAGE


def is_unusable(error: BaseException) -> bool:
    """The same, or that it is not of the shape we gave it: tables are missing, or statements fail."""
    return is_corrupt(error) or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def prepare(path: Path, question: str, *, closely: bool, tidy: str = "") -> None:
    """Have a usable file there: one that is new, or answers `question` with a row, once `tidy` is done.

    Anything else is set aside. `closely` reads all of it. Raises sqlite3.Error, OSError when it cannot be
    told.
    """
    touch_private(path)
    if not _is_sound(path, question, closely, tidy):
        set_aside(path)
        touch_private(path)


def touch_private(path: Path) -> None:
    """Make the file if it is missing, for us alone: SQLite's side files get its mode. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


class Database:
    """The connection to the catalog; every call on the desk's thread."""

    def __init__(self, path: Path, *, closely: bool = False) -> None:
        """Open it, looking `closely` if it is suspected of being corrupt. Raises sqlite3.Error, OSError."""
        prepare(path, _SOUND, closely=closely)
        self.connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        run = self.connection.execute
        for pragma in ("journal_mode=wal", "synchronous=normal", "journal_size_limit=1048576"):
            run(f"PRAGMA {pragma}").fetchall()
        self.is_new = run("PRAGMA user_version").fetchone() == (0,)
        if self.is_new:
            schema = files(__package__).joinpath("catalog.sql").read_text("utf-8")
            self.connection.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version={SCHEMA}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction around the block; after a failure nothing is left open."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.connection.close()


def _is_sound(path: Path, question: str, closely: bool, tidy: str) -> bool:
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            return True
        if tidy:
            connection.execute(tidy)
        answered = connection.execute(question).fetchone() is not None
        return answered and (not closely or _checks_out(connection))
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_unusable(error):
            return False
        raise
    finally:
        connection.close()


def _checks_out(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))


def set_aside(path: Path) -> None:
    """Take a broken database and its side files out of the way; the last broken one is kept to look at."""
    _log.error("%s cannot be read as our database: set aside, started anew", path.name)
    path.replace(path.with_name(path.name + ".broken"))
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
