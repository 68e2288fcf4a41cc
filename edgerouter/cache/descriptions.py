"""What the catalog's metadata says of a study as a whole; all calls on the desk's thread.

One row of each series speaks for it: what is asked here (patient, dates, modality) is the same for all
instances of a series, and nothing else may be asked.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from edgerouter.cache.listings import unpacked
from edgerouter.dicom.matching import Row

STUDY_UID, STUDY_DATE, MODALITY, MODALITIES = "0020000D", "00080020", "00080060", "00080061"
PATIENT_NAME, PATIENT_ID, ISSUER = "00100010", "00100020", "00100021"
# Known without metadata, because a unit's own header told, or its path.
TOLD_ANYWAY = frozenset({STUDY_UID, STUDY_DATE})
_SERIES = 64  # of one study that are looked at
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])  # what is not asked for is not taken apart


class Descriptions:
    """Studies as DICOM JSON rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection.execute

    def rows(self, study_id: int, tags: Collection[str], most: int = _SERIES) -> Sequence[Row]:
        """A row for each series described, `most` at most, with these attributes of it; none where nothing is
        known.

        ModalitiesInStudy is that of the series that are described.
        """
        wanted = {*tags, MODALITY} if MODALITIES in tags else {*tags}
        packed = self._sql(
            "SELECT row, min(instance) FROM metadata WHERE study_id = ? GROUP BY series LIMIT ?",
            (study_id, most),
        )
        rows = [row for (data, _) in packed.fetchall() if (row := _read(data, wanted)) is not None]
        if MODALITIES in tags:
            found = dict.fromkeys(value for row in rows for value in values(row, MODALITY))
            for row in rows:
                row[MODALITIES] = {"vr": "CS", "Value": list(found)}
        return rows

    def bare(self, study_id: int) -> Row:
        """What is known of a study without metadata."""
        study, date = self._sql("SELECT study, study_date FROM study WHERE id = ?", (study_id,)).fetchone()
        row: Row = {STUDY_UID: {"vr": "UI", "Value": [study]}}
        return {**row, STUDY_DATE: {"vr": "DA", "Value": [date]}} if date else row

    def undescribed(self, upstream: str | None) -> int:
        """How many studies there are of which no metadata is here."""
        found = self._sql(
            "SELECT count(*) FROM study WHERE (?1 IS NULL OR upstream = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM metadata WHERE study_id = id)",
            (upstream,),
        )
        return int(found.fetchone()[0])


def values(row: Row, tag: str) -> list[str]:
    """The values of a text attribute; none where there are none, or no texts."""
    element = row.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else []


def _read(data: object, tags: Collection[str]) -> dict[str, Any] | None:
    plain = unpacked(data)
    if plain is None:
        return None
    try:
        found = _members.decode(plain)
        return {tag: msgspec.json.decode(found[tag]) for tag in tags if tag in found}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # what an archive sent, as it came
        return None
