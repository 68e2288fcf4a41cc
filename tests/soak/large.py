"""A cache of very many rows, made in no time: what the router finds at its start when it has run for years.

python -m tests.soak.large --rows 200000     # how long from the start to the first answer, and to the hit
"""

import argparse
import http.client
import logging
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from edgerouter.cache.disk import MODE_BINARY
from edgerouter.cache.folder import Folder
from edgerouter.cache.listings import Row
from edgerouter.cache.segments import Digester
from edgerouter.cache.shelf import Shelf
from edgerouter.cache.unit import Held, UnitKey, UnitKind, UnitMeta
from tests.dicom.build import element, part10
from tests.support import memory
from tests.support.router import Router
from tests.support.scripted import closed_port

UPSTREAM = "a"
EXPLICIT = "1.2.840.10008.1.2.1"
_OF_A_STUDY = 200
_WITH_FILE = 10  # every so many rows have their file: the others are what a power cut leaves


def key(number: int) -> UnitKey:
    """The unit of row `number`, from 0."""
    study = f"1.2.{number // _OF_A_STUDY}"
    instance = f"{study}.1.{number}"
    return UnitKey(
        UPSTREAM, study, f"{study}.1", instance, UnitKind.INSTANCE, "", "application/dicom", EXPLICIT
    )


def file(number: int) -> bytes:
    """The PS3.10 file of that unit."""
    uids = (key(number).instance, key(number).study, key(number).series)
    tags = (0x00080018, 0x0020000D, 0x0020000E)
    return part10(b"".join(element(tag, "UI", uid) for tag, uid in zip(tags, uids, strict=True)))


def make(path: Path, rows: int) -> None:
    """Make the cache directory: so many units with a metadata row each, and every tenth with its file."""
    folder = Folder(path)
    shelf = Shelf(folder.units, folder.catalog, folder.suspect)
    shelf.close()
    with sqlite3.connect(folder.units / "cache.db") as units:
        units.executemany(
            "INSERT INTO Cache (key, raw, store_time, access_time, size, mode, filename, value)"
            f" VALUES (?, 1, 0, 0, ?, {MODE_BINARY}, ?, ?)",
            _rows(folder.units, rows),
        )
    units.close()
    shelf = Shelf(folder.units, folder.catalog, folder.suspect)
    with shelf.database.transaction():
        for number in range(rows):
            described(shelf, number)
    shelf.close()
    folder.close()


def described(shelf: Shelf, number: int) -> None:
    """Tell the catalog of a unit, and keep a metadata row for it."""
    unit, now = key(number), time.time()
    shelf.holdings.add(Held(unit, len(file(number)), now, now), now)
    row = Row(unit.series, unit.instance, b'{"00080018":{"vr":"UI","Value":["%d"]}}' % number, now)
    shelf.listings.put_rows(UPSTREAM, unit.study, [row], now)


def _rows(units: Path, rows: int) -> Iterator[tuple[str, int, str, bytes]]:
    for number in range(rows):
        name = f"{number % 256:02x}/{number // 256 % 256:02x}/{number:028x}.val"
        data, digester = file(number), Digester()
        digester.update(memoryview(data))
        if number % _WITH_FILE == 0:
            place = units / name
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.write_bytes(data)
        meta = UnitMeta(len(data), digester.finish(), time.time(), (("content-type", "application/dicom"),))
        yield key(number).text, len(data), name, meta.encode(key(number).text)


def ask(router: Router, number: int) -> tuple[int, str, bytes]:
    """Status, Cache-Status and body of a retrieve of that unit."""
    connection = http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=60)
    unit = key(number)
    path = f"/dicomweb/studies/{unit.study}/series/{unit.series}/instances/{unit.instance}"
    connection.request("GET", path, headers={"Accept": "application/dicom; transfer-syntax=*"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.getheader("Cache-Status") or "", body


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak.large", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="large") as place:
        folder = Path(place)
        begun = time.monotonic()
        make(folder / "cache", rows)
        print(f"made {rows} rows in {time.monotonic() - begun:.1f} s", flush=True)
        settings = {"path": str(folder / "cache"), "size": "100 GB", "min_free": "0 B"}
        router = Router(
            folder / "router", {UPSTREAM: f"http://127.0.0.1:{closed_port()}"}, {"cache": settings}
        )
        for what in ("cold", "again"):
            os.sync()
            begun = time.monotonic()
            with router:
                listening = time.monotonic() - begun
                number = rows // 2 // _WITH_FILE * _WITH_FILE
                status, how, body = ask(router, number)
                answered = time.monotonic() - begun
                assert (status, body) == (200, file(number)), (status, how)
                print(
                    f"start {what}: listening after {listening:.2f} s, a hit after {answered:.2f} s ({how});"
                    f" resident {memory.resident(router.pid) / 1e6:.0f} MB",
                    flush=True,
                )
                worst = 0.0
                for step in range(50):
                    at = time.monotonic()
                    assert ask(router, step * _WITH_FILE % rows)[0] == 200
                    worst = max(worst, time.monotonic() - at)
                    time.sleep(0.1)
                print(
                    f"  50 hits while it sweeps: slowest {worst * 1000:.0f} ms;"
                    f" resident {memory.resident(router.pid) / 1e6:.0f} MB, at most"
                    f" {memory.peak(router.pid) / 1e6:.0f} MB"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
