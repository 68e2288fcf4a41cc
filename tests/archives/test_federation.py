"""Two real archives behind one door: searched as one, read from the right one, also while one of them is not
there. Requests that have to fail do so within the deadline of a rule, which is short here."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.archives import NAMESAKE, SPLIT_A, SPLIT_B, VISITOR, Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, DICOM_XML, Door
from tests.support.orthanc import Orthanc
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

DEADLINE = 1.0  # seconds
RULES = """
rules:
  - name: searches
    match: {transaction: search}
    route: {upstreams: [a, b], deadline: 1s}
"""


@pytest.fixture(scope="module")
def federated(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A router over relays over both archives, for all tests here."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "rules.yaml").write_text(RULES)
    with edge_over(folder, {"a": archives.a, "b": archives.b}, {"rules": ["rules.yaml"]}) as edge:
        yield edge


@pytest.fixture
def door(federated: Edge) -> Iterator[Door]:
    with Door(federated.dicomweb, f"{federated.dicomweb}/wado") as door:
        yield door


@pytest.fixture
def fresh(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A router that has not heard of anything yet."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "rules.yaml").write_text(RULES)
    with edge_over(folder, {"a": archives.a, "b": archives.b}, {"rules": ["rules.yaml"]}) as edge:
        yield edge


def uids(rows: list[dict[str, Any]], tag: str = "0020000D") -> list[str]:
    return [row[tag]["Value"][0] for row in rows]


def test_every_study_of_both_is_there_once_and_in_one_order(door: Door, archives: Archives) -> None:
    found = uids(door.client.search_for_studies())

    assert len(found) == len(set(found))
    assert set(found) == archives.studies_a | archives.studies_b
    assert found == uids(door.client.search_for_studies())


@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_dicomweb_client_pages_through_and_sees_each_study_once(
    door: Door, archives: Archives, size: int
) -> None:
    paged = uids(door.client.search_for_studies(limit=size, get_remaining=True))

    assert paged == uids(door.client.search_for_studies())
    assert len(paged) == len(archives.studies_a | archives.studies_b)


def test_every_series_and_instance_of_both_is_there_once(door: Door, archives: Archives) -> None:
    both = [*archives.in_a, *archives.in_b]
    series = uids(door.client.search_for_series(), "0020000E")
    instances = uids(door.client.search_for_instances(), "00080018")

    assert sorted(series) == sorted({sample.series for sample in both})
    assert sorted(instances) == sorted({sample.instance for sample in both})


def test_a_split_study_is_one_row_with_the_series_of_both(door: Door) -> None:
    rows = door.ask(f"/studies?StudyInstanceUID={SPLIT_A.study}", DICOM_JSON).json
    series = door.client.search_for_series(SPLIT_A.study)

    assert uids(rows) == [SPLIT_A.study]
    assert set(uids(series, "0020000E")) == {SPLIT_A.series, SPLIT_B.series}


def test_two_patients_with_one_id_stay_two(door: Door, archives: Archives) -> None:
    rows = door.client.search_for_studies(search_filters={"PatientID": NAMESAKE.patient_id})

    patients = {
        uid: row["00100010"]["Value"][0]["Alphabetic"] for uid, row in zip(uids(rows), rows, strict=True)
    }
    own = archives.sample("CT_small.dcm")
    assert patients[NAMESAKE.study] == NAMESAKE.patient_name
    assert patients[own.study] == own.patient_name


def test_xml_says_what_json_says(door: Door) -> None:
    path = f"/studies?PatientID={CHEST.patient_id}"

    [part] = door.ask(path, DICOM_XML).parts
    [row] = door.ask(path, DICOM_JSON).json
    assert all(tag in part.body.decode() for tag in row)
    assert f"{door.base}/studies/{CHEST.study}" in part.body.decode()


def test_a_study_is_retrieved_from_the_archive_that_has_it(fresh: Edge, archives: Archives) -> None:
    with Door(fresh.dicomweb, "") as door:
        for study, holder in ((CHEST.study, "a"), (VISITOR.study, "b")):
            before = {name: relay.mark() for name, relay in fresh.relays.items()}
            assert door.ask(f"/studies/{study}/metadata", DICOM_JSON).status == 200
            asked = {
                name: [exchange for exchange in relay.since(before[name]) if study in exchange.path]
                for name, relay in fresh.relays.items()
            }
            assert [name for name, exchanges in asked.items() if exchanges] == [holder]
    held = {sample.instance for sample in archives.in_b if sample.study == VISITOR.study}
    assert held


def test_instances_are_the_archives_own_bytes(door: Door, archives: Archives) -> None:
    for spec, orthanc in ((CHEST, archives.a), (VISITOR, archives.b)):
        path = f"/studies/{spec.study}/series/{spec.series}/instances/{spec.instance(1)}"
        [part] = door.ask(path, DICOM_AS_STORED).parts
        assert part.body == orthanc.raw(spec.instance(1))


def test_a_study_on_both_is_read_from_both(door: Door, archives: Archives) -> None:
    study = SPLIT_A.study
    reply = door.ask(f"/studies/{study}/metadata", DICOM_JSON)
    parts = door.ask(f"/studies/{study}", DICOM_AS_STORED).parts

    # Archive a has three slices, b has two.
    assert [row["0020000E"]["Value"][0] for row in reply.json] == [SPLIT_A.series] * 3 + [SPLIT_B.series] * 2
    held = [sample for sample in (*archives.in_a, *archives.in_b) if sample.study == study]
    assert sorted(part.body for part in parts) == sorted(sample.path.read_bytes() for sample in held)


def test_an_unknown_study_is_not_found(door: Door) -> None:
    assert door.ask("/studies/1.2.3.4/metadata", DICOM_JSON).status == 404


@pytest.fixture(params=["stopped", "down"])
def without_b(request: pytest.FixtureRequest, archives: Archives) -> Iterator[Orthanc]:
    """Archive b is not there, in one of two ways, and comes back."""
    stopped = request.param == "stopped"
    if stopped:
        archives.b.pause()
    else:
        archives.b.stop()
    yield archives.b
    if stopped:
        archives.b.resume()
    else:
        archives.b.start()


def test_the_other_archive_is_searched_and_the_missing_one_named(
    fresh: Edge, archives: Archives, without_b: Orthanc
) -> None:
    with Door(fresh.dicomweb, "") as door:
        began = time.monotonic()
        reply = door.ask("/studies", DICOM_JSON)
        took = time.monotonic() - began

    assert reply.status == 200
    assert set(uids(reply.json)) == archives.studies_a
    assert "Source b did not answer (" in (reply.get("warning") or "")
    assert took < DEADLINE + 2  # far from every other limit


def test_the_other_archive_is_read_from(fresh: Edge, without_b: Orthanc) -> None:
    with Door(fresh.dicomweb, "") as door:
        reply = door.ask(f"/studies/{CHEST.study}/metadata", DICOM_JSON)
        assert len(reply.json) == 200
        [part] = door.ask(
            f"/studies/{CHEST.study}/series/{CHEST.series}/instances/{CHEST.instance(9)}", DICOM_AS_STORED
        ).parts
        assert part.body


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "down"])
def test_without_any_archive_it_is_an_error_and_never_an_empty_list(
    fresh: Edge, archives: Archives, stopped: bool
) -> None:
    for orthanc in (archives.a, archives.b):
        orthanc.pause() if stopped else orthanc.stop()
    try:
        with Door(fresh.dicomweb, "") as door:
            reply = door.ask("/studies", DICOM_JSON)
    finally:
        for orthanc in (archives.a, archives.b):
            orthanc.resume() if stopped else orthanc.start()

    assert reply.status == (504 if stopped else 502)
    assert "No archive answered" in reply.json["detail"]
    with Door(fresh.dicomweb, "") as door:
        assert door.ask("/studies", DICOM_JSON).status == 200
