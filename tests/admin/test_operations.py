"""The cache's operations over HTTP: read with GET, changed with POST, told line by line."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from edgerouter.admin import CacheOperations
from edgerouter.cache.cache import Cache
from edgerouter.cache.commands import COMMANDS
from edgerouter.cache.operations import Operations
from edgerouter.middleware import Settings, wrap
from tests.cache.support import describe, instance, noise, opened, put, until
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, RawResponse


@asynccontextmanager
async def running(cache: Cache | None) -> AsyncIterator[Edge]:
    def operations() -> Operations | None:
        return Operations(cache, ["a"]) if cache else None

    app = Starlette(
        routes=list(CacheOperations(operations).routes()), middleware=[Middleware(wrap, Settings())]
    )
    async with listening(app) as edge:
        yield edge


async def post(edge: Edge, command: str, body: bytes = b"{}") -> RawResponse:
    async with RawClient(edge.port) as client:
        return await client.ask(f"/cache/{command}", method="POST", body=body)


async def get(edge: Edge, target: str) -> RawResponse:
    async with RawClient(edge.port) as client:
        return await client.ask(f"/cache/{target}")


def lines(response: RawResponse) -> list[dict[str, Any]]:
    assert response.complete
    return [json.loads(line) for line in response.body.splitlines()]


async def test_what_is_read_is_one_document(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        await put(cache, instance(study="1.2"), noise(10))
        await describe(cache, "1.2", PatientID="4711")
        stats = await get(edge, "stats")
        assert (stats.get("content-type"), stats.get("cache-control")) == ("application/json", "no-store")
        assert json.loads(stats.body)["units"] == 1
        listed = await get(edge, "ls?limit=5&order=bytes&upstream=a")
        assert [study["study"] for study in json.loads(listed.body)["studies"]] == ["1.2"]
        assert b"4711" not in listed.body
        assert b"4711" in (await get(edge, "ls?patients=true")).body


async def test_what_is_changed_is_told_line_by_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        await put(cache, instance(study="1.2"), noise(10))
        assert lines(await post(edge, "pin", b'{"study": "1.2"}'))[-1]["result"]["pinned"]["studies"] == 1
        *progress, last = lines(await post(edge, "purge", b'{"study": "1.2"}'))
        assert last["result"]["units"] == 1
        assert progress[-1] == {"progress": {"done": 1, "of": 1, "what": "studies"}}


@pytest.mark.parametrize(
    ("command", "body", "status"),
    [
        ("purge", b"{}", (400, "Say what")),
        ("purge", b'{"study": "not a uid"}', (400, "not valid")),
        ("purge", b'{"everything": "true"}', (400, "not valid")),
        ("purge", b'{"everything": true, "colour": "red"}', (400, "not valid")),
        ("purge", b"[]", (400, "not valid")),
        ("purge", b"{", (400, "not JSON")),
        ("purge", b"\xff", (400, "not JSON")),
        ("pin", b'{"query": "' + b"x" * 70_000 + b'"}', (413, "larger")),
        ("unpin", b'{"study": "1.2"}', (400, "no such pin")),
        ("stats", b"{}", (405, "otherwise")),
        ("ls", b"{}", (405, "otherwise")),
    ],
)
async def test_what_cannot_be_done_is_a_problem_and_changes_nothing(
    tmp_path: Path, command: str, body: bytes, status: tuple[int, str]
) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        await put(cache, instance(study="1.2"), noise(10))
        response = await post(edge, command, body)
        assert (response.status, response.get("content-type")) == (status[0], "application/problem+json")
        assert status[1] in json.loads(response.body)["detail"]
        assert (await cache.stats()).units == 1


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"stats", "ls", "pins"}))
async def test_reading_changes_nothing(tmp_path: Path, command: str) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        assert (await get(edge, f"{command}?everything=true")).status == 405


@pytest.mark.parametrize("target", ["ls?limit=0", "ls?limit=1&limit=2", "ls?colour=red", "ls?order=odd"])
async def test_parameters_are_checked(tmp_path: Path, target: str) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        assert (await get(edge, target)).status == 400


async def test_a_router_without_a_cache_says_so() -> None:
    async with running(None) as edge:
        assert (await get(edge, "stats")).status == 404
        assert (await post(edge, "purge", b'{"everything": true}')).status == 404


async def test_a_verification_goes_on_when_who_asked_has_left(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, running(cache) as edge:
        for number in (1, 2, 3):
            await put(cache, instance(number), noise(500_000, number))
        async with RawClient(edge.port) as client:
            body = b'{"rate": 1000000}'
            head = f"POST /cache/verify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            await client.send(head.encode() + body)
            await until(lambda: cache.verifier.is_running)
        await edge.deserted()
        last = cache.verifier.last
        assert last is not None
        await until(lambda: last.ended is not None)
        assert (last.ended, last.units) == ("done", 3)


async def test_a_command_that_breaks_is_told_without_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object) -> None:
        raise RuntimeError("Miller^John")

    broken: list[BaseException] = []

    async def guarded(work: Any) -> None:
        try:
            await work
        except RuntimeError as error:
            broken.append(error)

    async with opened(tmp_path) as cache, running(cache) as edge, asyncio.TaskGroup() as group:
        monkeypatch.setattr(cache, "start", lambda work, name: group.create_task(guarded(work)))
        monkeypatch.setattr(cache.pins, "put", fail)
        response = await post(edge, "pin", b'{"study": "1.2"}')
        assert response.status == 400
        assert b"broke off" in response.body
        assert b"Miller" not in response.body
    assert len(broken) == 1
