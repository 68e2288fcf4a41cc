"""Long work, told: in place on a terminal, elsewhere a line for each step."""

from typing import TextIO


class Steps:
    """Tells how far it is: on a terminal in place, elsewhere a line for each step."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._live = to.isatty()

    def __call__(self, name: str, done: int, total: int) -> None:
        if self._live:
            end = "\n" if done == total else ""
            print(f"\r{name} {done}/{total}", end=end, file=self._to, flush=True)
        elif done == total:
            print(f"{name}: {total}", file=self._to, flush=True)
