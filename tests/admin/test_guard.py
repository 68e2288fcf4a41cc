"""The admin listener is for its operator: not for a web page, not for another name, not without the token."""

from collections.abc import Callable

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.admin import AdminGuard
from edgerouter.middleware import Settings, wrap
from tests.support.apps import Recorder
from tests.support.listening import listening
from tests.support.raw_client import RawClient, RawResponse

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
JSON = ("content-type", "application/json")


async def asked(
    *fields: tuple[str, str],
    method: str = "GET",
    hosts: frozenset[str] | None = LOCAL,
    token: Callable[[], str] | None = None,
    host: str | None = None,
) -> RawResponse:
    recorder = Recorder()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await recorder(scope, receive, send)

    app = wrap(AdminGuard(inner, hosts=hosts, token=token), Settings())
    async with listening(app) as edge, RawClient(edge.port) as client:
        body = b"{}" if method == "POST" else b""
        line = f"{method} /cache/purge HTTP/1.1\r\nHost: {host or f'127.0.0.1:{edge.port}'}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        await client.send((line + lines + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        response = await client.response()
    assert (response.status == 200) is bool(recorder.scopes)
    return response


@pytest.mark.parametrize("host", [None, "localhost", "LocalHost:8081", "[::1]:8081", "127.0.0.1"])
async def test_it_is_called_by_a_name_of_this_machine(host: str | None) -> None:
    assert (await asked(host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.", "[::2]:8081"]
)
async def test_a_name_that_was_bound_to_this_machine_is_found_out(host: str) -> None:
    for method in ("GET", "POST"):
        assert (await asked(JSON, host=host, method=method)).status == 421


async def test_a_unix_socket_has_any_name() -> None:
    assert (await asked(hosts=None, host="anything.example")).status == 200


async def test_a_command_is_json() -> None:
    assert (await asked(JSON, method="POST")).status == 200
    assert (await asked(("content-type", "application/json; charset=utf-8"), method="POST")).status == 200
    for simple in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert (await asked(("content-type", simple), method="POST")).status == 415
    assert (await asked(method="POST")).status == 415


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8081"])
async def test_a_page_changes_nothing(origin: str) -> None:
    response = await asked(JSON, ("origin", origin), method="POST")

    assert response.status == 403
    assert not [name for name, _ in response.fields if name.lower().startswith("access-control-")]


async def test_a_preflight_opens_nothing() -> None:
    response = await asked(
        ("origin", "https://evil.example"), ("access-control-request-method", "POST"), method="OPTIONS"
    )

    assert response.status == 403
    assert response.get("access-control-allow-origin") is None


async def test_the_token_opens() -> None:
    def token() -> str:
        return "s3cret"

    refused = await asked(token=token)
    assert (refused.status, refused.get("www-authenticate")) == (401, "Bearer")
    assert b"s3cret" not in refused.body
    for wrong in ("Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret", "Bearer"):
        assert (await asked(("authorization", wrong), token=token)).status == 401
    assert (await asked(("authorization", "bearer s3cret"), token=token)).status == 200
