"""A series of a gigabyte goes through the router, in either direction and out of its cache, in little memory.

Short in the usual run (256 MB); EDGEROUTER_FULL=1 makes it the whole gigabyte, and `-s` prints the figures.
"""

import http.client
import os
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import memory
from tests.support.doors import DICOM_AS_STORED
from tests.support.firehose import BOUNDARY, Firehose, Framing
from tests.support.router import Router
from tests.support.samples import BigSeries

pytestmark = [pytest.mark.archives, pytest.mark.timeout(600)]

SIZE = 1_000_000_000 if os.environ.get("EDGEROUTER_FULL") == "1" else 256_000_000
LIMIT = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def big() -> BigSeries:
    return BigSeries(SIZE)


@pytest.fixture(params=list(Framing), ids=lambda framing: framing.value)
def firehose(request: pytest.FixtureRequest, big: BigSeries) -> Iterator[Firehose]:
    with Firehose(big, request.param) as firehose:
        yield firehose


def over(firehose: Firehose, folder: Path, cache: str) -> Router:
    upstream = {"url": firehose.dicomweb_url, "profile": "orthanc"}
    settings = {"path": "cache", "size": cache, "min_free": "0 B"}
    return Router(folder, {"firehose": upstream}, {"cache": settings})


@pytest.fixture
def router(firehose: Firehose, short_path: Path) -> Iterator[Router]:
    """One that keeps nothing."""
    with over(firehose, short_path, "0 B") as router:
        yield router


@pytest.fixture
def keeping(firehose: Firehose, short_path: Path) -> Iterator[Router]:
    """One with room for the series and what else it is made of."""
    with over(firehose, short_path, "3 GB") as router:
        yield router


def connected(router: Router) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=120))


def warm_up(router: Router) -> int:
    """Let the router load what it loads at its first request; then its resident memory."""
    with connected(router) as connection:
        connection.request("GET", "/dicomweb/studies?limit=1")
        assert connection.getresponse().read()
    memory.reset_peak(router.pid)
    return memory.resident(router.pid)


def read_parts(answer: http.client.HTTPResponse) -> Iterator[int]:
    """The CRC of each part of a multipart answer, read as it comes. Its parts must have a length."""
    while (line := answer.readline()) and not line.rstrip().endswith(b"--"):
        if line == b"\r\n":
            continue
        size = 0
        while (line := answer.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "a part without a length"
        yield zlib.crc32(answer.read(size))
        assert answer.read(2) == b"\r\n"


def retrieve(router: Router, firehose: Firehose) -> str:
    """Read the series to its end, part by part the origin's bytes; what Cache-Status said of it."""
    with connected(router) as connection:
        connection.request("GET", f"/dicomweb{firehose.path}", headers={"Accept": DICOM_AS_STORED})
        answer = connection.getresponse()
        assert answer.status == 200
        expected = map(zlib.crc32, firehose.series.files())
        assert all(here == there for here, there in zip(read_parts(answer), expected, strict=True))
        return answer.getheader("Cache-Status") or ""


def grown_little(router: Router, before: int, what: str) -> None:
    grown = memory.peak(router.pid) - before
    print(f"{what}: {SIZE / 1e6:.0f} MB passed, resident memory grew by {grown / 1e6:.1f} MB")
    assert grown < LIMIT, f"grew by {grown / 1e6:.0f} MB, {what}"


def test_a_big_series_is_read_through_in_little_memory(router: Router, firehose: Firehose) -> None:
    before = warm_up(router)
    retrieve(router, firehose)
    grown_little(router, before, f"relayed, {firehose.framing.value}")


def test_a_big_series_is_kept_and_read_from_disk_in_little_memory(
    keeping: Router, firehose: Firehose
) -> None:
    """Cold, warm, and warm after a restart, when every segment is verified again."""
    before = warm_up(keeping)
    assert retrieve(keeping, firehose) == "edgerouter; fwd=miss; stored"
    grown_little(keeping, before, f"cold, {firehose.framing.value}")
    sent = firehose.sent
    memory.reset_peak(keeping.pid)
    assert retrieve(keeping, firehose) == "edgerouter; hit"
    grown_little(keeping, before, f"warm, {firehose.framing.value}")
    before = warm_up(keeping.restart())
    assert retrieve(keeping, firehose) == "edgerouter; hit"
    grown_little(keeping, before, f"warm after a restart, {firehose.framing.value}")
    assert firehose.sent == sent


@pytest.mark.parametrize("firehose", [Framing.CHUNKED], indirect=True, ids=["store"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with length", "in chunks"])
def test_a_big_store_passes_in_little_memory(router: Router, firehose: Firehose, chunked: bool) -> None:
    before = warm_up(router)
    fields = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
    if not chunked:
        fields["Content-Length"] = str(firehose.size())
    with connected(router) as connection:
        upload = firehose.envelope()
        connection.request("POST", "/dicomweb/studies", upload, fields, encode_chunked=chunked)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    assert firehose.taken >= SIZE
    grown_little(router, before, f"stored, {'chunked' if chunked else 'length'}")
