"""What every fill of a cache works with."""

from dataclasses import dataclass
from pathlib import Path

from edgerouter.cache.counts import Counts
from edgerouter.cache.moments import Moments
from edgerouter.cache.partfile import Opener, open_new
from edgerouter.cache.readers import Readers
from edgerouter.cache.reading import Reading
from edgerouter.cache.room import Room
from edgerouter.cache.start import Start
from edgerouter.cache.units import Units


@dataclass(frozen=True, slots=True)
class Means:
    """Handed to each fill; `parts` is the folder of part files."""

    units: Units
    purges: Moments
    room: Room
    readers: Readers
    reading: Reading
    counts: Counts
    start: Start
    parts: Path
    opener: Opener = open_new
