"""Processes and other blocking things beside a test's event loop, which goes on serving meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def apart(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """The same context, entered and left in a thread."""
    value = await asyncio.to_thread(manager.__enter__)
    try:
        yield value
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
