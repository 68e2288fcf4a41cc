"""Rule tests inside rule files: what passes is silent, what fails says what came instead."""

from pathlib import Path

import pytest

from edgerouter.config import Config, load
from edgerouter.config.rehearsal import at_site, rehearse
from edgerouter.config.values import moment

RULES = """
rules:
  - name: night
    match: {transaction: retrieve, time: "22:00-06:00", client: 10.0.0.0/8, header: {X-Site: ward-*}}
    deny: {status: 503, reason: closed}
  - name: no-ultrasound
    match: {transaction: store, dataset: {Modality: US, "00081010": "ROOM *"}, client: 10.0.0.0/8}
    deny: {status: 403}
  - name: scanners
    match: {transaction: store, dataset: {Modality: [CT, MR]}}
    route: {upstreams: b}
  - name: searches
    match: {transaction: search}
    route: {upstreams: [b, a]}
tests:
"""


def site(tmp_path: Path, *tests: str, zone: str = "UTC") -> Config:
    (tmp_path / "r.yaml").write_text(RULES + "".join(f"  - {test}\n" for test in tests))
    (tmp_path / "edgerouter.yaml").write_text(
        f"server: {{time_zone: {zone}}}\nrules: [r.yaml]\n"
        "upstreams: {a: {url: 'http://a/'}, b: {url: 'http://b/'}}"
    )
    return load(tmp_path / "edgerouter.yaml")


NIGHTLY = "request: GET /studies/1.2, client: 10.1.2.3, header: {x-site: ward-7}"


@pytest.mark.parametrize(
    "test",
    [
        "{request: GET /studies, expect: {rule: searches, upstreams: [b, a]}}",
        "{request: GET /studies/1.2, expect: {rule: default, upstreams: [a, b]}}",
        f"{{{NIGHTLY}, at: mon 23:00, expect: {{rule: night, denied: 503}}}}",
        f"{{{NIGHTLY}, at: mon 12:00, expect: {{rule: default}}}}",
        f"{{{NIGHTLY}, expect: {{rule: default}}}}",
        f"{{{NIGHTLY}, at: '2025-06-01T20:00+09:00', expect: {{rule: default}}}}",
        f"{{{NIGHTLY}, at: '2025-06-01T12:00+12:00', expect: {{rule: night}}}}",
        "{request: POST /studies, dataset: {00080060: MR}, expect: {rule: scanners, upstreams: b}}",
        "{request: POST /studies/1.2, dataset: {Modality: [PT, CT]}, expect: {rule: scanners}}",
        "{request: POST /studies, dataset: {Modality: OT}, expect: {rule: default, upstreams: [a, b]}}",
        "{request: POST /studies, expect: {rule: default}}",
        "{request: POST /studies, client: 10.0.0.1, dataset: {Modality: US, StationName: ROOM 1},"
        " expect: {denied: 403}}",
    ],
)
def test_what_comes_as_expected_is_silent(tmp_path: Path, test: str) -> None:
    assert rehearse(site(tmp_path, test)) == ()


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (
            f"{{{NIGHTLY}, at: mon 12:00, expect: {{rule: night, denied: 503}}}}",
            "expected rule night, got default, expected a denial with 503, got a route;"
            " night: the time is 12:00, outside 22:00-06:00",
        ),
        (
            f"{{{NIGHTLY}, at: mon 23:00, expect: {{upstreams: a}}}}",
            "expected upstreams a, got a denial",
        ),
        (
            f"{{{NIGHTLY}, at: mon 23:00, expect: {{denied: 403}}}}",
            "expected a denial with 403, got 503",
        ),
        (
            "{request: POST /studies, dataset: {Modality: OT}, expect: {rule: scanners}}",
            "expected rule scanners, got default; scanners: the dataset's Modality is not CT or MR",
        ),
        (
            "{request: POST /studies, expect: {rule: scanners}}",
            "expected rule scanners, got default; scanners: no dataset is given",
        ),
        (
            "{request: GET /studies, expect: {upstreams: [a, b]}}",
            "expected upstreams a, b, got b, a",
        ),
    ],
)
def test_what_comes_otherwise_says_what_came_and_why(tmp_path: Path, test: str, said: str) -> None:
    passing = "{request: GET /studies, expect: {rule: searches}}"

    [problem] = rehearse(site(tmp_path, passing, test))

    assert str(problem) == f"{tmp_path / 'r.yaml'}:17: tests[1]: {said}"


def test_times_are_the_sites(tmp_path: Path) -> None:
    test = f"{{{NIGHTLY}, at: '2025-06-01T14:00Z', expect: {{rule: night}}}}"

    assert rehearse(site(tmp_path, test, zone="Asia/Tokyo")) == ()
    assert rehearse(site(tmp_path, test, zone="Europe/Berlin")) != ()


def test_without_a_zone_a_naive_time_is_the_systems() -> None:
    naive = moment("2025-06-01 12:00")

    assert at_site(naive, None) == naive.astimezone()
