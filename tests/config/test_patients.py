"""The `patients` section and the route keys that speak of patients and counts."""

from pathlib import Path

import pytest

from edgerouter.config import Config, load
from edgerouter.config.problems import ConfigError
from edgerouter.routing.router import Route

BASE = "upstreams:\n  a: {url: http://127.0.0.1:1/dw, issuer: HOSP-A, timeouts: {search: 3s}}\n"
RULE = "rules:\n  - {name: all, match: {}, route: {upstreams: a, %s}}\n"


def loaded(folder: Path, more: str = "", route: str = "") -> Config:
    file = folder / "edgerouter.yaml"
    rules = "rules: [rules.yaml]\n" if route else ""
    (folder / "rules.yaml").write_text(RULE % route)
    file.write_text(BASE + more + rules)
    return load(file)


def problems(folder: Path, more: str = "", route: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, more, route)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_by_default_a_bare_id_is_everybody_s(tmp_path: Path) -> None:
    patients = loaded(tmp_path).patients

    assert (patients.home, patients.bare_ids, patients.mapping) == (None, "all", None)


def test_the_mapping_file_is_relative_to_the_configuration_and_read_at_once(tmp_path: Path) -> None:
    more = "patients: {home: HOSP-A, bare_ids: home, mapping: who.csv}\n"

    assert loaded(tmp_path, more).missing() == (f"patients: file {tmp_path / 'who.csv'} is not there",)
    (tmp_path / "who.csv").write_text("A,1,B,2\n")
    assert loaded(tmp_path, more).missing() == ()


@pytest.mark.parametrize(
    ("content", "report"),
    [
        (b"A,1,B,2\nA,1\n", "who.csv:2: must be issuer,id pairs, two or more of them"),
        (b"A,\xff,B,2\n", "who.csv: is not UTF-8"),
    ],
)
def test_a_bad_mapping_file_is_told_by_its_line(tmp_path: Path, content: bytes, report: str) -> None:
    (tmp_path / "who.csv").write_bytes(content)

    assert problems(tmp_path, "patients: {mapping: who.csv}\n") == [report]


def test_a_home_that_is_spoken_of_has_to_be_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "patients: {bare_ids: home}\n") == [
        "edgerouter.yaml:3: patients: bare_ids: home needs a home; write home: ISSUER beside it"
    ]
    assert problems(tmp_path, route="bare_ids: home") == [
        "rules.yaml:2: rules[0].route.bare_ids: needs a home; "
        "write patients: {home: ISSUER} in the configuration"
    ]
    assert loaded(tmp_path, "patients: {home: HOSP-A}\n", "bare_ids: home").rules


@pytest.mark.parametrize(
    "wrong", ["counts: exakt", "patients: two", "bare_ids: reject!", "patients: [flag]", "counts: 7"]
)
def test_words_that_mean_nothing_are_errors(tmp_path: Path, wrong: str) -> None:
    [report] = problems(tmp_path, route=wrong)

    assert report.startswith(f"rules.yaml:2: rules[0].route.{wrong.partition(':')[0]}")


def test_a_route_knows_what_was_written(tmp_path: Path) -> None:
    [rule] = loaded(tmp_path, route="counts: sum, patients: apart, bare_ids: reject").rules

    assert rule.consequence == Route(("a",), "all", counts="sum", apart=True, bare_ids="reject")


def test_an_upstream_may_have_less_time_for_a_search_than_the_route(tmp_path: Path) -> None:
    assert loaded(tmp_path).upstreams["a"].timeouts.search == 3.0
