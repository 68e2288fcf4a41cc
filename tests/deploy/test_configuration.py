"""The example configuration is accepted as it is, and with every setting that is at rest in it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerouter.cli import main
from edgerouter.config.schema import config_schema

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "deploy" / "edgerouter.yaml").read_text("utf-8")
_AT_REST = re.compile(r"^( *)#(?=\S)", re.MULTILINE)
_SETTING = re.compile(r"(\w+):")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOSPITAL_PASSWORD", "secret")
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    for name in ("hospital-ca.pem", "edge.pem", "edge.key", "who-is-who.csv"):
        (tmp_path / name).touch()
    return tmp_path


def checked(folder: Path, text: str) -> int:
    (folder / "edgerouter.yaml").write_text(text)
    return main(["check", "-c", str(folder / "edgerouter.yaml")])


def test_it_is_accepted_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(folder, EXAMPLE) == 0
    assert capsys.readouterr() == ("ok: 2 upstreams, 0 rules, 0 rule tests passed\n", "")


def test_it_is_accepted_with_all_that_is_at_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    awake = _AT_REST.sub(r"\1", EXAMPLE)
    (folder / "samples").mkdir()

    assert checked(folder, awake) == 0, capsys.readouterr().out
    said = capsys.readouterr()
    assert re.fullmatch(r"ok: 3 upstreams, [1-9]\d* rules, [1-9]\d* rule tests passed\n", said.out)
    assert said.err == ""


def test_every_setting_is_in_it() -> None:
    assert set(settings(config_schema())) - set(_SETTING.findall(EXAMPLE)) == set()


def settings(schema: Any) -> Iterator[str]:
    """The key of every setting, at any depth."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield from (value if key == "properties" else ())
            yield from settings(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from settings(value)
