"""A cache that is read through four times its size by eight readers: never too large, never wrong.

Short in the usual run (60 MB, 240 MB); EDGEROUTER_FULL=1 makes it 500 MB and 2 GB. How much there is on
the disk is judged from the file system, the router being stopped (SIGSTOP) for each look: so what is seen
was there at one moment.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.doors import DICOM_AS_STORED
from tests.support.firehose import Firehose, path_of
from tests.support.router import Router
from tests.support.samples import BigSeries

pytestmark = [pytest.mark.timeout(600)]

MB = 1_000_000
READERS = 8
# The cache, a study, and how many studies each reader reads: together four times the cache.
SIZE, STUDY, EACH = (
    (500 * MB, 25 * MB, 10) if os.environ.get("EDGEROUTER_FULL") == "1" else (60 * MB, 5 * MB, 6)
)
QUOTA = SIZE * 2 // 5


@pytest.fixture(scope="module")
def series() -> list[BigSeries]:
    """One for each study; the first is the one that is pinned."""
    return [BigSeries(STUDY, f"limits-{number}") for number in range(READERS * EACH + 1)]


class Watch(threading.Thread):
    """Looks at the cache's folder over and over; `largest` is the most that was there at one moment, `kept`
    the most of it that were units and part files: those of its only upstream."""

    def __init__(self, router: Router) -> None:
        super().__init__(name="watch")
        self.largest = 0
        self.kept = 0
        self.looks = 0
        self._router = router
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            os.kill(self._router.pid, signal.SIGSTOP)
            try:
                self._stopped()
                found = sizes(self._router.folder / "cache")
                self.largest = max(self.largest, sum(found.values()))
                kept = (
                    size
                    for path, size in found.items()
                    if path.suffix == ".val" or path.parent.name == "parts"
                )
                self.kept = max(self.kept, sum(kept))
                self.looks += 1
            finally:
                os.kill(self._router.pid, signal.SIGCONT)

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _stopped(self) -> None:
        """Wait until every thread stands still: a signal is not there at once."""
        for task in Path(f"/proc/{self._router.pid}/task").iterdir():
            while (task / "stat").read_text().rpartition(")")[2].split()[0] != "T":
                time.sleep(0.0005)


def sizes(folder: Path) -> dict[Path, int]:
    """The bytes of every file: units, part files, databases and their journals."""
    files = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    return {file: file.lstat().st_size for file in files}


def read_series(router: Router, series: BigSeries) -> str:
    """Read a series, and check every byte of it; what Cache-Status says."""
    with closing(http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=120)) as connection:
        connection.request("GET", f"/dicomweb{path_of(series)}", headers={"Accept": DICOM_AS_STORED})
        answer = connection.getresponse()
        assert answer.status == 200
        body = answer.read()  # IncompleteRead if it was cut
    check(answer, body, series)
    return answer.getheader("Cache-Status") or ""


def check(answer: http.client.HTTPResponse, body: bytes, series: BigSeries) -> None:
    """Every byte of every part."""
    boundary = (answer.getheader("Content-Type") or "").partition("boundary=")[2].strip('"').encode()
    _, *parts, end = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert end.startswith(b"--")
    assert len(parts) == series.count
    for number, part in enumerate(parts, start=1):
        assert part.partition(b"\r\n\r\n")[2] == series.head(number) + series.pixels


def command(router: Router, *arguments: str, status: int = 0) -> str:
    """What `edgerouter cache` prints."""
    line = [sys.executable, "-m", "edgerouter", "cache", *arguments, "-c", str(router.configuration)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.mark.parametrize("quota", [None, QUOTA], ids=["size", "quota"])
def test_it_is_never_too_large_and_nobody_reads_a_wrong_byte(
    short_path: Path, series: list[BigSeries], quota: int | None
) -> None:
    pinned, *others = series
    upstream = {"profile": "orthanc"} | ({"cache_quota": f"{quota} B"} if quota else {})
    overrides = {"cache": {"path": "cache", "size": f"{SIZE} B", "min_free": "0 B"}}
    with (
        Firehose(pinned, more=others) as firehose,
        Router(short_path, {"a": {"url": firehose.dicomweb_url, **upstream}}, overrides) as router,
    ):
        assert "stored" in read_series(router, pinned)
        assert "1 pinned study" in command(router, "pin", pinned.spec.study)
        watch = Watch(router)
        watch.start()

        def read(reader: int) -> None:
            mine = others[reader::READERS]
            for one in mine:
                read_series(router, one)
            for one in mine[-2:]:
                read_series(router, one)

        try:
            with ThreadPoolExecutor(READERS) as readers:
                list(readers.map(read, range(READERS)))
        finally:
            watch.end()

        bound = quota or SIZE
        most = f"{watch.largest / 1e6:.1f} MB in all, {watch.kept / 1e6:.1f} MB of units and parts"
        print(f"\n{watch.looks} looks: {most}; bounds {SIZE / 1e6:.0f} MB and {bound / 1e6:.0f} MB")
        assert watch.looks > 20
        assert watch.largest <= SIZE
        assert 0.5 * bound < watch.kept <= bound
        assert firehose.asked[path_of(pinned)] == 1
        assert read_series(router, pinned) == "edgerouter; hit"
        assert firehose.asked[path_of(pinned)] == 1
        assert "nothing is damaged" in command(router, "verify", "--rate", "1 GB")


def test_a_purge_waits_for_the_reader_of_a_study_and_then_takes_it(short_path: Path) -> None:
    series = BigSeries(40_000_000, "purged")
    upstream = {"profile": "orthanc"}
    overrides = {"cache": {"path": "cache", "size": "500 MB", "min_free": "0 B"}}
    with (
        Firehose(series) as firehose,
        Router(short_path, {"a": {"url": firehose.dicomweb_url, **upstream}}, overrides) as router,
    ):
        read_series(router, series)
        with closing(http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=60)) as connection:
            connection.request("GET", f"/dicomweb{path_of(series)}", headers={"Accept": DICOM_AS_STORED})
            answer = connection.getresponse()
            assert answer.getheader("Cache-Status") == "edgerouter; hit"
            first = answer.read(1000)  # more than the sockets can hold is still to come
            line = ["purge", "--study", series.spec.study, "--wait", "500ms"]
            assert "left 1 study that somebody still reads" in command(router, *line, status=1)
            check(answer, first + answer.read(), series)
        assert firehose.asked[path_of(series)] == 1
        assert f"purged 1 study, {series.count} units" in command(
            router, "purge", "--study", series.spec.study
        )
        assert not [file for file in sizes(short_path / "cache") if file.suffix == ".val"]
