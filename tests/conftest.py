"""What every test stands on: the guard, two real archives, and a router over them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import guard
from tests.support.archives import Archives, Edge, edge_over, two_archives
from tests.support.orthanc import OrthancMissing, executable


def pytest_configure() -> None:
    guard.install()


@pytest.fixture(autouse=True)
def nothing_leaves_the_loopback() -> Iterator[None]:
    """Fails a test that tried to, also when the code under test swallowed the refusal."""
    before = len(guard.refusals)
    yield
    if refused := guard.refusals[before:]:
        pytest.fail(f"the guard refused: {', '.join(refused)}", pytrace=False)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="edge") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def archives() -> Iterator[Archives]:
    """Two real Orthancs, loaded once. Tests that change them must put them back."""
    try:
        executable()
    except OrthancMissing as missing:
        raise pytest.fail.Exception(str(missing), pytrace=False) from None
    with (
        tempfile.TemporaryDirectory(prefix="archives") as folder,
        two_archives(Path(folder)) as archives,
    ):
        yield archives


@pytest.fixture
def edge(archives: Archives, short_path: Path) -> Iterator[Edge]:
    """A router over relays over both archives."""
    with edge_over(short_path, {"a": archives.a, "b": archives.b}) as edge:
        yield edge


@pytest.fixture(scope="module")
def edge_a(archives: Archives) -> Iterator[Edge]:
    """A router over a relay over archive a alone, one for all tests of a file."""
    with (
        tempfile.TemporaryDirectory(prefix="edge") as folder,
        edge_over(Path(folder), {"a": archives.a}) as edge,
    ):
        yield edge


@pytest.fixture(scope="module")
def keeping_a(archives: Archives) -> Iterator[Edge]:
    """The same with a cache, which fills in the course of a file."""
    with (
        tempfile.TemporaryDirectory(prefix="edge") as folder,
        edge_over(Path(folder), {"a": archives.a}, cache="2 GB") as edge,
    ):
        yield edge
