"""Search through the router gives what it gives at the archive: every level, with and without filters."""

from collections.abc import Callable
from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.support.archives import SPLIT_A, Archives, Edge
from tests.support.doors import DICOM_JSON, Door
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

Search = Callable[[DICOMwebClient], Any]

STUDIES: dict[str, dict[str, Any]] = {
    "all": {},
    "by patient": {"search_filters": {"PatientID": "1CT1"}},
    "by tag": {"search_filters": {"00100020": "1CT1"}},
    "by date range": {"search_filters": {"StudyDate": "20100101-20101231"}},
    "by open date range": {"search_filters": {"StudyDate": "-19991231"}},
    "by modality": {"search_filters": {"ModalitiesInStudy": "MR"}},
    "by uid": {"search_filters": {"StudyInstanceUID": CHEST.study}},
    "by uid list": {"search_filters": {"StudyInstanceUID": f"{CHEST.study},{SPLIT_A.study}"}},
    "by two keys": {"search_filters": {"PatientID": CHEST.patient_id, "StudyDate": CHEST.study_date}},
    "with a field": {"fields": ["StudyDescription"]},
    "with fields": {"fields": ["00081030", "00081048"]},
    "fuzzy": {"fuzzymatching": True},
    "one page": {"limit": 7, "offset": 5},
    "last page": {"limit": 100, "offset": 20},
    "page past the end": {"limit": 7, "offset": 1000},
    "page by page": {"limit": 7, "get_remaining": True},
    "nobody": {"search_filters": {"PatientID": "nobody"}},
}
SERIES: dict[str, dict[str, Any]] = {
    "all": {},
    "of a study": {"study_instance_uid": CHEST.study},
    "of an unknown study": {"study_instance_uid": "1.2.3"},
    "by modality": {"search_filters": {"Modality": "MR"}},
    "one page": {"limit": 3, "offset": 4},
}
INSTANCES: dict[str, dict[str, Any]] = {
    "all": {},
    "of a study": {"study_instance_uid": CHEST.study},
    "of a series": {"study_instance_uid": CHEST.study, "series_instance_uid": CHEST.series},
    "by uid": {"search_filters": {"SOPInstanceUID": CHEST.instance(7)}},
    "one page": {
        "study_instance_uid": CHEST.study,
        "series_instance_uid": CHEST.series,
        "limit": 20,
        "offset": 190,
    },
}


@pytest.mark.parametrize("query", STUDIES.values(), ids=STUDIES)
def test_studies_are_found_as_at_the_archive(door: Door, direct: Door, query: dict[str, Any]) -> None:
    def search(client: DICOMwebClient) -> Any:
        return client.search_for_studies(**query)

    assert usable(door.outcome(search)) == usable(direct.outcome(search))


@pytest.mark.parametrize("query", SERIES.values(), ids=SERIES)
def test_series_are_found_as_at_the_archive(door: Door, direct: Door, query: dict[str, Any]) -> None:
    def search(client: DICOMwebClient) -> Any:
        return client.search_for_series(**query)

    assert door.outcome(search) == direct.outcome(search)


@pytest.mark.parametrize("query", INSTANCES.values(), ids=INSTANCES)
def test_instances_are_found_as_at_the_archive(door: Door, direct: Door, query: dict[str, Any]) -> None:
    def search(client: DICOMwebClient) -> Any:
        return client.search_for_instances(**query)

    assert door.outcome(search) == direct.outcome(search)


def test_a_wildcard_may_be_spelled_as_the_client_does(door: Door, direct: Door) -> None:
    """dicomweb-client encodes the asterisk, which the archive takes for a letter; the router decodes it."""
    plain = direct.rows(direct.ask("/studies?PatientName=Phantom*", DICOM_JSON))
    assert len(plain) == 2
    assert door.rows(door.ask("/studies?PatientName=Phantom*", DICOM_JSON)) == plain
    encoded = door.client.search_for_studies(search_filters={"PatientName": "Phantom*"})
    assert len(encoded) == (0 if door is direct else 2)


def test_rows_are_the_same_bytes_but_for_links(door: Door, direct: Door) -> None:
    for path in ("/studies?ModalitiesInStudy=CT", "/series", "/instances?limit=50"):
        assert door.rows(door.ask(path, DICOM_JSON)) == direct.rows(direct.ask(path, DICOM_JSON))


def test_no_study_leaves_the_router_with_modalities_without_a_value(edge_a: Edge, direct: Door) -> None:
    """Some of the samples have no Modality; the archive then says that there are modalities, and none."""
    with Door(edge_a.dicomweb, "") as router:
        there, here = direct.ask("/studies", DICOM_JSON).json, router.ask("/studies", DICOM_JSON).json
    assert usable(there) == [
        row | {"00081190": own["00081190"]} for row, own in zip(here, there, strict=True)
    ]
    assert usable(there) != there


def test_what_is_found_is_what_was_loaded(door: Door, archives: Archives) -> None:
    studies = door.client.search_for_studies()
    series = door.client.search_for_series()
    instances = door.client.search_for_instances()
    assert sorted(_uids(studies, "0020000D")) == sorted(archives.studies_a)
    assert sorted(_uids(series, "0020000E")) == sorted({sample.series for sample in archives.in_a})
    assert sorted(_uids(instances, "00080018")) == sorted(sample.instance for sample in archives.in_a)


def test_filters_leave_what_matches(door: Door, archives: Archives) -> None:
    for key, value in (("PatientID", "1CT1"), ("StudyDate", CHEST.study_date)):
        found = door.client.search_for_studies(search_filters={key: value})
        assert 0 < len(found) < len(archives.studies_a)
    page = door.client.search_for_instances(CHEST.study, CHEST.series, limit=20, offset=190)
    assert len(page) == 10


def test_every_retrieve_url_names_the_door_and_works(door: Door) -> None:
    collections = ["/studies", "/series", "/instances", f"/studies/{CHEST.study}/series"]
    rows = [row for path in collections for row in door.ask(f"{path}?limit=2", DICOM_JSON).json]
    assert len(rows) == 7
    for [url] in (row["00081190"]["Value"] for row in rows):
        assert url.startswith(f"{door.base}/studies/")
        assert door.ask(f"{url}/metadata", DICOM_JSON).status == 200


def test_a_search_the_archive_refuses_is_refused_alike(door: Door) -> None:
    assert door.ask("/studies?fuzzymatching=yes", DICOM_JSON).status == 400
    assert door.ask("/studies?limit=x", DICOM_JSON).status == 400


def usable(outcome: Any) -> Any:
    """Search results without empty ModalitiesInStudy, which empties the lists of viewers."""
    if not isinstance(outcome, list):
        return outcome
    return [
        {tag: value for tag, value in row.items() if tag != "00080061" or value.get("Value")}
        for row in outcome
    ]


def _uids(rows: list[dict[str, Any]], tag: str) -> list[str]:
    return [row[tag]["Value"][0] for row in rows]
