"""A response of an HTTP upstream, read at the pace of whoever reads it, within the upstream's limits."""

import time
from collections.abc import AsyncIterator, Callable

import httpx

from edgerouter import errors
from edgerouter.http.fields import Fields
from edgerouter.upstream.seam import Framing

MIN_RATE = 100  # bytes per second, over `WINDOW` seconds of waiting for the upstream
WINDOW = 30.0


class Pace:
    """The minimum-rate rule (F19): a trickle that keeps each read alive is still a stall."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._bytes = 0

    def too_slow(self, waited: float, size: int) -> bool:
        """Count one read of `size` bytes that took `waited` seconds; whether the window's rate is too low."""
        self._waited += waited
        self._bytes += size
        if self._waited < WINDOW:
            return False
        slow = self._bytes < MIN_RATE * self._waited
        self._waited, self._bytes = 0.0, 0
        return slow


class HttpAnswer:
    """See seam.Answer. `received` is told the size of each piece, `broken` why the body broke off."""

    def __init__(
        self,
        response: httpx.Response,
        upstream: str,
        *,
        received: Callable[[int], object],
        broken: Callable[[httpx.TransportError], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.status = response.status_code
        self.fields = Fields.from_raw(response.headers.raw)
        self.framing: Framing = response.extensions["framing"]
        self.length: int | None = response.extensions["length"]
        self._response = response
        self._upstream = upstream
        self._received = received
        self._broken = broken
        self._now = now

    async def chunks(self) -> AsyncIterator[bytes]:
        """The raw body. Raises errors.Cut when it breaks off, stalls or only trickles."""
        pace = Pace()
        asked = self._now()
        try:
            async for chunk in self._response.aiter_raw():
                self._received(len(chunk))
                if pace.too_slow(self._now() - asked, len(chunk)):
                    raise httpx.ReadTimeout("The response only trickles.")
                yield chunk
                asked = self._now()
        except httpx.TransportError as error:
            self._broken(error)
            raise errors.Cut("The upstream's answer broke off.", upstream=self._upstream) from None
