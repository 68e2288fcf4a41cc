"""What every fill of a cache works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from edgerouter.cache.adopting import Adopting
from edgerouter.cache.counts import Counts
from edgerouter.cache.moments import Moments
from edgerouter.cache.partfile import Opener, open_new
from edgerouter.cache.readers import Readers
from edgerouter.cache.reading import Reading
from edgerouter.cache.room import Room
from edgerouter.cache.start import Start
from edgerouter.cache.units import Units

# What is written down of an instance's frames, b"" when that could not be found out. Never raises.
FrameNotes = Callable[[Path], Awaitable[bytes]]


async def no_notes(path: Path) -> bytes:
    """For a cache that is not asked for frames of instances."""
    return b""


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
    frames: FrameNotes = no_notes
    adopting: Adopting = field(default_factory=Adopting)
