"""Whatever text a file holds, loading it gives a configuration or a report."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.config import ConfigError, load
from edgerouter.config.rehearsal import rehearse

KEYS_AND_VALUES = """
server upstreams rules tests cache limits max_body port host base_path url public_url cors origins
time_zone auth type basic bearer username password env file tls ca timeouts connect profile orthanc
google name match route deny status 403 reason transaction search level study query PatientID
00100020 header client 10.0.0.0/8 time 22:00-06:00 days sat request at 0001-01-01 expect rule denied
a b http://h/rs http://[::1 30s Europe/Berlin r.yaml
"""
SYNTAX = """* &a *a !!python/object:os.system << ? | > --- ... ~ "\\ud800" "\\UFFFFFFFF" "\\0" """
PHRASES = ["GET /studies?PatientID=1", "sat 23:30", "20 GB", "%YAML 9.9", "\t", "\x85", "\u2028"]
VALUES = [*KEYS_AND_VALUES.split(), *PHRASES[:3]]
WORDS = [*VALUES, *SYNTAX.split(), *PHRASES]
GLUE = [": ", ":\n  ", ":\n    ", "\n", "\n  ", "\n  - ", ", ", " ", "{", "}", "[", "]", "'", '"', "#", ""]
yamlish = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GLUE)), max_size=30).map(
    lambda pairs: "".join(word + glue for word, glue in pairs)
)

leaf = st.sampled_from(VALUES) | st.text(max_size=8)
tree = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(leaf, inner, max_size=4), max_leaves=20
)


def flow(data: object) -> str:
    """Data as YAML in one line."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(flow, data)) + "]"
    return "'" + str(data).replace("'", "''") + "'"


def outcome(main: bytes, rules: bytes) -> bytes:
    """The report as it is printed, or ok."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "edgerouter.yaml").write_bytes(main)
        (Path(folder) / "r.yaml").write_bytes(rules)
        try:
            rehearse(load(Path(folder) / "edgerouter.yaml"))
        except ConfigError as error:
            return str(error).encode()
        return b"ok"


UPSTREAMS = b"upstreams: {a: {url: 'http://h/rs'}}\nrules: [r.yaml]\n"


@settings(max_examples=200, deadline=None)
@given(yamlish | st.text(max_size=60), yamlish)
def test_any_text_is_a_configuration_or_a_report(main: str, rules: str) -> None:
    assert outcome(main.encode("utf-8", "surrogatepass"), b"rules:\n" + rules.encode())


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_configuration_or_a_report(raw: bytes) -> None:
    assert outcome(raw, raw)


@settings(max_examples=200, deadline=None)
@given(tree, tree, tree, tree)
def test_any_tree_under_the_known_keys_is_a_configuration_or_a_report(
    server: object, upstream: object, match: object, test: object
) -> None:
    upstreams = f"{{a: {flow(upstream)}, b: {{url: 'http://h/'}}}}"
    main = f"server: {flow(server)}\nupstreams: {upstreams}\nrules: [r.yaml]\n"
    rule = f"{{name: x, match: {flow(match)}, route: {{upstreams: a}}}}"
    assert outcome(
        main.encode("utf-8", "replace"), f"rules: [{rule}]\ntests: [{flow(test)}]".encode("utf-8", "replace")
    )


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["transaction", "level", "query", "header", "client", "time", "days"]), tree
    )
)
def test_any_value_under_a_match_key_is_a_rule_or_a_report(match: dict[str, object]) -> None:
    rule = f"{{name: x, match: {flow(match)}, deny: {{status: 403}}}}"
    assert outcome(UPSTREAMS, f"rules: [{rule}]\n".encode("utf-8", "replace"))
