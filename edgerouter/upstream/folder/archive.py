"""The embedded archive behind the seam: a folder, asked in this process as an origin server is over HTTP."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from edgerouter import metrics
from edgerouter.dicomweb.resource import Kind, Transaction, parse
from edgerouter.errors import MethodNotAllowed, RequestError, UpstreamError
from edgerouter.upstream.folder.answer import FolderAnswer, refusal
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.index import Counts
from edgerouter.upstream.folder.landing import sweep
from edgerouter.upstream.folder.retrieve import Retrieve
from edgerouter.upstream.folder.scan import INTERVAL, Scanner
from edgerouter.upstream.folder.search import MAX_RESULTS, search
from edgerouter.upstream.folder.store import Store
from edgerouter.upstream.health import Report, State
from edgerouter.upstream.limiter import Limiter
from edgerouter.upstream.profiles import STANDARD, Searching, everywhere
from edgerouter.upstream.seam import Outbound

log = logging.getLogger(__name__)

FOLDER = replace(
    STANDARD, name="folder", search=Searching(page_limits=everywhere(MAX_RESULTS)), derive_metadata=True
)
PATIENCE = 30.0  # seconds that a request waits for the first scan


class FolderArchive:
    """See seam.Archive. A context: as long as it is entered, `folder` is watched and can be asked.

    It takes uploads if the folder may be written to when the archive is made. `interval` is the least number
    of seconds between two scans, `patience` how long a request waits for the first one.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        concurrency: int = 8,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self.profile = FOLDER
        # RFC 6761: no host can have this name, so a link that leaked could lead nowhere.
        self.bases = (f"http://{name}.folder.invalid",)
        self.limiter = Limiter(name, concurrency, patience=patience)
        self._holdings = Holdings(name, os.fsencode(folder.resolve()), self.bases[0])
        self._scanner = Scanner(self._holdings)
        self._retrieve = Retrieve(self._holdings)
        self._store = Store(self._holdings)
        self._writable = os.access(folder, os.W_OK)
        self._interval = interval
        self._patience = patience
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._holdings)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        watcher = group.create_task(self._watch(), name=f"watch {self.name}")
        self._stack.callback(watcher.cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def healthy(self) -> bool:
        """Whether the folder could be read when it was last looked at."""
        return self._scanner.fault is None

    @property
    def health(self) -> Report:
        scanner = self._scanner
        state = State.UP if scanner.fault is None else State.EJECTED
        return Report(state, 0.0, scanner.faults, scanner.fault, None)

    @property
    def ready(self) -> bool:
        """Whether its first scan is done."""
        return self._scanner.ready

    @property
    def counts(self) -> Counts:
        """What the last scan found."""
        return self._scanner.counts

    def takes(self, transaction: Transaction) -> bool:
        """See seam.Archive.takes."""
        if transaction is Transaction.STORE:
            return self._writable
        return transaction is not Transaction.CAPABILITIES

    def url(self, outbound: Outbound) -> str:
        """See seam.Archive.url."""
        query = f"?{outbound.query}" if outbound.query else ""
        return f"{self.bases[0]}{outbound.path}{query}"

    async def rescan(self) -> None:
        """Look now whether the folder has changed."""
        await self._scanner.scan()

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[FolderAnswer]:
        """See seam.Archive.open; what reading the request's body raises is raised, too."""
        async with self.limiter.slot():
            answer = await self._counted(outbound)
            try:
                yield answer
            finally:
                await answer.aclose()

    async def _watch(self) -> None:
        try:
            if swept := await self._holdings.files.run(sweep, self._holdings.root):
                log.info("upstream %s: removed %d unfinished uploads", self.name, swept)
        except OSError as error:
            log.warning("upstream %s: unfinished uploads stay: %s", self.name, error.strerror)
        await self._scanner.watch(self._interval)

    async def _counted(self, outbound: Outbound) -> FolderAnswer:
        labels = (self.name, outbound.transaction)
        started = time.monotonic()
        outcome = "cancelled"
        try:
            answer = await self._answer(outbound)
            outcome = f"{answer.status // 100}xx"
        except UpstreamError as error:
            outcome = error.token
            raise
        finally:
            metrics.UPSTREAM_REQUESTS.labels(*labels, outcome).inc()
        metrics.UPSTREAM_SECONDS.labels(*labels).observe(time.monotonic() - started)
        answer.counted = metrics.UPSTREAM_BYTES.labels(*labels).inc
        return answer

    async def _answer(self, outbound: Outbound) -> FolderAnswer:
        await self._scanner.wait(self._patience)
        if outbound.transaction is Transaction.STORE:
            return await self._stored(outbound)
        try:
            if outbound.method not in ("GET", "HEAD"):
                raise MethodNotAllowed("The method is not supported here.", allow=["GET", "HEAD"])
            if outbound.transaction is Transaction.WADO_URI:
                return await self._retrieve.wado_uri(outbound)
            resource = parse(outbound.path)
            if resource.kind is Kind.COLLECTION:
                return await search(self._holdings, outbound, resource)
            return await self._retrieve.answer(outbound, resource)
        except RequestError as error:
            return refusal(error)

    async def _stored(self, outbound: Outbound) -> FolderAnswer:
        sent = metrics.UPSTREAM_SENT_BYTES.labels(self.name, outbound.transaction).inc
        answer = await self._store.answer(outbound, parse(outbound.path), sent)
        await self._scanner.count()
        return answer
