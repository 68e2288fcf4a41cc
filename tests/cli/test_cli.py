"""The command line: what is printed, and the exit status."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgerouter.cli import main

CONFIG = """
server: {base_path: /rs, public_url: https://edge.example/pacs/rs, time_zone: Europe/Berlin}
upstreams:
  a: {url: "http://127.0.0.1:1/a"}
  b: {url: "http://127.0.0.1:1/b", auth: {type: bearer, token: {env: EDGE_TEST_NOWHERE}}}
rules: [r.yaml]
"""
RULES = """
rules:
  - name: closed-at-night
    match: {transaction: retrieve, time: "22:00-06:00", client: 10.0.0.0/8}
    deny: {status: 403, reason: outside hours}
  - name: ward
    match: {header: {X-Site: ward-7}}
    route: {upstreams: b}
  - name: searches
    match: {transaction: search}
    route: {upstreams: a, deadline: 5s, partial: fail}
tests:
  - request: GET /studies
    expect: {rule: searches}
"""

UPLOADS = """
rules:
  - name: no-secondary
    match: {transaction: store, dataset: {ImageType: SECONDARY}}
    deny: {}
  - name: ct
    match: {transaction: store, dataset: {Modality: CT}}
    route: {upstreams: b}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "r.yaml").write_text(RULES)
    (tmp_path / "edgerouter.yaml").write_text(CONFIG)
    return str(tmp_path / "edgerouter.yaml")


def test_check_counts_what_it_found_good(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", config]) == 0

    assert capsys.readouterr().out == "ok: 2 upstreams, 3 rules, 1 rule test passed\n"


def test_check_warns_of_a_missing_secret_and_passes(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", config]) == 0

    assert (
        capsys.readouterr().err == "warning: upstream b: environment variable EDGE_TEST_NOWHERE is not set\n"
    )


def test_check_never_shows_a_secret(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_TEST_NOWHERE", "hunter2")

    assert main(["check", "-c", config]) == 0

    assert "hunter2" not in "".join(capsys.readouterr())


def test_check_prints_the_report_of_a_bad_configuration(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text(CONFIG.replace("upstreams:", "upstream:"))

    assert main(["check", "-c", config]) == 1

    assert capsys.readouterr().out == (
        f"{config}:2: upstreams: is required; add it\n"
        f"{config}:3: upstream: unknown key 'upstream'; did you mean upstreams?\n"
    )


def test_check_fails_when_a_rule_test_fails(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(RULES + "  - {request: GET /studies/1.2, expect: {rule: ward}}\n")

    assert main(["check", "-c", config]) == 1

    assert capsys.readouterr().out == (
        f"{tmp_path / 'r.yaml'}:15: tests[1]: expected rule ward, got default;"
        " ward: there is no header x-site\n"
        "1 of 2 rule tests failed\n"
    )


def test_check_of_a_file_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "-c", str(tmp_path / "nowhere.yaml")]) == 1

    assert "cannot be read" in capsys.readouterr().out


def test_explain_says_which_rule_decides_and_why_not_the_others(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "-c", config, "GET", "/studies?PatientID=1", "--client", "10.0.0.1"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "transaction search, level study, resource collection",
        "rule closed-at-night: no, the transaction is search, not retrieve",
        "rule ward: no, there is no header x-site",
        "rule searches: matches and decides",
        "upstreams: a",
        "deadline: 5s, partial: fail",
    ]


def test_explain_tells_of_a_later_rule_that_would_match(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "-c", config, "get", "/studies", "--header", "X-Site: ward-7"]) == 0

    assert capsys.readouterr().out.splitlines()[2:] == [
        "rule ward: matches and decides",
        "rule searches: would match, but an earlier rule decides",
        "upstreams: b",
        "deadline: 10s, partial: warn",
    ]


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("/studies", 1, "refused: 400 A rule wants a value to match for: PatientID."),
        (
            "/studies?00100020=7&PatientName=D",
            0,
            "searched as: 00100020=7&PatientName=D*&ModalitiesInStudy=CT",
        ),
        ("/studies/1.2/series?PatientID=7", 0, "only if the study matches: StudyInstanceUID=1.2&"),
        ("/studies?PatientID=7", 0, "at most 5 results, more are cut off"),
    ],
)
def test_explain_shows_what_the_guards_make_of_a_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, status: int, said: str
) -> None:
    (tmp_path / "edgerouter.yaml").write_text("upstreams: {a: {url: 'http://h/'}}\nrules: [r.yaml]")
    guards = "require: PatientID, max_results: 5, add: {ModalitiesInStudy: CT}, rewrite: {PatientName: '{}*'}"
    rule = f"{{name: x, match: {{transaction: search}}, route: {{upstreams: a, {guards}}}}}"
    (tmp_path / "r.yaml").write_text(f"rules: [{rule}]")

    assert main(["explain", "-c", str(tmp_path / "edgerouter.yaml"), "GET", target]) == status
    assert said in capsys.readouterr().out


def test_explain_of_an_upload_decides_for_the_instance_it_is_told_of(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(UPLOADS)
    upload = ["explain", "-c", config, "POST", "/studies"]

    assert main([*upload, "--dataset", "Modality=CT", "--dataset", "00080008=DERIVED\\PRIMARY"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "rule no-secondary: no, the dataset's ImageType is not SECONDARY",
        "rule ct: matches and decides",
        "upstreams: b",
    ]
    assert main([*upload, "--dataset", "ImageType=DERIVED\\SECONDARY"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "denied: 403 Refused by a rule."


def test_explain_of_an_upload_alone_says_what_its_instances_decide_by(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(UPLOADS)

    assert main(["explain", "-c", config, "POST", "/studies"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "rule no-secondary: no, no dataset is given",
        "rule ct: no, no dataset is given",
        "no rule matches: the default decides",
        "upstreams: a, b",
        "each instance is decided by its ImageType, Modality: give it with --dataset KEYWORD=VALUE",
    ]


def test_explain_knows_no_dataset_but_of_an_upload(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", "-c", config, "GET", "/studies", "--dataset", "Modality=CT"])

    assert caught.value.code == 2
    assert "--dataset is of uploads only" in capsys.readouterr().err


def test_explain_names_the_default(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-c", config, "GET", "/studies/1.2"]) == 0

    assert capsys.readouterr().out.splitlines()[-3:] == [
        "no rule matches: the default decides",
        "upstreams: a, b",
        "promote: yes, read_ahead: 0, max_stale: 604800s, default_syntax: explicit",
    ]


def test_explain_tells_what_a_rule_has_the_cache_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edgerouter.yaml").write_text(CONFIG)
    keys = "promote: no, read_ahead: 8, max_stale: 1h, default_syntax: any"
    (tmp_path / "r.yaml").write_text(
        f"rules: [{{name: cine, match: {{resource: frames}}, route: {{upstreams: b, {keys}}}}}]"
    )
    url = "/studies/1.2/series/1.3/instances/1.4/frames/1"
    assert main(["explain", "-c", str(tmp_path / "edgerouter.yaml"), "GET", url]) == 0

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "upstreams: b",
        "promote: no, read_ahead: 8, max_stale: 3600s, default_syntax: any",
    ]


@pytest.mark.parametrize("moment", ["23:30", "sat 23:30", "2025-11-22 23:30", "2025-11-22T22:30Z"])
def test_explain_of_a_denied_request_says_so_and_is_refused(
    config: str, capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    arguments = ["explain", "-c", config, "GET", "/studies/1.2", "--client", "10.0.0.1", "--at", moment]

    assert main(arguments) == 1

    assert capsys.readouterr().out.splitlines()[-1] == "denied: 403 outside hours"


@pytest.mark.parametrize(
    "url",
    [
        "/studies",
        "/rs/studies",
        "http://localhost:8080/rs/studies#here",
        "https://edge.example/pacs/rs/studies",
        "https://edge.example/rs/studies?limit=1",
    ],
)
def test_explain_takes_a_url_however_it_is_given(
    config: str, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["explain", "-c", config, "GET", url]) == 0

    assert "transaction search, level study" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("method", "url", "said"),
    [
        ("GET", "/rsx/studies", "refused before any rule: 404 No such resource in the Studies service.\n"),
        ("PUT", "/studies/1.2", "refused before any rule: 405 The resource does not have this method.\n"),
    ],
)
def test_explain_of_what_no_rule_is_asked_about(
    config: str, capsys: pytest.CaptureFixture[str], method: str, url: str, said: str
) -> None:
    assert main(["explain", "-c", config, method, url]) == 1

    assert capsys.readouterr().out == said


def test_explain_of_a_bad_configuration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f.yaml").write_text("upstreams: {}")

    assert main(["explain", "-c", str(tmp_path / "f.yaml"), "GET", "/studies"]) == 1

    assert (
        capsys.readouterr().err == f"{tmp_path / 'f.yaml'}:1: upstreams: is empty; fill it or leave it out\n"
    )


@pytest.mark.parametrize("of", [[], ["config"], ["rules"]])
def test_schema_prints_json(of: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *of]) == 0

    assert json.loads(capsys.readouterr().out)["type"] == "object"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["check"],
        ["serve"],
        ["serve", "-c", "f", "--upstream", "http://h/"],
        ["serve", "--upstream", "http://h/", "--port", "65536"],
        ["serve", "--upstream", "http://h/", "--host", "a b"],
        ["explain", "-c", "f", "GET", "/studies", "--client", "localhost"],
        ["explain", "-c", "f", "GET", "/studies", "--at", "midnight"],
        ["explain", "-c", "f", "GET", "/studies", "--header", "X-Site"],
        ["explain", "-c", "f", "POST", "/studies", "--dataset", "Modality"],
        ["explain", "-c", "f", "POST", "/studies", "--dataset", "Modalty=CT"],
        ["schema", "cache"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: edgerouter")


@pytest.mark.parametrize("arguments", [["-c", "{config}"], ["--upstream", "http://h/", "h"]])
def test_serve_refuses_what_it_cannot_serve(
    config: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *(argument.format(config=config) for argument in arguments)]) == 1

    assert capsys.readouterr().err.startswith(
        ("upstream b: environment variable", "--upstream: upstreams.upstream-2")
    )


def test_serve_refuses_a_bad_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "-c", str(tmp_path / "nowhere.yaml")]) == 1

    assert "cannot be read" in capsys.readouterr().err


def test_serve_of_an_address_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["serve", "--upstream", "http://127.0.0.1:1/", "--port", str(port)]) == 1

    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in capsys.readouterr().err


def test_serve_without_a_file_serves_until_it_is_told_to_stop() -> None:
    command = [
        sys.executable,
        "-m",
        "edgerouter",
        "serve",
        "--port",
        "0",
        "--upstream",
        "http://127.0.0.1:1/",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as router:
        try:
            assert router.stderr is not None
            listening = next(line for line in router.stderr if line.startswith("listening on http://"))
            client = http.client.HTTPConnection(listening.split("//")[1].strip(), timeout=20)
            client.request("GET", "/healthz")
            assert client.getresponse().status == 200
            client.close()
            router.send_signal(signal.SIGTERM)
            assert router.wait(20) == 0
        finally:
            router.kill()


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgerouter", "check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith("usage: edgerouter check")


def test_serve_over_a_directory_that_is_no_cache_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "documents").mkdir(mode=0o700)
    (tmp_path / "documents" / "thesis.txt").touch()
    file = tmp_path / "edgerouter.yaml"
    file.write_text("upstreams: {a: {url: http://127.0.0.1:1}}\ncache: {path: documents}\n")

    assert main(["serve", "-c", str(file)]) == 1

    assert "documents is not a cache of edgerouter: it holds 'thesis.txt'" in capsys.readouterr().err
    assert [entry.name for entry in (tmp_path / "documents").iterdir()] == ["thesis.txt"]
