"""The one order in which a request passes the middleware, and what it means for every answer."""

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.errors import NotFound
from edgerouter.middleware import Settings, wrap
from tests.support.wrapped import Inner, Seen, asked

VIEWER = "https://viewer.example"
LOOP = ("Via", "1, 2, 3, 4, 5, 6")


def names(app: ASGIApp) -> list[str]:
    found = []
    inner: object = app
    while inner is not None:
        found.append(type(inner).__name__)
        inner = getattr(inner, "app", None)
    return found


def test_the_order_is_fixed() -> None:
    assert names(wrap(Inner(), Settings())) == [
        "RequestId",
        "AccessLog",
        "Via",
        "Cors",
        "Errors",
        "LoopGuard",
        "TargetGuard",
        "Inner",
    ]


@pytest.mark.parametrize(
    ("app", "target", "method", "fields", "status"),
    [
        (Inner(), "/", "GET", [], 200),
        (Inner(NotFound("No.")), "/", "GET", [], 404),
        (Inner(ValueError()), "/", "GET", [], 500),
        (Inner(), "/a/../b", "GET", [], 400),
        (Inner(), "/a/../b", "GET", [LOOP], 508),
        (Inner(), "/a/../b", "OPTIONS", [LOOP, ("Access-Control-Request-Method", "GET")], 204),
    ],
)
async def test_every_answer_is_named_marked_logged_and_readable_by_a_viewer(
    app: Inner, target: str, method: str, fields: list[tuple[str, str]], status: int
) -> None:
    seen = Seen()
    settings = Settings(cors_origins=(VIEWER,), observer=seen)
    response = await asked(app, settings, target=target, method=method, fields=[("Origin", VIEWER), *fields])

    assert response.status == status
    assert response.get("x-request-id") == seen[0].request_id
    assert response.get("via") == "1.1 edgerouter"
    assert response.get("access-control-allow-origin") == VIEWER
    assert [access.status for access in seen] == [status]


async def test_what_is_no_request_passes_untouched() -> None:
    passed: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)

    async def nothing(*_: object) -> None:
        raise AssertionError

    await wrap(app, Settings())({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]

    assert passed == [{"type": "lifespan"}]


def test_two_routers_do_not_take_each_other_for_themselves() -> None:
    assert Settings().instance != Settings().instance
