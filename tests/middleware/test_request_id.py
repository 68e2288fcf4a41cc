"""Every request has an id, and every answer says it."""

import re

import pytest

from tests.support.wrapped import Inner, asked


async def test_a_request_without_an_id_gets_one() -> None:
    app = Inner()
    response = await asked(app)

    assert re.fullmatch(r"[0-9a-f]{16}", response.get("x-request-id") or "")
    assert app.scopes[0]["state"]["request_id"] == response.get("x-request-id")


async def test_a_sane_id_of_the_client_is_kept() -> None:
    response = await asked(Inner(), fields=[("X-Request-ID", "viewer-1.2_3")])

    assert response.get("x-request-id") == "viewer-1.2_3"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", 'quote"here', "DOE^JOHN^A", "ümläut-id"])
async def test_any_other_id_is_replaced(given: str) -> None:
    response = await asked(Inner(), fields=[("X-Request-ID", given)])

    assert re.fullmatch(r"[0-9a-f]{16}", response.get("x-request-id") or "")


async def test_two_ids_are_none() -> None:
    response = await asked(Inner(), fields=[("X-Request-ID", "12345678"), ("X-Request-ID", "12345678")])

    assert response.get("x-request-id") != "12345678"


async def test_an_id_of_the_application_does_not_stand_beside_it() -> None:
    response = await asked(
        Inner(fields=[(b"x-request-id", b"upstream")]), fields=[("X-Request-ID", "12345678")]
    )

    assert response.all("x-request-id") == ["12345678"]
