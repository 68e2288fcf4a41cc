"""The index tells what the files hold, whichever of them come and go."""

import random
from collections.abc import Iterator

import pytest

from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.parsing.worker import Entry
from edgerouter.upstream.folder.index import Counts, Index
from edgerouter.upstream.folder.walk import Found


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index()
    index.begin_scan()
    yield index
    index.close()


def entry(study: str, series: str, instance: str, **given: object) -> Entry:
    texts = {"study_row": b"{}", "series_row": b"{}", "instance_row": b"{}", "attributes": b"{}"}
    rest: dict[str, object] = {
        "sop_class": "1.2",
        "modality": "CT",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "size": 1,
        "metadata": instance.encode(),
        "frames": b"",
        "has_pixels": True,
        "moment": "",
        "series_number": None,
        "number": None,
    }
    return Entry(study=study, series=series, instance=instance, **(rest | texts | given))  # type: ignore[arg-type]


def put(index: Index, path: str, *place: str, version: str = "1", **given: object) -> None:
    index.put(Found(path.encode(), version), entry(*place, **given))  # type: ignore[arg-type]


def study(uid: str = "1") -> Resource:
    return Resource(Kind.DICOM, Level.STUDY, uid)


def paths(index: Index, resource: Resource) -> list[str]:
    return [member.path.decode() for member in index.members(resource)]


def test_members_are_ordered_by_series_and_instance_number(index: Index) -> None:
    put(index, "a", "1", "1.2", "1.2.1", series_number=10, number=1)
    put(index, "b", "1", "1.1", "1.1.2", series_number=9, number=10)
    put(index, "c", "1", "1.1", "1.1.1", series_number=9, number=9)
    put(index, "d", "1", "1.0", "1.0.1")
    put(index, "e", "2", "2.1", "2.1.1")

    assert paths(index, study()) == ["c", "b", "a", "d"]
    assert paths(index, Resource(Kind.METADATA, Level.SERIES, "1", "1.1")) == ["c", "b"]
    assert paths(index, Resource(Kind.DICOM, Level.INSTANCE, "1", "1.2", "1.2.1")) == ["a"]
    assert paths(index, Resource(Kind.DICOM, Level.INSTANCE, "2", "1.2", "1.2.1")) == []


def test_of_two_files_with_one_instance_the_first_by_path_counts(index: Index) -> None:
    put(index, "b", "1", "1.1", "1.1.1")
    put(index, "a", "1", "1.1", "1.1.1")
    put(index, "c", "1", "1.1", "1.1.1")

    assert paths(index, study()) == ["a"]
    assert index.counts() == Counts(1, 1, 0, 2)
    assert sorted(member.path for member in index.named("1.1.1")) == [b"a", b"b", b"c"]

    index.forget([b"a"])

    assert paths(index, study()) == ["b"]


def test_a_file_that_holds_something_else_now_is_that(index: Index) -> None:
    put(index, "a", "1", "1.1", "1.1.1")
    put(index, "a", "2", "2.1", "2.1.1", version="2")

    assert paths(index, study("1")) == []
    assert paths(index, study("2")) == ["a"]
    assert index.members(study("2"))[0].stamp == "2"

    index.put(Found(b"a", "3"), None)

    assert index.counts() == Counts(0, 0, 1, 0)


def test_a_scan_passes_over_what_is_known_and_forgets_what_is_gone(index: Index) -> None:
    put(index, "same", "1", "1.1", "1.1.1")
    put(index, "changed", "1", "1.1", "1.1.2")
    put(index, "gone", "1", "1.1", "1.1.3")
    index.put(Found(b"broken", "1"), None)
    index.begin_scan()

    news = index.pass_over([Found(b"same", "1"), Found(b"changed", "2"), Found(b"broken", "1")])
    put(index, "changed", "1", "1.1", "1.1.2", version="2")

    assert news == [Found(b"changed", "2")]
    assert index.end_scan() == 1
    assert sorted(paths(index, study())) == ["changed", "same"]
    assert index.counts().unusable == 1


def test_studies_are_the_newest_first_with_what_they_hold(index: Index) -> None:
    put(index, "a", "1", "1.1", "1.1.1", moment="20200101", modality="CT")
    put(index, "b", "1", "1.2", "1.2.1", moment="20200101", modality="SR")
    put(index, "c", "2", "2.1", "2.1.1", moment="20240101", modality="MR")
    put(index, "d", "3", "3.1", "3.1.1", modality="")

    found = index.candidates(Resource(Kind.COLLECTION, Level.STUDY), {})

    assert [(one.study, one.modalities, one.series, one.instances) for one in found] == [
        ("2", ("MR",), 1, 1),
        ("1", ("CT", "SR"), 2, 2),
        ("3", (), 1, 1),
    ]
    assert index.studies(["1", "9"])["1"].modalities == ("CT", "SR")


def test_uids_restrict_what_is_looked_at(index: Index) -> None:
    for study_, instance in (("1", "1.1.1"), ("1", "1.1.2"), ("2", "2.1.1")):
        put(index, instance, study_, f"{study_}.1", instance)
    every = Resource(Kind.COLLECTION, Level.INSTANCE)

    assert len(index.candidates(every, {})) == 3
    assert len(index.candidates(every, {"study": ["1", "9"]})) == 2
    assert len(index.candidates(every, {"study": ["1"], "instance": ["1.1.2"]})) == 1
    assert len(index.candidates(Resource(Kind.COLLECTION, Level.INSTANCE, "2"), {})) == 1


def test_texts_of_a_file_that_went_are_missing_and_not_another_s(index: Index) -> None:
    put(index, "a", "1", "1.1", "1.1.1")
    [member] = index.members(study())
    index.forget([b"a"])

    assert list(index.texts([member.id])) == [None]
    assert index.metadata([member.id]) == []
    assert index.text(member.id, "frames") is None


def test_whatever_comes_and_goes_one_file_stands_for_each_instance() -> None:
    chance = random.Random(7)
    index = Index()
    index.begin_scan()
    truth: dict[str, tuple[str, str, str]] = {}
    for step in range(400):
        path = f"file-{chance.randrange(12)}"
        if chance.random() < 0.3:
            truth.pop(path, None)
            index.forget([path.encode()])
        else:
            study_ = str(chance.randrange(1, 3))
            truth[path] = (study_, f"{study_}.1", f"{study_}.1.{chance.randrange(4)}")
            put(index, path, *truth[path], version=str(step))
        for study_ in ("1", "2"):
            expected = {min(p for p, q in truth.items() if q == place) for place in truth.values()}
            held = {p for p in expected if truth[p][0] == study_}
            assert set(paths(index, study(study_))) == held
    index.close()
