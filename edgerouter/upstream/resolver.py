"""Names to addresses, off the event loop, and with the last good answer while the resolver is down (F26)."""

import socket
import time
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

STALE = 600.0  # seconds the last good addresses are used when names cannot be resolved
_Key = tuple[str, int, socket.AddressFamily]


class PatientResolver(AbstractResolver):
    """Resolves through `source` (default: the system's resolver in a thread); raises its OSError only
    when there was no good answer in the last `STALE` seconds. `now` is monotonic, in seconds."""

    def __init__(
        self, source: AbstractResolver | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source or ThreadedResolver()
        self._now = now
        self._last: dict[_Key, tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        key = (host, port, family)
        try:
            found = await self._source.resolve(host, port, family)
        except OSError:
            known_at, found = self._last.get(key, (float("-inf"), []))
            if self._now() - known_at > STALE:
                raise
            return found
        self._last[key] = (self._now(), found)
        return found

    async def close(self) -> None:
        await self._source.close()
