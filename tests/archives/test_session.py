"""A mixed reading session costs the line one copy of the study: the short form of `make bench-session`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import session
from tests.bench.session import LIMIT, Ask, Figures
from tests.support.archives import Archives, Edge, edge_over
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives


@pytest.fixture
def cold(archives: Archives, short_path: Path) -> Iterator[Edge]:
    """A router with an empty cache over archive a."""
    with edge_over(short_path, {"a": archives.a}, cache="2 GB") as edge:
        yield edge


def test_a_mixed_session_costs_the_line_one_copy_of_the_study(cold: Edge, archives: Archives) -> None:
    bodies: list[dict[Ask, bytes]] = []

    def turn() -> Figures:
        found: dict[Ask, bytes] = {}

        def check(ask: Ask, status: int, digest: bytes) -> None:
            assert status in (200, 206), (ask, status)
            found[ask] = digest

        bodies.append(found)
        return session.run(session.place_of(cold), CHEST, check)

    first, second = turn(), turn()
    size = sum(sample.path.stat().st_size for sample in archives.chest)
    assert first.down <= LIMIT * (size + first.metadata), {
        name: (crossed.requests, crossed.down) for name, crossed in first.steps.items()
    }
    assert second.requests == 0, {name: crossed.requests for name, crossed in second.steps.items()}
    assert bodies[0] == bodies[1], "the second pass says what the first said, byte for byte"
