"""A series of a gigabyte goes through the router, in either direction, in little memory.

Short in the usual run (256 MB); EDGEROUTER_FULL=1 makes it the whole gigabyte.
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


@pytest.fixture
def router(firehose: Firehose, short_path: Path) -> Iterator[Router]:
    with Router(short_path, {"firehose": {"url": firehose.dicomweb_url, "profile": "orthanc"}}) as router:
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


def test_a_big_series_is_read_through_in_little_memory(router: Router, firehose: Firehose) -> None:
    before = warm_up(router)
    with connected(router) as connection:
        connection.request("GET", f"/dicomweb{firehose.path}", headers={"Accept": DICOM_AS_STORED})
        answer = connection.getresponse()
        assert answer.status == 200
        expected = map(zlib.crc32, firehose.series.files())
        assert all(here == there for here, there in zip(read_parts(answer), expected, strict=True))
    grown = memory.peak(router.pid) - before
    assert grown < LIMIT, f"grew by {grown / 1e6:.0f} MB while {firehose.sent / 1e6:.0f} MB passed"


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
    grown = memory.peak(router.pid) - before
    assert grown < LIMIT, f"grew by {grown / 1e6:.0f} MB while {firehose.taken / 1e6:.0f} MB passed"
