"""One line per request, that tells an operator enough and nobody a patient."""

import asyncio
import json
import logging

import pytest
from starlette.types import Receive, Scope, Send

from edgerouter.errors import NotFound
from edgerouter.middleware import Access, Settings
from tests.support.raw_client import RawClient, request
from tests.support.wrapped import Inner, Seen, asked, standing


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="edgerouter.access")
    return caplog


def the_line(log: pytest.LogCaptureFixture) -> str:
    (record,) = [record for record in log.records if record.name == "edgerouter.access"]
    return record.getMessage()


def told(log: pytest.LogCaptureFixture) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(the_line(log))
    return parsed


async def test_a_request_is_told_without_its_path(log: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"].update(template="/studies/{studies}", transaction="retrieve", resource="dicom")
        await Inner()(scope, receive, send)

    target = "/studies/1.2.3?PatientName=DOE%5EJOHN"
    await asked(app, Settings(observer=seen), target=target, fields=[("X-Request-ID", "request-1")])
    line = told(log)

    assert line.pop("time")
    assert isinstance(line.pop("seconds"), float)
    assert line == {
        "request_id": "request-1",
        "client": "127.0.0.1",
        "method": "GET",
        "transaction": "retrieve",
        "resource": "dicom",
        "template": "/studies/{studies}",
        "status": 200,
        "bytes": 4,
        "outcome": "complete",
        "error": None,
        "cache": None,
    }
    assert seen[0].template == "/studies/{studies}"


async def test_no_value_of_a_request_gets_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await asked(
        Inner(NotFound("No.")),
        target="/studies/CANARY?PatientName=CANARY",
        method="POST",
        fields=[("Authorization", "CANARY"), ("Referer", "CANARY"), ("X-Request-ID", "a b CANARY")],
        body=b"CANARY",
    )

    assert "CANARY" not in caplog.text


async def test_what_a_terminal_would_obey_is_escaped(log: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["client"] = "\x1b[31m\r\nü"
        await Inner()(scope, receive, send)

    await asked(app)

    assert the_line(log).isascii()
    assert the_line(log).isprintable()
    assert told(log)["client"] == "\x1b[31m\r\nü"


async def test_an_error_is_told_with_its_token() -> None:
    seen = Seen()
    await asked(Inner(NotFound("No.")), Settings(observer=seen))

    assert (seen[0].status, seen[0].error, seen[0].outcome) == (404, "destination_not_found", "complete")


@pytest.mark.parametrize(
    ("field", "outcome"),
    [
        ("edgerouter; hit", "hit"),
        ("edgerouter;hit;detail=derived", "hit"),
        ("edgerouter; fwd=miss; stored; collapsed", "miss"),
        ("edgerouter; fwd=partial", "partial"),
        ("edgerouter; fwd=uri-miss; fwd-status=200", "uri-miss"),
        ('ExampleCache; hit; ttl=3, edgerouter; fwd=stale; detail="a b"', "stale"),
        ("edgerouter, edgerouter; fwd=bypass", "bypass"),
        ("ExampleCache; hit", None),
        ("not-edgerouter; hit", None),
        ("edgerouter; hits", None),
        ("edgerouter; fwd=CANARY", None),
        ("", None),
    ],
)
async def test_what_the_cache_did_is_told_in_its_own_word(field: str, outcome: str | None) -> None:
    seen = Seen()
    await asked(Inner(fields=[(b"Cache-Status", field.encode())]), Settings(observer=seen))

    assert seen[0].cache == outcome


async def test_the_answer_to_a_head_request_counts_no_bytes() -> None:
    seen = Seen()
    await asked(Inner(), Settings(observer=seen), method="HEAD")

    assert seen[0].bytes == 0


async def test_a_cut_is_told_as_one() -> None:
    seen = Seen()
    await asked(Inner(ValueError(), late=True), Settings(observer=seen))

    assert (seen[0].status, seen[0].bytes, seen[0].outcome) == (200, 2, "cut")


async def test_an_application_that_ends_early_is_told_as_a_cut() -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async with standing(app, Settings(observer=seen)) as edge, RawClient(edge.port) as client:
        await client.send(request("/"))
        await client.read_to_end()

    assert seen[0].outcome == "cut"


async def test_a_client_that_left_is_told_as_gone() -> None:
    seen, begun = Seen(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await Inner()(scope, receive, send)

    async with standing(app, Settings(observer=seen)) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request("/"))
            await begun.wait()
        await edge.quiet()

    assert [(access.bytes, access.outcome) for access in seen] == [(0, "client_gone")]


async def test_an_observer_is_not_needed(log: pytest.LogCaptureFixture) -> None:
    await asked(Inner(), Settings())

    assert set(told(log)) == {"time", *Access.__dataclass_fields__}
