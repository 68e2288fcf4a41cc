"""Rounds of `kill -9`, or of power cuts, at random moments under a read load; then all units are compared.

    python -m tests.soak.crash --rounds 200            # make crash N=200
    python -m tests.soak.crash --rounds 50 --power     # needs root and loop mounts

The seed is printed; `--seed` repeats its moments and requests, though not what the kernel makes of them.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.soak.disk import LOSING, Disk, NoDisk
from tests.soak.examine import Found, examine, leftovers
from tests.soak.load import Load
from tests.soak.origin import Origin, an_origin
from tests.support import memory
from tests.support.doors import Door
from tests.support.router import Router

ANSWERS_WITHIN = 5.0  # seconds from a start
_DISK = 256 << 20
KILL, POWER = (0.02, 1.2), (0.1, 9.0)  # seconds of load before the end of a round: shortest, longest


@dataclass
class Outcome:
    """What a run came to; `starts` are seconds from each start to the first answer, `work` the processor
    seconds that took: on a machine that is busy with other things only they say something."""

    seed: int
    rounds: int = 0
    starts: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    left: int = 0  # files that nobody knows after a last start and its sweep
    requests: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = self.found
        lines = (
            f"rounds {self.rounds}, seed {self.seed}",
            f"answers: {', '.join(f'{count} {what}' for what, count in sorted(self.requests.items()))}",
            f"units compared {found.compared}: {found.wrong} wrong",
            f"misses: {found.damaged} damaged, {found.forgotten} believed and not there",
            f"orphan files: {found.orphans} at the starts, {self.left} after the last sweep",
            f"first answer after a start: {_spread(self.starts)}; {self.late} after {ANSWERS_WITHIN:g} s",
            f"processor time it took: {_spread(self.work)}",
        )
        return "\n".join(lines)

    @property
    def late(self) -> int:
        """How many starts answered too late."""
        return sum(start > ANSWERS_WITHIN for start in self.starts)

    @property
    def good(self) -> bool:
        """Nothing wrong was held or served, and every start answered in time."""
        return not (self.complaints or self.late)


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s, at most {max(seconds):.2f} s"


def run(folder: Path, rounds: int, seed: int, *, power: bool = False) -> Outcome:
    """Raises NoDisk where power cannot be cut, RouterFailed when the router does not come back."""
    with ExitStack() as stack:
        disk = stack.enter_context(Disk(folder / "power", _DISK)) if power else None
        origin = stack.enter_context(an_origin(folder / "origin"))
        return _Run(folder, origin, seed, disk).through(rounds)


class _Run:
    def __init__(self, folder: Path, origin: Origin, seed: int, disk: Disk | None) -> None:
        self._origin = origin
        self._disk = disk
        self._chance = random.Random(seed)
        self._cache = (disk.path if disk else folder) / "cache"
        # Two thirds of what there is: eviction is at work when the end comes.
        settings = {"path": str(self._cache), "size": f"{origin.bytes * 2 // 3} B", "min_free": "0 B"}
        upstream = {**origin.upstream, "concurrency": 8}
        self._router = Router(folder / "router", {"a": upstream}, {"cache": settings})
        self._base = ""
        self._outcome = Outcome(seed)
        self._load = Load(origin, lambda: self._base, seed)

    def through(self, rounds: int) -> Outcome:
        outcome = self._outcome
        with self._load:
            for number in range(1, rounds + 1):
                self._round()
                outcome.rounds = number
                if number % 10 == 0:
                    print(f"  round {number}: {outcome.found}", flush=True)
        outcome.left = leftovers(self._cache)
        outcome.requests = dict(self._load.counts)
        outcome.complaints += [f"wrong answer: {which}" for which in self._load.wrong]
        outcome.complaints += [f"error: {which}" for which in self._load.odd]
        if outcome.found.wrong:
            outcome.complaints.append(f"{outcome.found.wrong} wrong units are held")
        if outcome.left:
            outcome.complaints.append(f"{outcome.left} files are left that nobody knows")
        if not self._disk and outcome.found.damaged:  # the kernel lost nothing
            outcome.complaints.append(f"{outcome.found.damaged} units are damaged by a kill")
        return outcome

    def _round(self) -> None:
        with self._running():
            time.sleep(self._chance.uniform(*(POWER if self._disk else KILL)))
            if self._disk:
                self._disk.cut()
        if self._disk:
            self._disk.restore(self._chance.choice(LOSING))
        self._outcome.found += examine(self._cache, self._origin)

    @contextmanager
    def _running(self) -> Iterator[None]:
        begun = time.monotonic()
        self._router.start()
        try:
            with Door(self._router.dicomweb, "") as door:
                status = door.ask("/studies?limit=1").status
            self._outcome.starts.append(time.monotonic() - begun)
            self._outcome.work.append(memory.processor_seconds(self._router.pid))
            if status != 200:
                self._outcome.complaints.append(f"the first answer after a start is {status}")
            self._base = self._router.dicomweb
            yield
        finally:
            self._base = ""
            self._router.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--power", action="store_true", help="cut the power instead of killing")
    arguments = parser.parse_args()
    logging.getLogger("edgerouter").setLevel(logging.ERROR)  # of the examinations in this process
    what = "power cuts" if arguments.power else "kill -9"
    print(f"{arguments.rounds} rounds of {what}, seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="crash") as folder:
        try:
            outcome = run(Path(folder), arguments.rounds, arguments.seed, power=arguments.power)
        except NoDisk as missing:
            print(f"skipped: {missing}")
            return 0
    print(outcome)
    for complaint in outcome.complaints[:20]:
        print(f"  {complaint}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
