"""OHIF's own sequence of requests, as it was recorded, through the router: over one archive and over two.

It is judged by what OHIF needs: lists that it can read, series with modalities, metadata whose links work,
every frame a multipart of one part, and the CORS fields without which its browser throws all of it away.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import SPLIT_A, SPLIT_B, VISITOR, Archives, Edge, edge_over
from tests.support.doors import Door, Reply
from tests.support.samples import CHEST, Sample

pytestmark = pytest.mark.archives

ORIGIN = "http://ohif.example:3000"
CORS = {"server": {"cors": {"origins": [ORIGIN]}}}
FIELDS = "includefield=00081030%2C00080060%2C00080090%2C00100030"
LIST = f"/studies?limit=101&offset=0&fuzzymatching=false&{FIELDS}"
FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"
QUOTED = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'
ON_THE_WIRE = 6  # connections of a browser to one host
AS_A_BROWSER = {"Origin": ORIGIN, "Accept-Encoding": "gzip, deflate, br, zstd"}


@dataclass(frozen=True)
class Viewer:
    """OHIF with its data source set to the router."""

    door: Door

    def ask(self, path: str, accept: str = "application/dicom+json") -> Reply:
        reply = self.door.ask(path, accept, fields=AS_A_BROWSER)
        assert reply.get("access-control-allow-origin") == ORIGIN, "the browser would hide the answer"
        return self.door.plain(reply)

    def rows(self, path: str) -> list[dict[str, Any]]:
        reply = self.ask(path)
        assert (reply.status, reply.get("content-type")) == (200, "application/dicom+json")
        return list(reply.json)

    def studies(self) -> list[dict[str, Any]]:
        """The study list. A row without a value in ModalitiesInStudy would empty all of it."""
        rows = self.rows(LIST)
        assert all(row.get("00080061", {"Value": []}).get("Value") is not None for row in rows)
        return rows

    def open(self, study: str, patient: str) -> list[dict[str, Any]]:
        """Click a row: the requests of the viewer until it knows its series; their metadata."""
        self.rows(f"/studies/{study}/series?includefield=0008103E%2C00080021")
        for _ in range(2):
            [row] = self.rows(f"{LIST}&StudyInstanceUID={study}")
            assert values(row, "0020000D") == [study]
        series = self.rows(f"/studies/{study}/series?includefield=00080021%2C00080031%2C0008103E%2C00200011")
        priors = self.rows(f"/studies?00100020={patient}&limit=101&offset=0&fuzzymatching=false&{FIELDS}")
        assert study in [uid for row in priors for uid in values(row, "0020000D")]
        assert all(values(row, "00080060") for row in series)
        paths = [f"/studies/{study}/series/{values(row, '0020000E')[0]}/metadata" for row in series]
        with ThreadPoolExecutor(ON_THE_WIRE) as pool:
            return [row for rows in pool.map(self.rows, paths) for row in rows]

    def frames(self, images: list[dict[str, Any]], accept: str = FRAME) -> list[bytes]:
        """Every image's frame 1, as many at a time as a browser asks."""

        def one(image: dict[str, Any]) -> bytes:
            study, series, instance = (values(image, tag)[0] for tag in ("0020000D", "0020000E", "00080018"))
            reply = self.ask(f"/studies/{study}/series/{series}/instances/{instance}/frames/1", accept)
            [part] = reply.parts
            assert "transfer-syntax=" in part.fields["content-type"], "it has to know how to decode it"
            return part.body

        with ThreadPoolExecutor(ON_THE_WIRE) as pool:
            return list(pool.map(one, images))


def values(row: dict[str, Any], tag: str) -> list[Any]:
    return list(row[tag]["Value"])


@pytest.fixture(scope="module")
def single(archives: Archives) -> Iterator[Edge]:
    """A router with a cache for viewers of one origin, over one archive."""
    with (
        tempfile.TemporaryDirectory(prefix="edge") as folder,
        edge_over(Path(folder), {"a": archives.a}, CORS, cache="2 GB") as edge,
    ):
        yield edge


@pytest.fixture(scope="module")
def federated(archives: Archives) -> Iterator[Edge]:
    """The same over two archives."""
    with (
        tempfile.TemporaryDirectory(prefix="edge") as folder,
        edge_over(Path(folder), {"a": archives.a, "b": archives.b}, CORS, cache="2 GB") as edge,
    ):
        yield edge


@pytest.fixture(params=["single", "federated"])
def setting(request: pytest.FixtureRequest) -> Edge:
    edge: Edge = request.getfixturevalue(request.param)
    return edge


@pytest.fixture
def viewer(setting: Edge) -> Iterator[Viewer]:
    with Door(setting.dicomweb, "") as door:
        yield Viewer(door)


def pixels(samples: list[Sample], images: list[dict[str, Any]], size: int) -> list[bytes]:
    """What the frames of these images are in the files they came from."""
    files = {sample.instance: sample.path for sample in samples}
    return [files[values(image, "00080018")[0]].read_bytes()[-2 * size * size :] for image in images]


def test_it_lists_opens_and_shows_a_study(viewer: Viewer, setting: Edge, archives: Archives) -> None:
    listed = [uid for row in viewer.studies() for uid in values(row, "0020000D")]
    assert CHEST.study in listed
    assert len(listed) == len(set(listed))
    images = viewer.open(CHEST.study, CHEST.patient_id)
    assert len(images) == CHEST.slices
    shown = [images[0], images[100], *images[1:60]]  # the first, the thumbnail, then in order
    assert viewer.frames(shown) == pixels(archives.chest, shown, CHEST.size)


def test_shown_once_it_is_shown_again_without_the_archive(viewer: Viewer, setting: Edge) -> None:
    images = viewer.open(CHEST.study, CHEST.patient_id)[:30]
    first = viewer.frames(images)
    marks = {name: relay.mark() for name, relay in setting.relays.items()}
    series = f"/studies/{CHEST.study}/series/{CHEST.series}"
    assert len(viewer.rows(f"{series}/metadata")) == CHEST.slices
    assert viewer.frames(images) == first
    assert viewer.frames(images, QUOTED) == first
    assert [relay.since(marks[name]) for name, relay in setting.relays.items()] == [[]] * len(marks)


def test_both_archives_are_one_list_and_their_studies_open_alike(federated: Edge, archives: Archives) -> None:
    with Door(federated.dicomweb, "") as door:
        viewer = Viewer(door)
        listed = [uid for row in viewer.studies() for uid in values(row, "0020000D")]
        assert sorted(listed) == sorted(archives.studies_a | archives.studies_b)
        images = viewer.open(VISITOR.study, VISITOR.patient_id)
        assert viewer.frames(images) == pixels(list(archives.in_b), images, VISITOR.size)


def test_a_study_that_is_split_over_both_is_shown_whole(federated: Edge, archives: Archives) -> None:
    with Door(federated.dicomweb, "") as door:
        viewer = Viewer(door)
        images = viewer.open(SPLIT_A.study, SPLIT_A.patient_id)
        assert len(images) == SPLIT_A.slices + SPLIT_B.slices
        everything = [*archives.in_a, *archives.in_b]
        assert viewer.frames(images) == pixels(everything, images, SPLIT_A.size)


def test_priors_of_a_patient_id_that_two_patients_have_are_all_named(federated: Edge) -> None:
    with Door(federated.dicomweb, "") as door:
        rows = Viewer(door).rows(f"/studies?00100020=1CT1&limit=101&offset=0&fuzzymatching=false&{FIELDS}")
    names = {values(row, "00100010")[0]["Alphabetic"] for row in rows}
    assert len(names) == 2


def test_every_filter_of_its_list_finds(viewer: Viewer) -> None:
    for filtered in (
        "PatientName=*Phantom*",
        f"00100020=*{CHEST.patient_id}*",
        "AccessionNumber=*ACC*",
        "ModalitiesInStudy=CT",
        f"StudyDate={CHEST.study_date}-{CHEST.study_date}",
        f"StudyDate=19700102-{CHEST.study_date}",
    ):
        found = [uid for row in viewer.rows(f"{LIST}&{filtered}") for uid in values(row, "0020000D")]
        assert CHEST.study in found, filtered
    assert viewer.ask(f"{LIST}&PatientName=*nobody*").status in (200, 204)


def test_links_in_metadata_are_absolute_and_open(viewer: Viewer, setting: Edge, archives: Archives) -> None:
    sample = archives.sample("examples_overlay.dcm")
    [row] = viewer.rows(f"{sample.resource}/metadata")
    uri = row["7FE00010"]["BulkDataURI"]
    assert uri.startswith(f"{setting.dicomweb}/studies/")
    assert viewer.ask(uri, 'multipart/related; type="application/octet-stream"').parts


def test_a_thumbnail_wished_for_in_the_query_is_one(viewer: Viewer) -> None:
    path = f"/studies/{CHEST.study}/series/{CHEST.series}/rendered?accept=image/jpeg"
    reply = viewer.ask(path, 'multipart/related; type="application/octet-stream"')
    assert (reply.status, reply.get("content-type")) == (200, "image/jpeg")
    assert reply.body.startswith(b"\xff\xd8")


def test_a_preflight_is_answered_by_the_router_and_may_be_kept(setting: Edge) -> None:
    mark = setting.upstream_requests()
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "accept"}
    with Door(setting.dicomweb, "") as door:
        path = f"/studies/{CHEST.study}/series/{CHEST.series}/instances/{CHEST.instance(1)}/frames/1"
        reply = door.ask(path, method="OPTIONS", fields={"Origin": ORIGIN, **asked})
    assert reply.status in (200, 204)
    assert "accept" in (reply.get("access-control-allow-headers") or "").lower()
    assert int(reply.get("access-control-max-age") or 0) >= 600
    assert setting.upstream_requests() == mark


def test_an_error_can_be_read_by_the_viewer(viewer: Viewer) -> None:
    assert viewer.ask("/studies/1.2.3/series/4.5/metadata").status == 404
    assert viewer.ask("/studies/1.2.3/series/4.5/instances/6/frames/0", FRAME).status == 400
