"""The catalog's table of pins, and which studies follow from it; all calls on the desk's thread.

`study.pinned` is a decision with a date: made anew on another day, for another pin, or when more is
known of the study (the catalog's triggers see to that).
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from edgerouter.cache.descriptions import Descriptions
from edgerouter.cache.pin_query import Question, UnusableQuery, question

_SLICE = 64  # studies decided at a time,
_TIME = 0.05  # or as many as there is time for, in seconds: others wait for the desk


@dataclass(frozen=True, slots=True)
class Pin:
    """A study, or what a query finds, is to be kept; `upstream` "" means at all of them.

    One of `study` (StudyInstanceUID) and `query` is "". `made_at` is in Unix seconds.
    """

    upstream: str
    study: str
    query: str
    made_at: float = 0.0


class Pins:
    """Rows of pins. `today` is the day at the site."""

    def __init__(
        self, connection: sqlite3.Connection, descriptions: Descriptions, today: Callable[[], date]
    ) -> None:
        self._sql = connection.execute
        self._descriptions = descriptions
        self._today = today

    def all(self) -> list[Pin]:
        """Those made first come first."""
        rows = self._sql("SELECT upstream, study, query, made_at FROM pin ORDER BY made_at, study, query")
        return [Pin(*row) for row in rows]

    def put(self, pin: Pin) -> None:
        """Pin; whoever does so knows what was lost before."""
        self._sql(
            "INSERT INTO pin VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (pin.upstream, pin.study, pin.query, pin.made_at),
        )
        self._sql("DELETE FROM loss")
        self._reopen()

    def drop(self, pin: Pin) -> bool:
        """Unpin; whether there was such a pin."""
        gone = self._sql(
            "DELETE FROM pin WHERE upstream = ? AND study = ? AND query = ?",
            (pin.upstream, pin.study, pin.query),
        ).rowcount
        self._reopen()
        return gone > 0

    def settle(self) -> bool:
        """Decide on some studies; False when there was none left to decide on."""
        day = self._today()
        judged = f"{day:%Y%m%d}"
        pins = self.all()
        if not pins:
            self._sql("UPDATE study SET pinned = 0, judged = ?1 WHERE judged <> ?1", (judged,))
            return False
        named = {(pin.upstream, pin.study) for pin in pins if pin.study}
        asked = [(pin.upstream, asks) for pin in pins if (asks := _asked(pin, day)) is not None]
        studies = self._sql(
            "SELECT id, upstream, study FROM study WHERE judged <> ? LIMIT ?", (judged, _SLICE)
        ).fetchall()
        deadline = time.monotonic() + _TIME
        for done, (study_id, upstream, study) in enumerate(studies):
            if done and time.monotonic() > deadline:
                return True
            pinned = not named.isdisjoint({(upstream, study), ("", study)}) or self._is_found(
                study_id, [asks for of, asks in asked if of in ("", upstream)]
            )
            self._sql("UPDATE study SET pinned = ?, judged = ? WHERE id = ?", (pinned, judged, study_id))
        return len(studies) == _SLICE

    def count(self) -> int:
        """How many studies are pinned, as far as it is decided."""
        return int(self._sql("SELECT count(*) FROM study WHERE pinned").fetchone()[0])

    def undecided(self, pin: Pin) -> int:
        """How many studies its query cannot be asked of, because no metadata of them is here."""
        asks = _asked(pin, self._today())
        needs = asks is not None and asks.needs_metadata
        return self._descriptions.undescribed(pin.upstream or None) if needs else 0

    def lost_at(self) -> float | None:
        """When pins may have been lost with a catalog (Unix seconds), unless some were made since."""
        row = self._sql("SELECT max(at) FROM loss").fetchone()
        return row[0] if row else None

    def mark_lost(self, at: float) -> None:
        self._sql("INSERT INTO loss VALUES (?)", (at,))

    def _reopen(self) -> None:
        self._sql("UPDATE study SET judged = '' WHERE judged <> ''")

    def _is_found(self, study_id: int, asked: Sequence[Question]) -> bool:
        tags = frozenset[str]().union(*(asks.tags for asks in asked))
        if not tags:
            return False
        rows = self._descriptions.rows(study_id, tags) or [self._descriptions.bare(study_id)]
        return any(asks.matches(row) for row in rows for asks in asked)


def _asked(pin: Pin, day: date) -> Question | None:
    """The question of a pin; None for a study's, and for a query that this version cannot read."""
    try:
        return question(pin.query, day) if pin.query else None
    except UnusableQuery:
        return None
