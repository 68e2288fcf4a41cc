"""Waiting for something to change, without saying what."""

import asyncio


class Bell:
    """Wakes everyone who waits at that moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self) -> None:
        await self._event.wait()
