"""From files to one frozen configuration."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from edgerouter.config import Config, ConfigError, from_upstreams, load
from edgerouter.dicomweb.resource import Transaction
from edgerouter.routing.router import Route

FULL = """
server:
  host: 0.0.0.0
  port: 8042
  base_path: /rs/
  public_url: https://edge.example/rs
  trusted_proxies: [127.0.0.1/32]
  time_zone: Europe/Berlin
  cors: {origins: [https://viewer.example]}
  limits: {max_body: 1 GB, max_head: 16 KiB, max_connections: 10, request_head_timeout: 500ms}
upstreams:
  hospital-a:
    search_url: https://pacs.a.example/qido
    retrieve_url: https://pacs.a.example/wado-rs
    wado_uri_url: https://pacs.a.example/wado
    profile: orthanc
    issuer: HOSP-A
    aliases: ["http://localhost:8042/dicom-web/"]
    auth: {type: basic, username: edge, password: {env: EDGE_TEST_NOWHERE}}
    tls: {ca: hosp-a.pem}
    timeouts: {connect: 1s}
    concurrency: 2
  hospital-b:
    url: https://pacs.b.example/rs
    store_url: https://pacs.b.example/stow
rules: [rules/*.yaml, rules/b.yaml]
"""


def rule(name: str) -> str:
    return f"rules: [{{name: {name}, match: {{level: study}}, route: {{upstreams: hospital-a}}}}]"


@pytest.fixture
def full(tmp_path: Path) -> Config:
    (tmp_path / "edgerouter.yaml").write_text(FULL)
    (tmp_path / "rules").mkdir()
    for name in ("b", "a", "c"):
        (tmp_path / "rules" / f"{name}.yaml").write_text(rule(f"rule-{name}"))
    return load(tmp_path / "edgerouter.yaml")


def test_what_is_written_is_what_is_read(full: Config) -> None:
    server, hospital = full.server, full.upstreams["hospital-a"]

    assert (server.host, server.port, server.base_path) == ("0.0.0.0", 8042, "/rs")
    assert server.time_zone == ZoneInfo("Europe/Berlin")
    assert (server.limits.max_body, server.limits.max_head) == (10**9, 16384)
    assert server.limits.request_head_timeout == 0.5
    assert (hospital.profile, hospital.issuer, hospital.concurrency) == ("orthanc", "HOSP-A", 2)
    assert hospital.timeouts.connect == 1.0


def test_what_is_not_written_has_the_documented_default() -> None:
    config = from_upstreams(["http://127.0.0.1:8042/dicom-web"])
    limits, timeouts = config.server.limits, config.upstreams["upstream-1"].timeouts

    assert (config.server.host, config.server.port, config.server.base_path) == (
        "127.0.0.1",
        8080,
        "/dicomweb",
    )
    assert (limits.max_body, limits.max_head, limits.max_connections) == (20 * 10**9, 64_000, 1000)
    assert (limits.request_head_timeout, limits.write_timeout) == (10.0, 60.0)
    assert (limits.min_upload_rate, limits.upload_window) == (1000, 30.0)
    assert limits.max_search_answer == 64_000_000
    assert (timeouts.connect, timeouts.first_byte, timeouts.between_reads) == (5.0, 30.0, 30.0)
    assert timeouts.store_answer == 300.0
    assert config.upstreams["upstream-1"].concurrency == 8


def test_paths_are_relative_to_the_file_that_names_them(full: Config, tmp_path: Path) -> None:
    tls = full.upstreams["hospital-a"].tls

    assert tls is not None
    assert tls.ca == tmp_path / "hosp-a.pem"


def test_rule_files_are_read_in_order_and_each_once(full: Config) -> None:
    assert [rule.name for rule in full.rules] == ["rule-a", "rule-b", "rule-c"]


def test_each_transaction_has_its_own_base_url_or_the_common_one(full: Config) -> None:
    a, b = full.upstreams["hospital-a"], full.upstreams["hospital-b"]

    assert a.base(Transaction.SEARCH) == "https://pacs.a.example/qido"
    assert a.base(Transaction.STORE) is None
    assert a.base(Transaction.WADO_URI) == "https://pacs.a.example/wado"
    assert b.base(Transaction.STORE) == "https://pacs.b.example/stow"
    assert b.base(Transaction.RETRIEVE) == "https://pacs.b.example/rs"
    assert b.base(Transaction.WADO_URI) is None


def test_bases_are_the_configured_urls_and_then_the_aliases(full: Config) -> None:
    assert full.upstreams["hospital-a"].bases == (
        "https://pacs.a.example/qido",
        "https://pacs.a.example/wado-rs",
        "https://pacs.a.example/wado",
        "http://localhost:8042/dicom-web",
    )


def test_what_is_not_there_yet_is_named(full: Config, tmp_path: Path) -> None:
    assert full.missing() == (
        "upstream hospital-a: environment variable EDGE_TEST_NOWHERE is not set",
        f"upstream hospital-a: file {tmp_path / 'hosp-a.pem'} is not there",
    )


def test_nothing_in_it_can_be_changed(full: Config) -> None:
    with pytest.raises(ValidationError):
        full.server.port = 1
    with pytest.raises(TypeError):
        full.upstreams["other"] = full.upstreams["hospital-a"]  # type: ignore[index]


def test_another_address_to_listen_on_changes_nothing_else(full: Config) -> None:
    other = full.listening(host="::1", port=None)

    assert (other.server.host, other.server.port) == ("::1", 8042)
    assert other.upstreams is full.upstreams


def test_upstreams_without_a_file_are_named_by_number() -> None:
    config = from_upstreams(["http://127.0.0.1:8042/a", "http://127.0.0.1:8043/b/"])

    assert {name: upstream.url for name, upstream in config.upstreams.items()} == {
        "upstream-1": "http://127.0.0.1:8042/a",
        "upstream-2": "http://127.0.0.1:8043/b",
    }


def test_a_bad_url_on_the_command_line_is_reported_as_such() -> None:
    with pytest.raises(ConfigError, match=r"^--upstream: upstreams.upstream-2.url: "):
        from_upstreams(["http://h/", "h"])


def test_an_absolute_glob_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(rule("one"))
    (tmp_path / "edgerouter.yaml").write_text(
        f"upstreams: {{hospital-a: {{url: 'http://h/'}}}}\nrules: ['{tmp_path}/o*.yaml']"
    )

    assert [rule.name for rule in load(tmp_path / "edgerouter.yaml").rules] == ["one"]


@pytest.mark.parametrize("glob", ["", "**x/y", "nothing/*.yaml", ".", "rules"])
def test_a_glob_that_finds_no_file_is_a_mistake(tmp_path: Path, glob: str) -> None:
    (tmp_path / "edgerouter.yaml").write_text(f"upstreams: {{a: {{url: 'http://h/'}}}}\nrules: ['{glob}']")

    with pytest.raises(ConfigError, match="no file matches"):
        load(tmp_path / "edgerouter.yaml")


@pytest.mark.parametrize("written", ["rules/*.yaml", "{a: b}", "[[a]]"])
def test_rules_that_are_no_list_of_globs_are_a_mistake(tmp_path: Path, written: str) -> None:
    (tmp_path / "edgerouter.yaml").write_text(f"upstreams: {{a: {{url: 'http://h/'}}}}\nrules: {written}")

    with pytest.raises(ConfigError, match=r"edgerouter.yaml:2: rules"):
        load(tmp_path / "edgerouter.yaml")


def test_a_match_key_without_machinery_is_refused_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "edgerouter.yaml").write_text("upstreams: {a: {url: 'http://h/'}}\nrules: [r.yaml]")
    match = "{identity: {group: x}}"
    (tmp_path / "r.yaml").write_text(f"rules:\n- name: x\n  match: {match}\n  deny: {{status: 403}}\n")

    with pytest.raises(ConfigError, match="not available in this version"):
        load(tmp_path / "edgerouter.yaml")


@pytest.mark.parametrize(
    ("keys", "deadline", "strict"),
    [
        ("", 10.0, False),
        (", deadline: 500ms", 0.5, False),
        (", deadline: 1m, partial: fail", 60.0, True),
        (", partial: warn", 10.0, False),
    ],
)
def test_a_route_says_how_long_a_search_takes_and_whether_it_may_be_partial(
    tmp_path: Path, keys: str, deadline: float, strict: bool
) -> None:
    (tmp_path / "edgerouter.yaml").write_text("upstreams: {a: {url: 'http://h/'}}\nrules: [r.yaml]")
    (tmp_path / "r.yaml").write_text(f"rules: [{{name: x, match: {{}}, route: {{upstreams: a{keys}}}}}]")

    (rule,) = load(tmp_path / "edgerouter.yaml").rules

    assert rule.consequence == Route(("a",), "x", deadline, strict)


@pytest.mark.parametrize("key", ["store: spool"])
def test_a_route_key_without_machinery_is_refused_not_ignored(tmp_path: Path, key: str) -> None:
    (tmp_path / "edgerouter.yaml").write_text("upstreams: {a: {url: 'http://h/'}}\nrules: [r.yaml]")
    (tmp_path / "r.yaml").write_text(f"rules:\n- name: x\n  match: {{}}\n  route: {{upstreams: a, {key}}}\n")

    with pytest.raises(ConfigError, match="not available in this version"):
        load(tmp_path / "edgerouter.yaml")


@pytest.mark.parametrize(
    ("server", "upstream", "rule", "expect", "said"),
    [
        ("cors: {origins: ['*', 'https://v.example']}", "", "", "", '"*" stands beside other origins'),
        ("", "tls: {ca: [a.pem]}", "", "", "must be a path"),
        ("", "issuer: 'A^B'", "", "", "has characters that are not allowed here"),
        ("", "auth: [basic]", "", "", "must be a mapping"),
        ("", "auth: {type: [basic]}", "", "", "must be a single value"),
        ("", "", "upstreams: [[a]]", "", "must be the name of an upstream"),
        ("", "", "upstreams: a", "rule: [default]", "must be the name of a rule"),
        ("", "", "upstreams: a", f"rule: {'x' * 65}", "unknown rule 'xxx"),
    ],
)
def test_what_a_value_cannot_be(
    tmp_path: Path, server: str, upstream: str, rule: str, expect: str, said: str
) -> None:
    (tmp_path / "r.yaml").write_text(
        f"rules: [{{name: x, match: {{}}, route: {{{rule or 'upstreams: a'}}}}}]\n"
        f"tests: [{{request: GET /studies, expect: {{{expect or 'rule: x'}}}}}]\n"
    )
    (tmp_path / "edgerouter.yaml").write_text(
        f"server: {{{server}}}\nupstreams: {{a: {{url: 'https://h/', {upstream}}}}}\nrules: [r.yaml]"
    )

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edgerouter.yaml")

    [problem] = caught.value.problems
    assert problem.what.startswith(said)


def test_no_rule_is_called_what_no_rule_is_called(tmp_path: Path) -> None:
    (tmp_path / "edgerouter.yaml").write_text("upstreams: {hospital-a: {url: 'http://h/'}}\nrules: [r.yaml]")
    (tmp_path / "r.yaml").write_text(rule("default"))

    with pytest.raises(ConfigError, match="default is what no rule at all is called"):
        load(tmp_path / "edgerouter.yaml")


def test_an_upstream_named_like_a_key_gets_the_right_suggestions(tmp_path: Path) -> None:
    (tmp_path / "edgerouter.yaml").write_text(
        "upstreams: {auth: {urll: 'http://h/'}, timeouts: {auth: {typ: basic}}}"
    )

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edgerouter.yaml")

    assert [problem.fix for problem in caught.value.problems] == [
        "did you mean url?",
        "add type: basic, bearer or header",
    ]


def test_problems_are_sorted_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "edgerouter.yaml").write_text("zoo: 1\nrules: [r.yaml]\nupstreams: {}\nbar: 2\n")
    (tmp_path / "r.yaml").write_text("tests: 1\nrules: 2\n")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edgerouter.yaml")

    lines = [(Path(problem.file).name, problem.line) for problem in caught.value.problems]
    assert lines == [
        ("edgerouter.yaml", 1),
        ("edgerouter.yaml", 3),
        ("edgerouter.yaml", 4),
        ("r.yaml", 1),
        ("r.yaml", 2),
    ]


def test_a_cache_that_is_not_written_down_stands_beside_the_file_too(full: Config, tmp_path: Path) -> None:
    assert full.cache.path == tmp_path / "var/cache"
    assert (full.cache.size, full.cache.min_free) == (20 * 10**9, 2 * 10**9)


def test_a_cache_stands_where_the_file_says_and_may_be_none(tmp_path: Path) -> None:
    upstreams = "upstreams: {a: {url: http://a.example}}"
    written = f"{upstreams}\ncache: {{path: kept, size: 0 B, min_free: 0 B}}"
    (tmp_path / "edgerouter.yaml").write_text(written)

    cache = load(tmp_path / "edgerouter.yaml").cache

    assert (cache.path, cache.size, cache.min_free) == (tmp_path / "kept", 0, 0)


def test_without_a_file_the_cache_stands_in_the_working_directory() -> None:
    assert from_upstreams(["http://a.example"]).cache.path == Path("var/cache")


def test_a_folder_is_an_upstream_beside_the_file_that_names_it(tmp_path: Path) -> None:
    section = "{folder: samples, issuer: USB, derive_metadata: no}"
    (tmp_path / "edgerouter.yaml").write_text(f"upstreams: {{usb-stick: {section}}}")
    config = load(tmp_path / "edgerouter.yaml")

    assert config.upstreams["usb-stick"].derive_metadata is False
    assert config.upstreams["usb-stick"].folder == tmp_path / "samples"
    assert config.missing() == (f"upstream usb-stick: folder {tmp_path / 'samples'} is not there",)
    (tmp_path / "samples").mkdir()
    assert config.missing() == ()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{folder: samples, url: 'http://h/'}", "url does not go with folder; give either an address or a"),
        ("{folder: samples, profile: orthanc}", "profile does not go with folder"),
        ("{folder: samples, timeouts: {connect: 1s}}", "timeouts does not go with folder"),
        ("{folder: ''}", "must be a path"),
        ("{folder: [a]}", "must be a path"),
        ("{issuer: USB}", "has no address; give url, folder, or search_url"),
    ],
)
def test_a_folder_has_no_address(tmp_path: Path, section: str, said: str) -> None:
    (tmp_path / "edgerouter.yaml").write_text(f"upstreams: {{usb-stick: {section}}}")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edgerouter.yaml")
    assert said in str(caught.value)
