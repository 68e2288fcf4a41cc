"""Secrets are named, never kept: what is shown is the place, what is read is the value of that moment."""

import os
from pathlib import Path

import pytest

from edgerouter.config import ConfigError, Secret, SecretMissing, load
from edgerouter.config.secret import BasicAuth, BearerAuth, HeaderAuth

CANARY = "hunter2-canary"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Secret:
    monkeypatch.setenv("EDGE_TEST_SECRET", CANARY)
    return Secret(env="EDGE_TEST_SECRET")


def test_neither_repr_nor_str_nor_dump_shows_the_value(secret: Secret) -> None:
    auth = BasicAuth(type="basic", username="edge", password=secret)

    assert auth.authorization() == "Basic ZWRnZTpodW50ZXIyLWNhbmFyeQ=="
    assert CANARY not in f"{secret!r}{secret}{auth!r}{auth}{auth.model_dump()}{auth.model_dump_json()}"


def test_bearer_and_literal_values_are_made_when_they_are_asked_for(secret: Secret) -> None:
    assert BearerAuth(type="bearer", token=secret).authorization() == f"Bearer {CANARY}"
    assert HeaderAuth(type="header", value=secret).authorization() == CANARY


@pytest.mark.parametrize("content", [CANARY, CANARY + "\n", CANARY + "\r\n"])
def test_a_file_beside_the_configuration_is_read_without_its_line_break(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    (tmp_path / "edgerouter.yaml").write_text(
        "upstreams: {a: {url: 'http://h/', auth: {type: bearer, token: {file: token}}}}"
    )

    auth = load(tmp_path / "edgerouter.yaml").upstreams["a"].auth

    assert auth is not None
    assert auth.authorization() == f"Bearer {CANARY}"


def test_a_secret_that_changes_is_read_anew(secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_TEST_SECRET", "rotated")

    assert secret.reveal() == "rotated"


def test_every_kind_of_credentials_names_its_secret(secret: Secret) -> None:
    assert BasicAuth(type="basic", username="edge", password=secret).secret is secret
    assert BearerAuth(type="bearer", token=secret).secret is secret
    assert HeaderAuth(type="header", value=secret).secret is secret


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(SecretMissing, match="environment variable EDGE_TEST_NOWHERE is not set"):
        Secret(env="EDGE_TEST_NOWHERE").reveal()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match=r"token cannot be read: No such file"):
        Secret(file=tmp_path / "token").reveal()


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\n")

    with pytest.raises(SecretMissing):
        Secret(file=tmp_path / "token").reveal()


@pytest.mark.parametrize("value", ["a\nX-Injected: b", "a\x1b", "pässword"])
def test_what_no_header_can_carry_is_refused_without_being_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "EDGE_TEST_SECRET", value)

    with pytest.raises(SecretMissing) as caught:
        Secret(env="EDGE_TEST_SECRET").reveal()

    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        CANARY,
        f"{{{CANARY}}}",
        f"{{env: A, {CANARY}: b}}",
        f"[{CANARY}]",
        f"{{env: [{CANARY}]}}",
        "{}",
        "{env: ''}",
    ],
)
def test_a_secret_in_clear_is_a_mistake_and_not_repeated(tmp_path: Path, written: str) -> None:
    path = tmp_path / "edgerouter.yaml"
    path.write_text(f"upstreams: {{a: {{url: 'http://h/', auth: {{type: bearer, token: {written}}}}}}}")

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert CANARY not in str(caught.value)
