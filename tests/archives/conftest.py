"""Every acceptance test is run twice: at the archive's own door, which shows that the test is right about
the archive, and at the router's, where the answers must be the same."""

from collections.abc import Iterator

import pytest

from tests.support.archives import Archives
from tests.support.doors import Door


@pytest.fixture(scope="module")
def direct(archives: Archives) -> Iterator[Door]:
    """Archive a itself."""
    with Door(archives.a.dicomweb_url, f"{archives.a.url}/wado") as door:
        yield door


@pytest.fixture(scope="module", params=["archive", "router"])
def door(request: pytest.FixtureRequest, direct: Door) -> Iterator[Door]:
    """Archive a, and then the router over it."""
    if request.param == "archive":
        yield direct
        return
    edge = request.getfixturevalue("edge_a")
    with Door(edge.dicomweb, f"{edge.dicomweb}/wado") as door:
        yield door
