"""Where changes are taken in, and what an upstream may keep: as written, and as meant without a word."""

from pathlib import Path

import pytest

from edgerouter.config import Config, ConfigError, load
from edgerouter.config.server import is_loopback


def configured(folder: Path, admin: str = "", upstream: str = "url: http://127.0.0.1:1/rs") -> Config:
    file = folder / "edgerouter.yaml"
    server = f"server: {{admin: {admin}}}\n" if admin else ""
    file.write_text(f"{server}upstreams: {{a: {{{upstream}}}}}\n")
    return load(file)


def test_without_a_word_it_is_a_socket_in_the_caches_folder(tmp_path: Path) -> None:
    admin = configured(tmp_path).admin

    assert admin is not None
    assert admin.socket == tmp_path / "var" / "cache" / "admin.sock"


def test_a_socket_stands_beside_the_file(tmp_path: Path) -> None:
    admin = configured(tmp_path, "{socket: ./var/admin.sock}").admin

    assert admin is not None
    assert (admin.socket, admin.port) == (tmp_path / "var" / "admin.sock", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", '"::1"'])
def test_an_address_of_this_machine_needs_no_token(tmp_path: Path, host: str) -> None:
    admin = configured(tmp_path, f"{{host: {host}, port: 8081}}").admin

    assert admin is not None
    assert (admin.port, admin.token) == (8081, None)


def test_an_address_beyond_this_machine_has_a_token_which_is_told_when_it_is_missing(tmp_path: Path) -> None:
    config = configured(tmp_path, "{host: 0.0.0.0, port: 8081, token: {env: EDGE_TEST_NOWHERE}}")

    assert config.missing() == ("server.admin: environment variable EDGE_TEST_NOWHERE is not set",)


@pytest.mark.parametrize(
    ("admin", "said"),
    [
        ("{}", "needs a socket or a port, and not both"),
        ("{host: 127.0.0.1}", "needs a socket or a port, and not both"),
        ("{socket: a.sock, port: 8081}", "needs a socket or a port, and not both"),
        ("{socket: a.sock, token: {env: X}}", "host and token do not go with socket"),
        ("{socket: a.sock, host: 127.0.0.1}", "host and token do not go with socket"),
        ("{host: 0.0.0.0, port: 8081}", "without a token"),
        ("{host: edge.example, port: 8081}", "without a token"),
        ("{port: 8081, token: hunter2}", "a secret is not written here"),
    ],
)
def test_what_it_cannot_be(tmp_path: Path, admin: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        configured(tmp_path, admin)

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("upstream", "quota"),
    [
        ("url: http://127.0.0.1:1/rs", None),
        ("url: http://127.0.0.1:1/rs, cache_quota: 50 GB", 50_000_000_000),
        ("url: http://127.0.0.1:1/rs, cache_quota: 0 B", 0),
        ("folder: ., cache_quota: 1 MiB", 1 << 20),
    ],
)
def test_an_upstream_may_have_a_quota_whatever_it_is(
    tmp_path: Path, upstream: str, quota: int | None
) -> None:
    assert configured(tmp_path, upstream=upstream).upstreams["a"].cache_quota == quota


def test_a_name_is_no_loopback_unless_it_is_localhost() -> None:
    assert [host for host in ("localhost", "::1", "10.0.0.1", "a.example", "") if is_loopback(host)] == [
        "localhost",
        "::1",
    ]
