"""A request's content as it arrives: bounded in size, and not slower than a minimum rate."""

import asyncio

import pytest
from starlette.types import Message, Scope

from edgerouter.errors import ContentTooLarge, RequestTimeout, RouterError
from edgerouter.http.reply import Reply
from edgerouter.server import ClientGone, RequestBody
from tests.support.apps import Replying
from tests.support.listening import listening
from tests.support.raw_client import RawClient, request


def content(*messages: Message, length: int | None = None, **limits: float) -> RequestBody:
    queue = list(messages)

    async def receive() -> Message:
        return queue.pop(0)

    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    return RequestBody({"headers": headers}, receive, max_body=10, **limits)


def part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


async def test_it_yields_what_came_and_knows_the_end() -> None:
    body = content(part(b"abc"), part(b""), part(b"de"), part(b"", more=False))

    assert (await anext(body), body.consumed) == (b"abc", False)
    assert [chunk async for chunk in body] == [b"de"]
    assert (body.size, body.consumed) == (5, True)
    assert [chunk async for chunk in body] == []


async def test_nothing_is_asked_for_when_the_length_says_too_much() -> None:
    body = content(length=11)  # a receive would fail: there is no message

    with pytest.raises(ContentTooLarge) as error:
        await anext(body)
    assert error.value.close


async def test_too_much_is_refused_at_the_limit_when_no_length_was_said() -> None:
    body = content(part(b"x" * 10), part(b"x"))

    assert await anext(body) == b"x" * 10
    with pytest.raises(ContentTooLarge):
        await anext(body)


async def test_a_client_that_left_is_not_an_end() -> None:
    body = content(part(b"abc"), {"type": "http.disconnect"})

    assert await anext(body) == b"abc"
    with pytest.raises(ClientGone):
        await anext(body)
    assert not body.consumed


async def count(scope: Scope, body: RequestBody) -> Reply:
    try:
        return Reply(200, body=b"%d" % sum([len(chunk) async for chunk in body]))
    except RouterError as error:
        return Reply(error.status, close=error.close)


async def test_a_client_below_the_minimum_rate_is_answered_408() -> None:
    app = Replying(count, minimum_rate=1000, window=0.1)
    async with listening(app) as edge, RawClient(edge.port) as client:
        await client.send(request("/", method="POST", fields=[("Content-Length", "100")]) + b"slow")
        response = await client.response()

        assert response.status == 408
        assert response.get("connection") == "close"
        assert await client.read_to_end() == b""


async def test_each_window_with_enough_in_it_starts_the_next_one() -> None:
    waits = iter([0.0, 5.0] * 3 + [5.0])

    async def receive() -> Message:
        await asyncio.sleep(next(waits))
        return part(b"xx")

    body = RequestBody({"headers": []}, receive, max_body=10, minimum_rate=50, window=0.02)
    assert [await anext(body) for _ in range(3)] == [b"xx"] * 3
    with pytest.raises(RequestTimeout):
        await anext(body)


async def test_a_slow_upstream_is_not_held_against_the_client() -> None:
    body = content(part(b"a"), part(b"b"), part(b"c", more=False), minimum_rate=1_000_000, window=0.01)
    taken = []
    async for chunk in body:
        await asyncio.sleep(0.02)
        taken.append(chunk)

    assert taken == [b"a", b"b", b"c"]
