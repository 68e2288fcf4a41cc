"""How long what is kept counts as fresh, by what it is and how old its study is: pure.

Pixels do not change under a UID, headers may, lists grow; a young study is still growing. Nothing in
DICOMweb says that a study is complete, so a study of unknown date counts as young.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
QUIET = HOUR  # a study whose list changed within this time is still growing


class Kept(StrEnum):
    """What is kept, as far as its lifetime goes."""

    PIXELS = "pixels"  # frames, pixel data, bulkdata values
    INSTANCE = "instance"  # PS3.10 bytes, header included
    METADATA = "metadata"
    LISTING = "listing"
    RENDERED = "rendered"
    THUMBNAIL = "thumbnail"
    VOLUME = "volume"


# Seconds, and seconds while the study is young.
_LIFETIMES = {
    Kept.PIXELS: (30 * DAY, 7 * DAY),
    Kept.INSTANCE: (DAY, 10 * MINUTE),
    Kept.METADATA: (HOUR, 10 * MINUTE),
    Kept.LISTING: (15 * MINUTE, MINUTE),
    Kept.RENDERED: (DAY, DAY),
    Kept.THUMBNAIL: (HOUR, HOUR),
    Kept.VOLUME: (HOUR, HOUR),
}


def is_young(now: float, study_date: str, changed_at: float = 0) -> bool:
    """Whether the study may still grow: less than 48 h old, of no known date, or changed a while ago.

    `now` and `changed_at` (0 for never) are Unix seconds, `study_date` is DICOM DA or "".
    """
    if changed_at > 0 and abs(now - changed_at) < QUIET:
        return True
    try:
        begun = datetime.strptime(study_date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return True
    # The date has neither time nor zone: a study counts as old once it is over everywhere.
    return datetime.fromtimestamp(now, UTC) - begun < timedelta(hours=48 + 36)


def lifetime(kind: Kept, young: bool) -> float:
    """Seconds for which it may be served without asking again."""
    settled, growing = _LIFETIMES[kind]
    return growing if young else settled


def age(fetched_at: float, now: float) -> float:
    """Seconds since it was asked for; never negative, whatever the clock did."""
    return max(0.0, now - fetched_at)


def is_fresh(
    kind: Kept, fetched_at: float, now: float, study_date: str = "", changed_at: float = 0, grace: float = 0
) -> bool:
    """Whether it may be served without asking again; `grace` are seconds that its lifetime is longer.

    A time so far ahead that the clock must have been wrong when it was written is not fresh.
    """
    life = lifetime(kind, is_young(now, study_date, changed_at)) + grace
    return fetched_at - now <= life and age(fetched_at, now) < life
