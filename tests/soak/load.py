"""A read load that goes on while the router dies and comes back: every answer that ends well is checked."""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.soak.origin import Origin, signature
from tests.support.doors import Door

READERS = 6


class Load:
    """Readers in threads; `dicomweb` says where the router is now, "" while it is not.

    `counts` are requests by what became of them: right, wrong, cut (also not begun), or a status of its
    own. `wrong` and `odd` say which."""

    def __init__(self, origin: Origin, dicomweb: Callable[[], str], seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.odd: list[str] = []
        self._origin = origin
        self._targets = list(origin.truth)
        self._dicomweb = dicomweb
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(random.Random(f"{seed} {number}"),), name="reader")
            for number in range(READERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, chance: random.Random) -> None:
        while not self._over.is_set():
            base = self._dicomweb()
            if not base:
                self._over.wait(0.01)
                continue
            self._ask(base, chance)

    def _ask(self, base: str, chance: random.Random) -> None:
        target = chance.choice(self._targets)
        try:
            with Door(base, "") as door:
                reply = door.ask(target.path, target.accept)
                said = signature(reply) if reply.status == 200 else ""
        except (OSError, http.client.HTTPException):
            self.counts["cut"] += 1
            self._over.wait(0.005)
            return
        except AssertionError as error:  # it ended well, and its closing boundary is missing
            self._note("wrong", f"{target}: {error}")
            return
        if reply.status != 200:
            self._note(str(reply.status), f"{target}: {reply.status} {reply.get('proxy-status')}")
        else:
            self._note("right" if said == self._origin.truth[target] else "wrong", str(target))

    def _note(self, what: str, which: str) -> None:
        self.counts[what] += 1
        if what == "wrong":
            self.wrong.append(which)
        elif what != "right":
            self.odd.append(which)
