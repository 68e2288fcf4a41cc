"""An archive over HTTP: what is asked of it goes out as one request and comes back as a checked answer."""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from aiohttp.abc import AbstractResolver

from edgerouter import __version__, errors, metrics
from edgerouter.dicomweb.resource import Transaction
from edgerouter.upstream.answer import HttpAnswer
from edgerouter.upstream.faults import is_failing, reason, translated
from edgerouter.upstream.health import Health, Report, retry_after
from edgerouter.upstream.limiter import Limiter
from edgerouter.upstream.profiles import Profile
from edgerouter.upstream.retry import Budget, backoff, may_repeat
from edgerouter.upstream.seam import Outbound
from edgerouter.upstream.target import origin, target
from edgerouter.upstream.transport import AiohttpTransport

log = logging.getLogger(__name__)

VIA = "1.1 edgerouter"
# Ours alone to say: framing, the target, and who asks.
_OWN = ("host", "authorization", "user-agent", "content-length", "transfer-encoding", "connection", "expect")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; each bounds one wait for the upstream. `first_byte` and `store_answer` are for the whole
    response head, from the end of the request on; `between_reads` is for each piece of a body, either way."""

    connect: float = 5.0
    first_byte: float = 30.0
    between_reads: float = 30.0
    store_answer: float = 300.0


class HttpArchive:
    """See seam.Archive. `bases` are its URLs by transaction, `credentials` Authorization values by origin
    (`target.origin` of a URL), sent to that origin and no other."""

    def __init__(
        self,
        name: str,
        profile: Profile,
        bases: Mapping[Transaction, str],
        *,
        aliases: Iterable[str] = (),
        credentials: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        concurrency: int = 8,
        resolver: AbstractResolver | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.profile = profile
        self.bases = tuple(dict.fromkeys([*bases.values(), *aliases]))
        self.transport = AiohttpTransport(tls=tls, resolver=resolver)
        self._bases = dict(bases)
        self._credentials = dict(credentials or {})
        self._timeouts = timeouts or Timeouts()
        self.limiter = Limiter(name, concurrency, patience=self._timeouts.first_byte)
        self._health = Health(name)
        self._budget = Budget()
        self._heard = float("-inf")  # when it last sent a head, or bytes of a body
        self._now = now
        self._sleep = sleep
        self._jitter = jitter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection to it."""
        await self.transport.aclose()

    @property
    def healthy(self) -> bool:
        """Whether to ask it while another could be asked; as the only holder it is asked all the same."""
        return self._health.usable(self._now())

    def overdue(self, seconds: float) -> None:
        """A caller has waited so long in vain, by a deadline of its own: a failure, unless something else
        was heard from the upstream meanwhile. That the exchange was cancelled proves nothing by itself."""
        now = self._now()
        if now - self._heard >= seconds:
            self._health.failed(now, "deadline")

    @property
    def health(self) -> Report:
        return self._health.report(self._now())

    def takes(self, transaction: Transaction) -> bool:
        return transaction in self._bases

    def url(self, outbound: Outbound) -> str:
        """See seam.Archive.url."""
        return str(self._target(outbound))

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[HttpAnswer]:
        """See seam.Archive.open; BadRequest, too, for what cannot be written as a request."""
        request = self._request(outbound)
        async with self.limiter.slot():
            response = await self._persistently(request, outbound.transaction)
            try:
                self._check_credentials(request, response)
                yield HttpAnswer(
                    response,
                    self.name,
                    received=self._received(outbound.transaction),
                    broken=self._cut,
                    now=self._now,
                )
            finally:
                await response.aclose()

    def _target(self, outbound: Outbound) -> httpx.URL:
        base = self._bases.get(outbound.transaction)
        if base is None:
            raise errors.NotFound(f"The upstream {self.name} has no address for {outbound.transaction}.")
        return target(base, outbound.path, outbound.query)

    def _request(self, outbound: Outbound) -> httpx.Request:
        url = self._target(outbound)
        fields = outbound.fields.without(*_OWN)
        if "via" not in fields:  # else the caller has told the whole way, us included
            fields = fields.set("via", VIA)
        fields = fields.set("user-agent", f"edgerouter/{__version__}")
        if "accept-encoding" not in fields:
            fields = fields.set("accept-encoding", "identity")
        if authorization := self._credentials.get(origin(url)):
            fields = fields.set("authorization", authorization)
        if outbound.length is not None:
            fields = fields.set("content-length", str(outbound.length))
        sent = metrics.UPSTREAM_SENT_BYTES.labels(self.name, outbound.transaction).inc
        extensions = {"timeout": self._limits(outbound.transaction), "sent": sent}
        return httpx.Request(
            outbound.method, url, headers=fields.raw(), content=outbound.body, extensions=extensions
        )

    def _limits(self, transaction: Transaction) -> dict[str, float]:
        times = self._timeouts
        head = times.store_answer if transaction is Transaction.STORE else times.first_byte
        between = times.between_reads
        return {"connect": times.connect, "head": head, "read": between, "write": between}

    async def _persistently(self, request: httpx.Request, transaction: Transaction) -> httpx.Response:
        self._budget.request(self._now())
        retries = 0
        while True:
            try:
                return await self._try(request, transaction, retries)
            except httpx.TransportError as error:
                if not self._again(request.method, error, retries):
                    raise translated(error, self.name) from None
            retries += 1

    async def _try(self, request: httpx.Request, transaction: Transaction, retries: int) -> httpx.Response:
        if retries == 0:
            return await self._once(request, transaction)
        with self._budget.retrying(self._now()):
            await self._sleep(backoff(retries - 1, self._jitter()))
            return await self._once(request, transaction)

    def _again(self, method: str, error: httpx.TransportError, retries: int) -> bool:
        now = self._now()
        return may_repeat(method, error, retries) and self._health.usable(now) and self._budget.allows(now)

    async def _once(self, request: httpx.Request, transaction: Transaction) -> httpx.Response:
        started = self._now()
        probe = self._health.begin(started)
        outcome = "cancelled"
        try:
            response = await self.transport.handle_async_request(request)
            outcome = f"{response.status_code // 100}xx"
        except httpx.TransportError as error:
            outcome = translated(error, self.name).token
            self._broken(error)
            raise
        finally:
            self._health.done(probe)
            metrics.UPSTREAM_REQUESTS.labels(self.name, transaction, outcome).inc()
        metrics.UPSTREAM_SECONDS.labels(self.name, transaction).observe(self._now() - started)
        self._answered(response)
        return response

    def _received(self, transaction: Transaction) -> Callable[[int], object]:
        count = metrics.UPSTREAM_BYTES.labels(self.name, transaction).inc

        def received(size: int) -> None:
            self._heard = self._now()
            count(size)

        return received

    def _answered(self, response: httpx.Response) -> None:
        self._heard = now = self._now()
        self._health.succeeded(now)
        if response.status_code in (429, 503):
            pause = retry_after(response.headers.get("retry-after"), time.time())
            if pause is not None:
                self._health.rest(now, pause)

    def _cut(self, error: httpx.TransportError) -> None:
        metrics.UPSTREAM_CUTS.labels(self.name).inc()
        self._broken(error)

    def _broken(self, error: httpx.TransportError) -> None:
        if is_failing(error):
            self._health.failed(self._now(), reason(error))

    def _check_credentials(self, request: httpx.Request, response: httpx.Response) -> None:
        if response.status_code in (401, 403) and "authorization" in request.headers:
            log.error("upstream %s refuses our credentials: status %d", self.name, response.status_code)
            raise errors.Refused("The upstream refuses the router's credentials.", upstream=self.name)
