"""Viewers of the configured origins can read every answer; nobody else's script can read any."""

import pytest

from edgerouter.errors import NotFound
from edgerouter.middleware import Settings
from edgerouter.middleware.cors import EXPOSED
from tests.support.raw_client import RawClient
from tests.support.wrapped import Inner, asked, standing

VIEWER = "https://viewer.example"
OPEN = Settings(cors_origins=(VIEWER, "https://other.example:8443"))
STRANGERS = [
    "https://evil.example",
    "null",
    "http://viewer.example",
    "https://viewer.example.evil.example",
    "https://evil-viewer.example",
    "https://viewer.example:444",
    "https://VIEWER.example",
    "https://viewer.example, https://evil.example",
    "*",
    "",
]


def preflight(origin: str, names: str | None = "authorization") -> list[tuple[str, str]]:
    fields = [("Origin", origin), ("Access-Control-Request-Method", "GET")]
    return fields if names is None else [*fields, ("Access-Control-Request-Headers", names)]


@pytest.mark.parametrize("app", [Inner(), Inner(NotFound("No.")), Inner(ValueError())])
async def test_every_answer_can_be_read_by_a_viewer(app: Inner) -> None:
    response = await asked(app, OPEN, fields=[("Origin", VIEWER)])

    assert response.all("access-control-allow-origin") == [VIEWER]
    assert response.get("access-control-expose-headers") == EXPOSED.decode()
    assert response.get("vary") == "Origin"
    assert response.get("cross-origin-resource-policy") == "cross-origin"
    assert response.get("access-control-allow-credentials") is None


async def test_a_refused_target_can_be_read_by_a_viewer() -> None:
    response = await asked(Inner(), OPEN, target="/a/../b", fields=[("Origin", VIEWER)])

    assert response.status == 400
    assert response.get("access-control-allow-origin") == VIEWER


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_stranger_gets_no_permission_and_caches_are_told(origin: str) -> None:
    response = await asked(Inner(), OPEN, fields=[("Origin", origin)])

    assert response.status == 200
    assert response.get("access-control-allow-origin") is None
    assert response.get("access-control-expose-headers") is None
    assert response.get("vary") == "Origin"


async def test_two_origins_are_none() -> None:
    response = await asked(Inner(), OPEN, fields=[("Origin", VIEWER), ("Origin", VIEWER)])

    assert response.get("access-control-allow-origin") is None


async def test_caches_are_told_when_there_is_no_origin_too() -> None:
    response = await asked(Inner(fields=[(b"vary", b"accept")]), OPEN)

    assert response.get("vary") == "accept, Origin"
    assert response.get("access-control-allow-origin") is None


async def test_the_application_s_own_cors_fields_do_not_leave() -> None:
    theirs = [(b"access-control-allow-origin", b"*"), (b"access-control-allow-credentials", b"true")]
    response = await asked(Inner(fields=theirs), OPEN, fields=[("Origin", VIEWER)])

    assert response.all("access-control-allow-origin") == [VIEWER]
    assert response.get("access-control-allow-credentials") is None


async def test_a_preflight_is_answered_by_us_and_may_be_kept() -> None:
    app = Inner()
    response = await asked(
        app,
        OPEN,
        target="/dicomweb/../anything",
        method="OPTIONS",
        fields=preflight(VIEWER, "accept, authorization,x-requested-with"),
    )

    assert response.status == 204
    assert response.get("access-control-allow-origin") == VIEWER
    assert response.get("access-control-allow-methods") == "GET, HEAD, POST, OPTIONS"
    assert response.get("access-control-allow-headers") == "accept, authorization,x-requested-with"
    assert response.get("access-control-max-age") == "3600"
    assert response.get("vary") == "Origin"
    assert response.get("x-request-id")
    assert app.scopes == []


@pytest.mark.parametrize("names", [None, "", "a b", "a,,b", "a\xe4", "x" * 2049, ", ".join(["a"] * 65)])
async def test_field_names_that_are_none_are_not_reflected(names: str | None) -> None:
    response = await asked(Inner(), OPEN, method="OPTIONS", fields=preflight(VIEWER, names))

    assert response.status == 204
    assert response.get("access-control-allow-headers") is None


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_stranger_s_preflight_allows_nothing(origin: str) -> None:
    response = await asked(Inner(), OPEN, method="OPTIONS", fields=preflight(origin))

    assert response.status == 204
    assert not [name for name, _ in response.fields if name.startswith("access-control-")]


async def test_an_options_request_that_is_no_preflight_is_the_application_s() -> None:
    app = Inner()
    response = await asked(app, OPEN, method="OPTIONS", fields=[("Origin", VIEWER)])

    assert response.status == 200
    assert len(app.scopes) == 1


async def test_a_preflight_leaves_the_connection_open() -> None:
    async with standing(Inner(), OPEN) as edge, RawClient(edge.port) as client:
        for _ in range(3):
            assert (await client.ask("/", method="OPTIONS", fields=preflight(VIEWER))).status == 204
        assert (await client.ask("/")).status == 200


async def test_without_origins_nothing_is_opened() -> None:
    app = Inner()
    response = await asked(app, method="OPTIONS", fields=preflight(VIEWER))

    assert response.status == 200
    assert response.get("vary") is None
    assert response.get("cross-origin-resource-policy") is None
    assert len(app.scopes) == 1


async def test_a_star_opens_to_any_origin() -> None:
    response = await asked(Inner(), Settings(cors_origins=("*",)), fields=[("Origin", "null")])

    assert response.get("access-control-allow-origin") == "null"
    assert response.get("access-control-allow-credentials") is None
