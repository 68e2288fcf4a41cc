"""Three real archives that go: what is left of a study is said to be in part, and with all of them stopped a
study that is held is found by its patient's name, its date and its modality."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import edge_over
from tests.support.doors import Door
from tests.support.orthanc import Orthanc
from tests.support.samples import SeriesSpec, write_series

pytestmark = pytest.mark.archives

NAMES = ("a", "b", "c")
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
JSON = "application/dicom+json"
NO_CACHE = {"Cache-Control": "no-cache"}
HELD = SeriesSpec("held", "50", "Phantom^Held", slices=3, size=16, study_date="20190507")
UNSEEN = SeriesSpec("unseen", "51", "Phantom^Unseen", slices=2, size=16, study_date="20190508")
SPLIT = tuple(
    SeriesSpec(f"split {name}", "52", "Phantom^Split", slices=count, size=16, study_seed="split offline")
    for count, name in enumerate(NAMES, start=1)
)
RULES = """
rules:
  - name: searches
    match: {transaction: search}
    route: {upstreams: [a, b, c], deadline: 3s}
"""


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[tuple[Door, dict[str, Orthanc]]]:
    """A router over three archives that a test may stop."""
    specs = (HELD, UNSEEN, *SPLIT)
    files = {
        spec: [one.path for one in write_series(tmp_path / spec.seed.replace(" ", "-"), spec)]
        for spec in specs
    }
    of = {"a": [HELD, SPLIT[0]], "b": [UNSEEN, SPLIT[1]], "c": [HELD, SPLIT[2]]}
    (tmp_path / "rules.yaml").write_text(RULES)
    with ExitStack() as stack:
        archives = {name: stack.enter_context(Orthanc(name, tmp_path / name)) for name in NAMES}
        for name, archive in archives.items():
            archive.load([path for spec in of[name] for path in files[spec]])
        edge = stack.enter_context(edge_over(tmp_path, archives, {"rules": ["rules.yaml"]}, cache="1 GB"))
        yield stack.enter_context(Door(edge.dicomweb, "")), archives


def values(rows: list[dict[str, Any]], tag: str) -> list[Any]:
    return [row[tag]["Value"][0] for row in rows]


def test_a_split_study_is_in_part_without_one_archive_and_whole_again_with_it(
    gone: tuple[Door, dict[str, Orthanc]],
) -> None:
    door, archives = gone
    study = f"/studies/{SPLIT[0].study}"
    assert len(door.ask(study, DICOM).parts) == 6
    archives["c"].stop()

    reply = door.ask(study, DICOM, fields=NO_CACHE)
    assert (reply.status, len(reply.parts)) == (206, 3)
    assert "Source c did not answer" in (reply.get("warning") or "")
    assert reply.get("cache-control") == "private, no-store"

    archives["c"].start()
    assert len(door.client.retrieve_study(SPLIT[0].study)) == 6


def test_with_all_archives_stopped_what_is_held_is_found_and_retrieved(
    gone: tuple[Door, dict[str, Orthanc]],
) -> None:
    door, archives = gone
    for spec in (HELD, SPLIT[0]):
        door.client.retrieve_study(spec.study)
        door.client.retrieve_study_metadata(spec.study)
    for archive in archives.values():
        archive.stop()

    for query in (
        "PatientName=phantom^h*",
        "StudyDate=20190501-20190507",
        "PatientName=P*&StudyDate=20190507&ModalitiesInStudy=CT",
    ):
        reply = door.ask(f"/studies?{query}", JSON)
        assert (reply.status, values(reply.json, "0020000D")) == (200, [HELD.study])
        assert (values(reply.json, "00201208"), values(reply.json, "00080056")) == ([3], ["ONLINE"])
        assert "copies held here" in (reply.get("warning") or "")
        assert reply.get("cache-status") == "edgerouter; hit; detail=offline"
    rows = door.ask("/studies?PatientName=Phantom*", JSON).json
    assert sorted(values(rows, "0020000D")) == sorted([HELD.study, SPLIT[0].study])
    assert door.ask("/studies?PatientName=*Unseen", JSON).status in (502, 503, 504)
    assert len(door.client.search_for_instances(SPLIT[0].study)) == 6
    assert len(door.client.retrieve_study(SPLIT[0].study)) == 6

    for archive in archives.values():
        archive.start()
    again = door.client.search_for_studies(search_filters={"PatientName": "Phantom*"})
    assert sorted(values(again, "0020000D")) == sorted([HELD.study, SPLIT[0].study, UNSEEN.study])
