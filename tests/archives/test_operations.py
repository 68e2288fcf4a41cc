"""An operator at work over a real archive: what viewers made the router keep is pinned, found, purged."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.archives import Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives


@pytest.fixture
def edge(archives: Archives, short_path: Path) -> Iterator[Edge]:
    with edge_over(short_path, {"a": archives.a}, settings={"issuer": "HOSP-A"}, cache="500 MB") as edge:
        yield edge


def got(edge: Edge, path: str, accept: str) -> bytes:
    answer = requests.get(edge.dicomweb + path, headers={"Accept": accept}, timeout=60)
    assert answer.status_code == 200
    return answer.content


def cache(edge: Edge, command: str, *arguments: str, status: int = 0) -> dict[str, Any]:
    config = str(edge.router.configuration)
    line = [sys.executable, "-m", "edgerouter", "cache", command, "-c", config, "--json", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pinned(edge: Edge) -> set[str]:
    return {study["study"] for study in cache(edge, "ls", "--limit", "0")["studies"] if study["pinned"]}


def test_queries_find_what_the_archives_metadata_says(edge: Edge, archives: Archives) -> None:
    small, mr = archives.sample("CT_small.dcm"), archives.sample("MR_small.dcm")
    for sample in (small, mr):
        got(edge, f"/studies/{sample.study}/metadata", DICOM_JSON)
        got(edge, f"/studies/{sample.study}", DICOM_AS_STORED)
    for query, found in (
        ("ModalitiesInStudy=CT", {small.study}),
        (f"PatientID={mr.patient_id}", {mr.study}),
        (f"StudyDate={small.study_date}", {small.study}),
        ("PatientName=comp*&Modality=MR", {mr.study}),
        ("StudyDate=today-30-", set()),
    ):
        assert cache(edge, "pin", query)["undecided"] == 0
        assert pinned(edge) == found, query
        cache(edge, "unpin", query)
    assert pinned(edge) == set()


def test_a_study_is_pinned_by_its_date_although_nobody_asked_for_its_metadata(
    edge: Edge, archives: Archives
) -> None:
    got(edge, f"/studies/{CHEST.study}/series/{CHEST.series}", DICOM_AS_STORED)

    assert cache(edge, "pin", f"StudyDate={CHEST.study_date}")["undecided"] == 0
    assert pinned(edge) == {CHEST.study}
    assert cache(edge, "pin", "PatientID=EDGE-0001")["undecided"] == 1


def test_a_patient_is_shown_when_asked_for_and_purged(edge: Edge, archives: Archives) -> None:
    small, mr = archives.sample("CT_small.dcm"), archives.sample("MR_small.dcm")
    for sample in (small, mr):
        got(edge, f"/studies/{sample.study}/metadata", DICOM_JSON)
        got(edge, f"/studies/{sample.study}", DICOM_AS_STORED)

    shown = {one["study"]: one["patient"] for one in cache(edge, "ls", "--patient")["studies"]}
    assert (shown[small.study]["id"], shown[small.study]["name"]) == (small.patient_id, small.patient_name)

    assert cache(edge, "purge", "--patient", small.patient_id, "--issuer", "ELSEWHERE")["studies"] == 0
    purged = cache(edge, "purge", "--patient", small.patient_id, "--issuer", "HOSP-A")
    assert (purged["studies"], purged["unknown"], purged["busy"]) == (1, [], 0)
    assert {one["study"] for one in cache(edge, "ls")["studies"]} == {mr.study}

    before = edge.upstream_requests()
    assert small.path.read_bytes()[-1000:] in got(edge, f"/studies/{small.study}", DICOM_AS_STORED)
    assert edge.upstream_requests() > before  # it was really gone, and comes again
    assert small.patient_id not in edge.router.log
    assert "--patient" not in edge.router.log
