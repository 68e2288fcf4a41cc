"""What is held, study by study and series by series, with the metadata that describes it; all calls on the
desk's thread.

Held is what has a unit: an instance, or frames of one. Metadata alone is nothing that could be shown.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edgerouter.cache.listings import Listings, Member
from edgerouter.cache.listings import Row as Metadata
from edgerouter.cache.studies import Studies

_HELD = "SELECT DISTINCT series, instance FROM unit WHERE study_id = ? AND kind IN ('instance', 'frame')"


@dataclass(frozen=True, slots=True)
class Item:
    """A study, a series or an instance of an upstream of which something is held.

    `members` are the instances of it that are held, as far as a complete listing still has them; `described`
    are rows of its metadata: one of each series of a study, one of a series, that of an instance."""

    study: str
    members: tuple[Member, ...]
    described: tuple[Metadata, ...]


class Inventory:
    """Reads the catalog's tables."""

    def __init__(self, connection: sqlite3.Connection, studies: Studies, listings: Listings) -> None:
        self._sql = connection.execute
        self._studies = studies
        self._listings = listings

    def studies(self, upstream: str) -> list[str]:
        """The studies of an upstream of which something is held."""
        rows = self._sql(
            "SELECT study FROM study WHERE upstream = ?"
            " AND EXISTS (SELECT 1 FROM unit WHERE study_id = id AND kind IN ('instance', 'frame'))",
            (upstream,),
        )
        return [str(row[0]) for row in rows]

    def members(self, upstream: str, study: str) -> tuple[Member, ...]:
        """The instances held of a study."""
        study_id = self._studies.id(upstream, study)
        if study_id is None:
            return ()
        held = {(str(row[0]), str(row[1])): None for row in self._sql(_HELD, (study_id,))}
        listing = self._listings.get(upstream, study, "")
        if listing is None or not listing.complete:
            return tuple(held)
        return tuple(member for member in listing.members if member in held)

    def speakers(self, upstream: str, study: str, members: Sequence[Member]) -> tuple[Metadata, ...]:
        """The metadata of one instance of each series among these, as far as there is any."""
        described = set(self._listings.described(upstream, study, None))
        firsts: dict[str, Member] = {}
        for member in members:
            if member in described:
                firsts.setdefault(member[0], member)
        return self.described(upstream, study, [*firsts.values()])

    def described(self, upstream: str, study: str, members: Sequence[Member]) -> tuple[Metadata, ...]:
        """The metadata of these, as far as there is any."""
        return tuple(row for row in self._listings.rows(upstream, study, members) if row is not None)

    def whole(self, upstream: str, studies: Sequence[str]) -> list[Item]:
        """These studies, each with a row of each of its series."""
        found = []
        for study in studies:
            members = self.members(upstream, study)
            if members:
                found.append(Item(study, members, self.speakers(upstream, study, members)))
        return found
