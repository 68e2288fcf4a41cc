"""Every acceptance test is run at three doors: the archive's own, which shows that the test is right about
the archive, the router's, and that of a router with a cache, which answers some of it from disk. The answers
must be the same."""

from collections.abc import Iterator

import pytest

from tests.support.archives import Archives
from tests.support.doors import Door


@pytest.fixture(scope="module")
def direct(archives: Archives) -> Iterator[Door]:
    """Archive a itself."""
    with Door(archives.a.dicomweb_url, f"{archives.a.url}/wado") as door:
        yield door


@pytest.fixture(scope="module", params=["archive", "router", "cache"])
def door(request: pytest.FixtureRequest, direct: Door) -> Iterator[Door]:
    """Archive a, then the router over it, then one that keeps what it gets."""
    if request.param == "archive":
        yield direct
        return
    edge = request.getfixturevalue("edge_a" if request.param == "router" else "keeping_a")
    with Door(edge.dicomweb, f"{edge.dicomweb}/wado", keeps=request.param == "cache") as door:
        yield door
