"""Guards as people write them: compiled for searches, and refused where they would guard nothing."""

from pathlib import Path

import pytest

from edgerouter.config import ConfigError, load
from edgerouter.config.rehearsal import rehearse
from edgerouter.routing.guard import Guard
from edgerouter.routing.router import Route


def written(folder: Path, route: str, match: str = "{transaction: search}", tests: str = "[]") -> Path:
    (folder / "edgerouter.yaml").write_text("upstreams: {a: {url: 'http://h/'}}\nrules: [r.yaml]")
    rule = f"rules:\n- name: x\n  match: {match}\n  route: {{upstreams: a, {route}}}\ntests: {tests}\n"
    (folder / "r.yaml").write_text(rule)
    return folder / "edgerouter.yaml"


def guard(folder: Path, route: str, match: str = "{transaction: search}") -> Guard | None:
    [rule] = load(written(folder, route, match)).rules
    assert isinstance(rule.consequence, Route)
    return rule.consequence.guard


def test_guards_are_compiled(tmp_path: Path) -> None:
    route = "require: ['PatientID|AccessionNumber', StudyDate], max_days: 31, max_results: 500"
    changed = "add: {ModalitiesInStudy: [CT, MR]}, rewrite: {PatientName: '{}*'}"
    match = "{transaction: search, level: study}"
    found = guard(tmp_path, f"{route}, too_many: refuse, {changed}", match)

    assert found is not None
    assert found.require == (("00100020", "00080050"), ("00080020",))
    assert (found.max_days, found.max_results, found.refuse) == (31, 500, True)
    assert [(match.attribute.tag, match.values) for match in found.add] == [("00080061", ("CT", "MR"))]
    assert found.rewrite == (("00100010", "{}*"),)


def test_one_key_and_one_value_need_no_brackets_and_a_tag_does(tmp_path: Path) -> None:
    found = guard(tmp_path, "require: '00100020', add: {PatientID: 7}")

    assert found is not None
    assert (found.require, found.add[0].values) == ((("00100020",),), ("7",))


def test_a_route_without_guards_has_none(tmp_path: Path) -> None:
    assert guard(tmp_path, "deadline: 5s") is None


@pytest.mark.parametrize(
    ("route", "match", "said"),
    [
        ("require: PatientId", "{transaction: search}", "'PatientId'; did you mean PatientID"),
        ("require: 'PatientID|'", "{transaction: search}", "names no key"),
        ("require: RequestAttributesSequence.StudyID", "{transaction: search}", "is inside a sequence"),
        ("require: PatientID", "{}", "route.require is of searches only"),
        ("max_results: 5", "{transaction: [search, retrieve]}", "route.max_results is of searches only"),
        ("add: {Modality: CT}", "{transaction: search}", "Modality is no key of a search at study level"),
        ("add: {Modality: CT}", "{transaction: search, level: study}", "no key of a search at study level"),
        ("add: {StudyInstanceUID: 1.2}", "{transaction: search}", "names what is searched, in the path too"),
        ("rewrite: {0020000D: 1.2}", "{transaction: search}", "names what is searched, in the path too"),
        ("add: {PatientID: '*'}", "{transaction: search}", "matches everything"),
        ("add: {StudyDate: yesterday}", "{transaction: search}", "not valid for its VR DA"),
        ("rewrite: {StudyDate: yesterday}", "{transaction: search}", "not valid for its VR DA"),
        ("add: {}", "{transaction: search}", "add"),
        ("too_many: refuse", "{transaction: search}", "too_many is said without max_results"),
        ("too_many: some, max_results: 5", "{transaction: search}", "too_many"),
        ("max_days: 0", "{transaction: search}", "max_days"),
        ("requires: PatientID", "{transaction: search}", "did you mean require"),
    ],
)  # fmt: skip
def test_a_guard_that_guards_nothing_is_an_error(tmp_path: Path, route: str, match: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, route, match))

    assert said in str(caught.value)


TEST = "[{request: 'GET %s', expect: {%s}}]"


@pytest.mark.parametrize(
    ("target", "expect"),
    [
        ("/studies", "refused: 400"),
        ("/studies?00100020=7&StudyDate=20000101-20231231", "refused: 413"),
        ("/studies?PatientID=7", "rule: x, query: {PatientID: 7, InstitutionName: HOME}"),
        ("/studies/1.2/series", "query: {StudyInstanceUID: 1.2, InstitutionName: HOME}"),
    ],
)
def test_rule_tests_say_what_becomes_of_a_search(tmp_path: Path, target: str, expect: str) -> None:
    guards = "require: 'PatientID|StudyInstanceUID', max_days: 31, add: {IssuerOfPatientID: HOME}"
    tests = (TEST % (target, expect)).replace("InstitutionName", "IssuerOfPatientID")

    assert rehearse(load(written(tmp_path, guards, tests=tests))) == ()


@pytest.mark.parametrize(
    ("target", "expect", "said"),
    [
        ("/studies?PatientID=7", "refused: 400", "expected a refusal with 400, got no refusal"),
        ("/studies", "query: {PatientID: 7}", "expected no refusal, got a refusal with 400"),
        ("/studies?PatientID=7", "query: {PatientID: 8}", "expected PatientID to be searched by 8, got 7"),
        ("/studies?PatientID=7", "query: {StudyID: 8}", "expected StudyID to be searched by 8, got nothing"),
    ],
)
def test_a_rule_test_that_fails_says_how(tmp_path: Path, target: str, expect: str, said: str) -> None:
    [problem] = rehearse(load(written(tmp_path, "require: PatientID", tests=TEST % (target, expect))))

    assert problem.what == said


def test_a_guard_has_two_statuses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'403' is no status of a guard; choose of 400, 413"):
        load(written(tmp_path, "require: PatientID", tests=TEST % ("/studies", "refused: 403")))
