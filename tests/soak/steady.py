"""A mixed load for many minutes, a part of whose clients leaves in the middle: memory and files stay bounded.

python -m tests.soak.steady --minutes 30           # make soak MINUTES=30
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.leavers import Leavers
from tests.soak.load import Load
from tests.soak.origin import an_origin
from tests.support import memory
from tests.support.router import Router

RSS, FILES = 96 << 20, 300  # how much more than after the first minute is too much: bytes, open files
_WARM = 60.0  # seconds until everything was loaded that will be
_SAMPLE = 1.0


@dataclass
class Steady:
    """Resident bytes and open files, by the second, and what became of the requests."""

    seed: int
    rss: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    left: int = 0  # clients who left in the middle
    idle_files: int = 0  # open when everybody had gone
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, {len(self.rss)} s; {self.requests}, {self.left} left in the middle\n"
            f"resident: {self.rss[0] / 1e6:.0f} MB when warm, {max(self.rss) / 1e6:.0f} MB at most,"
            f" {self.rss[-1] / 1e6:.0f} MB at the end\n"
            f"open files: {self.files[0]} when warm, {max(self.files)} at most, {self.idle_files} when idle"
        )


def run(folder: Path, seconds: float, seed: int, *, warm: float = _WARM) -> Steady:
    """Load the router for so long, after `warm` seconds that are not counted."""
    steady = Steady(seed)
    with ExitStack() as stack:
        origin = stack.enter_context(an_origin(folder / "origin"))
        settings = {"path": "cache", "size": f"{origin.bytes * 2 // 3} B", "min_free": "0 B"}
        router = stack.enter_context(Router(folder / "router", {"a": origin.upstream}, {"cache": settings}))
        with (
            Load(origin, lambda: router.dicomweb, seed) as load,
            Leavers(origin, router.url, seed) as leavers,
        ):
            time.sleep(warm)
            end = time.monotonic() + seconds
            while time.monotonic() < end or not steady.rss:
                steady.rss.append(router.rss())
                steady.files.append(memory.open_files(router.pid))
                time.sleep(_SAMPLE)
        steady.requests, steady.left = dict(load.counts), leavers.left
        steady.idle_files = _settled(router)
    steady.complaints += [f"wrong answer: {which}" for which in load.wrong]
    steady.complaints += [f"error: {which}" for which in load.odd]
    if (grown := max(steady.rss) - steady.rss[0]) > RSS:
        steady.complaints.append(f"resident memory grew by {grown / 1e6:.0f} MB")
    if (more := max(steady.files) - steady.files[0]) > FILES or steady.idle_files > FILES:
        steady.complaints.append(f"{more} more files were open, {steady.idle_files} when idle")
    return steady


def _settled(router: Router) -> int:
    """How many files are open once answers under way have ended: the least that is seen in five seconds."""
    seen = []
    for _ in range(50):
        seen.append(memory.open_files(router.pid))
        time.sleep(0.1)
    return min(seen)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak.steady", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"{arguments.minutes:g} minutes of load, seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="steady") as folder:
        steady = run(Path(folder), 60 * arguments.minutes, arguments.seed)
    print(steady)
    for complaint in steady.complaints[:20]:
        print(f"  {complaint}")
    return 1 if steady.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
