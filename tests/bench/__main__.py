"""`make bench`: figures, printed as a table, to be read beside the load of the machine that made them.

python -m tests.bench [NAME…]      runs those whose title contains one of the names
"""

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tests.bench.search import added, many_at_once, one_stopped

Bench = Callable[[], Coroutine[Any, Any, dict[str, str]]]
BENCHES: dict[str, Bench] = {
    "search: 4 archives of 500, first page of 100": lambda: added(4, 500, "&limit=100", 60),
    "search: 4 archives of 500, first page of 100, answers 10 ms apart": lambda: added(
        4, 500, "&limit=100", 60, 0.01
    ),
    "search: 4 archives of 500, all rows": lambda: added(4, 500, "", 40),
    "search: 8 archives of 5,000, first page of 100": lambda: added(8, 5000, "&limit=100", 8),
    "search: 4 archives of 500, 200 searches at once": lambda: many_at_once(4, 500, 200),
    "search: one archive of five stopped": lambda: one_stopped(200, 100),
}


def main(names: list[str]) -> None:
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    for title, bench in BENCHES.items():
        if names and not any(name in title for name in names):
            continue
        figures = asyncio.run(bench())
        print(f"\n{title}   (load average {os.getloadavg()[0]:.1f})")
        for name, figure in figures.items():
            print(f"  {name:<28} {figure:>12}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
