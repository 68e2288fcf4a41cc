"""Keeps the index true to the folder: a scan at the start, and then whenever enough time has passed.

A scan only walks; files are read when they are new or have changed. While the folder cannot be read, what
is known of it stays known, and the archive says that it is away.
"""

import asyncio
import logging
import time
from collections.abc import Iterator

from edgerouter.errors import ConnectError, ResponseTimeout
from edgerouter.metrics import UPSTREAM_UP
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Counts, Index
from edgerouter.upstream.folder.walk import MAX_FILES, Found, Walk

log = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds between scans, or
_SHARE = 20  # times as long as the last one took


class Scanner:
    """Scans one folder. `fault` says why the last scan could not be made, None when it could."""

    def __init__(self, holdings: Holdings) -> None:
        self.fault: str | None = None
        self.faults = 0  # in a row
        self.counts = Counts(0, 0, 0, 0)
        self._holdings = holdings
        self._tried = asyncio.Event()
        self._complete = False
        self._lock = asyncio.Lock()

    @property
    def ready(self) -> bool:
        """Whether the whole folder was seen once."""
        return self._complete

    async def wait(self, patience: float) -> None:
        """Return when the folder is known and can be read.

        Raises ConnectError when it cannot be, ResponseTimeout when its first scan takes longer than
        `patience` seconds."""
        name = self._holdings.name
        try:
            async with asyncio.timeout(patience):
                await self._tried.wait()
        except TimeoutError:
            raise ResponseTimeout(
                "The folder is still being read for the first time.", upstream=name
            ) from None
        if self.fault:
            raise ConnectError("The folder cannot be read.", upstream=name)

    async def watch(self, interval: float) -> None:
        """Scan for ever."""
        while True:
            began = time.monotonic()
            await self.scan()
            await asyncio.sleep(max(interval, _SHARE * (time.monotonic() - began)))

    async def scan(self) -> None:
        """See what is in the folder now; a folder that cannot be read is a `fault`."""
        async with self._lock:
            try:
                await self._scan()
            except OSError as error:
                self._failed(error.strerror or "It cannot be read.")
            except ConnectError as error:
                self._failed(error.detail)
            except Exception as error:  # what nobody foresaw must not end the router
                self._failed(type(error).__name__)
            else:
                self._succeeded()
            self._tried.set()

    async def _scan(self) -> None:
        holdings = self._holdings
        walk = Walk(holdings.root)
        batches = iter(walk)
        await holdings.ask(Index.begin_scan)
        news = 0
        while batch := await holdings.files.run(_next, batches):
            for found in await holdings.ask(Index.pass_over, batch):
                await holdings.take(found)
                news += 1
        if walk.whole:
            news += await holdings.ask(Index.end_scan)
        if news or not self._complete:
            await self.count()
            self._tell(walk)
        self._complete = True

    async def count(self) -> None:
        """Bring `counts` up to date."""
        self.counts = await self._holdings.ask(Index.counts)

    def _tell(self, walk: Walk) -> None:
        """File names may hold patient data (law 12): only numbers are told."""
        name = self._holdings.name
        log.info("upstream %s: %d studies, %d instances", name, self.counts.studies, self.counts.instances)
        if self.counts.unusable or self.counts.doubles:
            log.warning(
                "upstream %s: %d files are no PS3.10 files we can read, %d hold instances that others hold",
                name,
                self.counts.unusable,
                self.counts.doubles,
            )
        if walk.full:
            log.warning("upstream %s: only its first %d files are served", name, MAX_FILES)
        if not walk.whole:
            log.warning("upstream %s: some of its folders cannot be read", name)

    def _failed(self, reason: str) -> None:
        self.faults += 1
        if self.fault is None:
            log.error("upstream %s: its folder cannot be served: %s", self._holdings.name, reason)
        self.fault = reason
        UPSTREAM_UP.labels(self._holdings.name).set(0)

    def _succeeded(self) -> None:
        if self.fault is not None:
            log.info("upstream %s: its folder can be served again", self._holdings.name)
        self.fault, self.faults = None, 0
        UPSTREAM_UP.labels(self._holdings.name).set(1)


def _next(batches: Iterator[list[Found]]) -> list[Found]:
    return next(batches, [])
