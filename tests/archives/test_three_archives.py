"""Three real archives with studies that overlap, are split and collide: dicomweb-client pages through one
list, each study is there once with exact counts and is retrieved whole, and two patients with the same ID
stay two."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.archives import edge_over
from tests.support.doors import Door
from tests.support.orthanc import Orthanc
from tests.support.samples import SeriesSpec, write_series

pytestmark = pytest.mark.archives

NAMES = ("a", "b", "c")
# One ID, two persons; the third hospital knows the first person, by a number of its own.
ANN = SeriesSpec("ann", "7", "Phantom^Ann", slices=1, size=16)
BOB = SeriesSpec("bob", "7", "Phantom^Bob", slices=1, size=16)
ANN_IN_C = SeriesSpec("ann in c", "C-9", "Phantom^Ann", slices=1, size=16)
COPIED = SeriesSpec("copied", "20", "Phantom^Copied", slices=2, size=16)
PARTLY = SeriesSpec("partly", "21", "Phantom^Partly", slices=4, size=16)
SPLIT = tuple(
    SeriesSpec(f"split {name}", "22", "Phantom^Split", slices=count, size=16, study_seed="split in three")
    for count, name in enumerate(NAMES, start=1)
)
OTHERS = tuple(
    SeriesSpec(
        f"other {number}", f"3{number}", "Phantom^Other", slices=1, size=16, study_date=f"201{number}0101"
    )
    for number in range(9)
)
STUDIES = {spec.study for spec in (ANN, BOB, ANN_IN_C, COPIED, PARTLY, *SPLIT, *OTHERS)}
RULES = """
rules:
  - name: searches
    match: {transaction: search}
    route: {upstreams: [a, b, c], counts: exact}
"""


@pytest.fixture(scope="module", params=["0 B", "1 GB"], ids=["passed on", "kept"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("three")
    files = {
        spec: [sample.path for sample in write_series(folder / spec.seed.replace(" ", "-"), spec)]
        for spec in (ANN, BOB, ANN_IN_C, COPIED, PARTLY, *SPLIT, *OTHERS)
    }
    held = {
        "a": [*files[ANN], *files[COPIED], *files[PARTLY][:2], *files[SPLIT[0]]],
        "b": [*files[BOB], *files[COPIED], *files[PARTLY][1:], *files[SPLIT[1]]],
        "c": [*files[ANN_IN_C], *files[COPIED], *files[SPLIT[2]]],
    }
    for number, spec in enumerate(OTHERS):  # each at two of the three
        for name in (NAMES[number % 3], NAMES[(number + 1) % 3]):
            held[name] += files[spec]
    (folder / "rules.yaml").write_text(RULES)
    (folder / "mapping.csv").write_text("HOSP-A,7,HOSP-C,C-9\n")
    with ExitStack() as stack:
        archives = {name: stack.enter_context(Orthanc(name, folder / name)) for name in NAMES}
        for name, archive in archives.items():
            archive.load(held[name])
            assert not archive.refused
        more: dict[str, Any] = {
            "rules": ["rules.yaml"],
            "patients": {"mapping": "mapping.csv"},
            "upstreams": {name: {"issuer": f"HOSP-{name.upper()}"} for name in NAMES},
        }
        edge = stack.enter_context(edge_over(folder, archives, more, cache=request.param))
        yield stack.enter_context(Door(edge.dicomweb, f"{edge.dicomweb}/wado"))


def values(rows: list[dict[str, Any]], tag: str) -> list[Any]:
    return [row[tag]["Value"][0] for row in rows]


@pytest.mark.parametrize("size", [1, 4, 5, 100])
def test_dicomweb_client_pages_through_and_sees_each_study_once(door: Door, size: int) -> None:
    paged = door.client.search_for_studies(limit=size, get_remaining=True)

    uids = values(paged, "0020000D")
    assert sorted(uids) == sorted(STUDIES)
    dates = values(paged, "00080020")
    assert dates == sorted(dates, reverse=True)
    assert uids == values(door.client.search_for_studies(), "0020000D")


def test_every_series_and_instance_is_there_once(door: Door) -> None:
    everything = (ANN, BOB, ANN_IN_C, COPIED, PARTLY, *SPLIT, *OTHERS)

    series = values(door.client.search_for_series(limit=3, get_remaining=True), "0020000E")
    instances = values(door.client.search_for_instances(limit=4, get_remaining=True), "00080018")

    assert sorted(series) == sorted(spec.series for spec in everything)
    assert sorted(instances) == sorted(
        spec.instance(n) for spec in everything for n in range(1, spec.slices + 1)
    )


@pytest.mark.parametrize(
    ("study", "series", "instances"), [(SPLIT[0].study, 3, 6), (PARTLY.study, 1, 4), (COPIED.study, 1, 2)]
)
def test_counts_are_those_of_the_union(door: Door, study: str, series: int, instances: int) -> None:
    [row] = door.client.search_for_studies(search_filters={"StudyInstanceUID": study})

    assert (values([row], "00201206"), values([row], "00201208")) == ([series], [instances])
    assert len(door.client.search_for_instances(study)) == instances
    assert len(door.client.search_for_series(study)) == series


def test_two_patients_with_one_id_stay_two(door: Door) -> None:
    rows = door.client.search_for_studies(search_filters={"PatientID": "7"})

    found = {
        row["0020000D"]["Value"][0]: (
            row["00100010"]["Value"][0]["Alphabetic"],
            row["00100021"]["Value"][0],
        )
        for row in rows
    }
    assert found == {ANN.study: ("Phantom^Ann", "HOSP-A"), BOB.study: ("Phantom^Bob", "HOSP-B")}


def test_with_an_issuer_the_one_person_is_found_in_every_hospital_that_knows_her(door: Door) -> None:
    rows = door.client.search_for_studies(search_filters={"PatientID": "7", "IssuerOfPatientID": "HOSP-A"})

    found = {row["0020000D"]["Value"][0]: row["00100020"]["Value"][0] for row in rows}
    assert found == {ANN.study: "7", ANN_IN_C.study: "C-9"}


@pytest.mark.parametrize("specs", [SPLIT, (PARTLY,), (COPIED,)], ids=["split", "partly copied", "copied"])
def test_dicomweb_client_retrieves_each_study_whole(door: Door, specs: tuple[SeriesSpec, ...]) -> None:
    study = specs[0].study
    everything = {spec.instance(number) for spec in specs for number in range(1, spec.slices + 1)}
    [row] = door.client.search_for_studies(search_filters={"StudyInstanceUID": study})

    files = door.client.retrieve_study(study)
    again = door.client.retrieve_study(study)
    metadata = door.client.retrieve_study_metadata(study)

    assert len(files) == len(again) == len(metadata) == values([row], "00201208")[0] == len(everything)
    assert {file.SOPInstanceUID for file in files} == {file.SOPInstanceUID for file in again} == everything
    assert set(values(metadata, "00080018")) == everything
    for spec in specs:
        of_series = door.client.retrieve_series(study, spec.series)
        assert {file.SOPInstanceUID for file in of_series} == {
            spec.instance(number) for number in range(1, spec.slices + 1)
        }


def test_instances_and_frames_of_a_split_study_are_found_wherever_they_are(door: Door) -> None:
    for spec in SPLIT:
        place = (spec.study, spec.series, spec.instance(1))
        row = door.client.retrieve_instance_metadata(*place)
        frames = door.client.retrieve_instance_frames(*place, [1])
        assert (row["00080018"]["Value"], len(frames)) == ([spec.instance(1)], 1)
