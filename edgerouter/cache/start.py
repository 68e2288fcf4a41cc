"""Who starts what outlives a request: the app, through this callable."""

from collections.abc import Coroutine
from typing import Any, Protocol


class Start(Protocol):
    """Starts a coroutine as a task of the app; TaskGroup.create_task is one."""

    def __call__(self, coro: Coroutine[Any, Any, None], *, name: str) -> object: ...
