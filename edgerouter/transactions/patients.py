"""The mapping file of cross-referenced patients, read again when it changes: a bad one leaves the running one
in place and says so. Neither log nor error holds an issuer or an ID (law 12)."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edgerouter.dicomweb.domains import Domains
from edgerouter.dicomweb.patients import MAX_FILE, CrossReference, MappingError, read_mapping
from edgerouter.metrics import MAPPING_READS

logger = logging.getLogger(__name__)

PERIOD = 5.0  # seconds between two looks at the file
State = tuple[int, int, int]  # inode, bytes, nanoseconds of its last change


class Patients:
    """Who is asked for whom, by the issuers of the upstreams and the mapping file as it is now."""

    def __init__(
        self,
        issuers: Mapping[str, str],
        home: str | None = None,
        mapping: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuers = issuers
        self._home = home
        self._mapping = mapping
        self._clock = clock
        self._looked = float("-inf")
        self._state: State | None = None
        self._domains = Domains(issuers, home)
        self._reading = asyncio.Lock()

    async def now(self) -> Domains:
        """As of a few seconds ago at most. The first search waits for the file; later ones, while another
        is reading it, go on with what is known."""
        if self._mapping is None or self._clock() - self._looked < PERIOD:
            return self._domains
        if self._reading.locked() and self._state is not None:
            return self._domains
        async with self._reading:
            if self._clock() - self._looked >= PERIOD:
                await self._look(self._mapping)
                self._looked = self._clock()
        return self._domains

    async def _look(self, path: Path) -> None:
        try:
            state, persons = await asyncio.to_thread(read, path, self._state)
        except (OSError, UnicodeDecodeError, MappingError) as error:
            MAPPING_READS.labels("refused").inc()
            known = len(self._domains.persons)
            logger.error("%s is not used, %d patients stay cross-referenced: %s", path, known, _why(error))
            return
        self._state = state
        if persons is not None:
            MAPPING_READS.labels("read").inc()
            self._domains = Domains(self._issuers, self._home, persons)
            logger.info("%s cross-references %d patients", path, len(persons))


def read(path: Path, known: State | None = None) -> tuple[State, CrossReference | None]:
    """The file's state, and what it says unless its state is the known one. Raises OSError,
    UnicodeDecodeError or MappingError."""
    with path.open("rb") as file:
        status = path.stat()
        state = status.st_ino, status.st_size, status.st_mtime_ns
        if state == known:
            return state, None
        text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise MappingError([(1, f"the file has more than {MAX_FILE} bytes")])
    return state, read_mapping(text.decode("utf-8-sig"))


def _why(error: Exception) -> str:
    """What is wrong, without what the file says."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
