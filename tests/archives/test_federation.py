"""Two real archives behind one endpoint: searched as one, retrieved from whoever has it, honest when one is
away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import NAMESAKE, VISITOR, Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, Door
from tests.support.orthanc import Orthanc
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

DEADLINE = {"rules": ["rules.yaml"]}
RULES = """
rules:
  - name: worklist
    match: {transaction: search}
    route: {upstreams: [a, b], deadline: 2s}
"""


@pytest.fixture
def quick(archives: Archives, short_path: Path) -> Iterator[tuple[Edge, Door]]:
    """A router over both, whose searches wait two seconds for an archive."""
    (short_path / "rules.yaml").write_text(RULES)
    upstreams = {"a": archives.a, "b": archives.b}
    times = {"timeouts": {"connect": "1s", "first_byte": "3s"}}
    with (
        edge_over(short_path, upstreams, DEADLINE, times) as edge,
        Door(edge.dicomweb, f"{edge.dicomweb}/wado") as door,
    ):
        yield edge, door


@contextmanager
def stopped(archive: Orthanc) -> Iterator[None]:
    """SIGSTOP for the time of the block: connections are taken, nothing is answered."""
    archive.pause()
    try:
        yield
    finally:
        archive.resume()


def studies(rows: list[dict[str, Any]]) -> list[str]:
    return [row["0020000D"]["Value"][0] for row in rows]


def test_each_study_is_found_once_whatever_the_page_size(
    quick: tuple[Edge, Door], archives: Archives
) -> None:
    _, door = quick
    everything = studies(door.ask("/studies").json)
    assert sorted(everything) == sorted(archives.studies_a | archives.studies_b)
    for size in (1, 7, 50):
        paged = [
            uid
            for offset in range(0, len(everything), size)
            for uid in studies(door.ask(f"/studies?limit={size}&offset={offset}").json)
        ]
        assert paged == everything


def test_dicomweb_client_pages_to_the_end(quick: tuple[Edge, Door], archives: Archives) -> None:
    _, door = quick
    found = studies(door.client.search_for_studies(limit=9, get_remaining=True))
    assert sorted(found) == sorted(archives.studies_a | archives.studies_b)


def test_two_patients_with_one_id_stay_two(quick: tuple[Edge, Door]) -> None:
    _, door = quick
    rows = door.ask(f"/studies?PatientID={NAMESAKE.patient_id}").json
    names = {row["00100010"]["Value"][0]["Alphabetic"] for row in rows}
    assert len(rows) == 2
    assert len(names) == 2


def test_a_stopped_archive_is_named_and_the_other_still_answers(
    quick: tuple[Edge, Door], archives: Archives
) -> None:
    _, door = quick
    with stopped(archives.b):
        reply = door.ask("/studies")
        retrieved = door.ask(f"/studies/{CHEST.study}/series/{CHEST.series}", DICOM_AS_STORED)

    assert reply.status == 200
    assert set(studies(reply.json)) == archives.studies_a
    assert "Source b did not answer" in (reply.get("warning") or "")
    assert retrieved.status == 200
    assert len(retrieved.parts) == CHEST.slices


def test_an_archive_that_is_down_is_named(quick: tuple[Edge, Door], archives: Archives) -> None:
    edge, door = quick
    edge.relays["a"].refuse()
    reply = door.ask("/studies")

    assert reply.status == 200
    assert set(studies(reply.json)) == archives.studies_b
    assert "Source a did not answer" in (reply.get("warning") or "")


def test_no_archive_at_all_is_an_error_and_never_an_empty_list(quick: tuple[Edge, Door]) -> None:
    edge, door = quick
    for relay in edge.relays.values():
        relay.refuse()
    reply = door.ask("/studies")

    assert reply.status in (502, 503, 504)
    assert reply.get("content-type") == "application/problem+json"


def test_a_study_is_retrieved_from_the_archive_that_has_it(
    quick: tuple[Edge, Door], archives: Archives
) -> None:
    edge, door = quick
    reply = door.ask(f"/studies/{VISITOR.study}", DICOM_AS_STORED)

    assert len(reply.parts) == VISITOR.slices
    assert not [one for one in edge.relays["a"].requests if one.target.endswith(f"/studies/{VISITOR.study}")]


def test_what_nobody_has_is_not_found_and_what_nobody_can_say_is_an_error(
    quick: tuple[Edge, Door], archives: Archives
) -> None:
    edge, door = quick
    assert door.ask("/studies/1.2.3.4", DICOM_AS_STORED).status == 404
    edge.relays["b"].refuse()
    assert door.ask("/studies/1.2.3.5", DICOM_AS_STORED).status in (502, 504)


def test_twenty_searches_at_once_are_all_answered(quick: tuple[Edge, Door], archives: Archives) -> None:
    edge, _ = quick
    found: list[int] = []

    def search() -> None:
        with Door(edge.dicomweb, f"{edge.dicomweb}/wado") as door:
            found.append(len(door.ask("/studies").json))

    threads = [threading.Thread(target=search) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [len(archives.studies_a | archives.studies_b)] * 20
