"""How much all searches under way may hold in memory together (law 10): who would exceed it waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ALL = 128 << 20  # bytes of rows that searches under way hold
EACH = 2 << 20  # bytes set aside for one before it has any


class Allowance:
    """Lets searches in, in the order they came, while there is room. `held` is in bytes."""

    def __init__(self, most: int = ALL) -> None:
        self._most = most
        self._next = asyncio.Lock()  # its waiters are served in turn; whoever has it waits for room
        self._freed = asyncio.Event()
        self.held = 0

    @asynccontextmanager
    async def portion(self) -> AsyncIterator["Portion"]:
        """Wait for room, and give it back in the end."""
        async with self._next:
            while self.held and self.held + EACH > self._most:
                self._freed.clear()
                await self._freed.wait()
            self.held += EACH
        portion = Portion(self)
        try:
            yield portion
        finally:
            self.held -= max(portion.held, EACH)
            self._freed.set()


class Portion:
    """What one search holds, in bytes."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.held = 0

    def add(self, size: int) -> None:
        """So many bytes more; never refused, since a search that was let in goes on to its end."""
        before = max(self.held, EACH)
        self.held += size
        self._allowance.held += max(self.held, EACH) - before
