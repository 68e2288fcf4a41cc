"""What goes wrong becomes a problem document and Proxy-Status; too late for that, a visible cut."""

import asyncio
import json
import logging

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from edgerouter import errors
from edgerouter.middleware import Settings
from edgerouter.middleware.errors import places
from tests.support.raw_client import RawClient, request
from tests.support.wrapped import Inner, Seen, asked, standing

CANARY = "DOE^JOHN"


async def test_an_error_becomes_a_problem_with_its_request_id() -> None:
    failure = errors.ConnectTimeout("The archive does not answer.", upstream="hospital-a")
    response = await asked(Inner(failure), fields=[("X-Request-ID", "request-1")])

    assert response.status == 504
    assert response.get("content-type") == "application/problem+json"
    assert response.get("cache-control") == "no-store"
    assert response.get("connection") is None
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Gateway Timeout",
        "status": 504,
        "detail": "The archive does not answer.",
        "instance": "request-1",
    }
    assert response.get("proxy-status") == (
        'edgerouter; error=connection_timeout; next-hop=hospital-a; details="The archive does not answer."'
    )


async def test_an_error_s_own_fields_leave_with_it() -> None:
    response = await asked(Inner(errors.MethodNotAllowed("No.", allow=["GET", "HEAD"])), method="PUT")

    assert response.status == 405
    assert response.get("allow") == "GET, HEAD"


async def test_an_error_after_which_the_connection_is_useless_closes_it() -> None:
    response = await asked(Inner(errors.BadRequest("No.", close=True)))

    assert response.all("connection") == ["close"]


async def test_an_error_before_the_content_was_read_closes_the_connection() -> None:
    async with standing(Inner(errors.Denied("No."))) as edge, RawClient(edge.port) as client:
        response = await client.ask("/studies", method="POST", body=b"x" * 500_000)

        assert response.status == 403
        assert response.get("connection") == "close"
        assert await client.read_to_end() == b""


async def test_the_answer_to_a_head_request_has_no_content() -> None:
    async with standing(Inner(errors.NotFound("No."))) as edge, RawClient(edge.port) as client:
        for _ in range(2):
            response = await client.ask("/studies", method="HEAD")
            assert response.status == 404


async def test_nothing_of_an_unexpected_error_gets_out(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    with caplog.at_level(logging.DEBUG):
        response = await asked(Inner(ValueError(CANARY)), Settings(observer=seen))

    assert response.status == 500
    assert CANARY.encode() not in response.body
    assert CANARY not in str(response.fields)
    assert CANARY not in caplog.text
    assert "builtins.ValueError" in caplog.text
    assert "wrapped.py" in caplog.text  # where it was raised
    assert (response.get("x-request-id") or "no id") in caplog.text
    assert seen[0].error == "proxy_internal_error"


@pytest.mark.parametrize("failure", [errors.Cut("Broken off."), ValueError(CANARY)])
async def test_an_error_under_an_answer_cuts_it(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async with standing(Inner(failure, late=True)) as edge, RawClient(edge.port) as client:
        response = await client.ask("/studies")

        assert not response.complete
        assert client.ended == "reset"
    assert CANARY not in caplog.text


async def test_a_client_that_left_is_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect

    async with standing(app) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await begun.wait()
        await edge.quiet()

    assert caplog.records == []


def test_the_places_of_all_causes_are_told_and_no_message() -> None:
    def fail() -> None:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ExceptionGroup(CANARY, [ValueError(CANARY)]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    told = "".join(places(caught.value))

    assert CANARY not in told
    assert [name for name in ("ExceptionGroup", "ValueError", "KeyError") if name not in told] == []
