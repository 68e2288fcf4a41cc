"""Kept connections: none is lost, and none ever gives one request the answer of another."""

import asyncio
import gc
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from edgerouter import errors
from edgerouter.upstream.archive import HttpArchive
from edgerouter.upstream.wire import Wire
from tests.support.scripted import (
    Close,
    Note,
    Reply,
    Request,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
)
from tests.upstream.ask import archive_at, get, post, raw, whole

STRAY = raw("HTTP/1.1 200 OK", "Content-Length: 15", body=b"another patient")
UNASKED = {
    "a whole response": STRAY,
    "half a head": STRAY[:20],
    "half a head that is wrong": STRAY[:17] + b"X: a\0b",
    "half a body": STRAY[:-5],
    "an interim response": raw("HTTP/1.1 100 Continue"),
    "no HTTP at all": b"\x00\x01garbage",
}


async def test_a_body_read_to_its_end_gives_its_connection_back() -> None:
    async with (
        ScriptedUpstream(lambda request: [Reply(body=b"x" * 100_000, framing="chunked")]) as upstream,
        archive_at(upstream.url) as archive,
    ):
        for _ in range(3):
            await whole(archive)

        assert (upstream.connections, archive.transport.idle, archive.transport.busy) == (1, 1, 0)


async def test_an_answer_closed_early_closes_its_connection() -> None:
    left = asyncio.Event()

    def answer(request: Seen) -> Iterator[Step]:
        if request.number == 1:
            yield Send(raw("HTTP/1.1 200 OK", "Content-Length: 1000000", body=b"first"))
            yield Wait(left)
        yield Reply(body=b"own %d" % request.number)

    async with ScriptedUpstream(answer) as upstream, archive_at(upstream.url) as archive:
        async with archive.open(get()) as answered:
            await anext(answered.chunks())
        got = await whole(archive)
        left.set()

    assert (got.body, upstream.connections) == (b"own 2", 2)


@pytest.mark.parametrize("when", ["in one piece", "a moment later", "seen while idle"])
@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_a_connection_with_unsolicited_bytes_is_thrown_away(unasked: bytes, when: str) -> None:
    read, said = asyncio.Event(), asyncio.Event()

    def answer(request: Seen) -> list[Step]:
        own = raw("HTTP/1.1 200 OK", "Content-Length: 5", body=b"own %d" % request.number)
        if request.number > 1:
            return [Send(own)]
        if when == "in one piece":
            return [Send(own + unasked)]
        return [Send(own), Wait(read), Send(unasked), Note(said.set), Stall()]

    async with ScriptedUpstream(answer) as upstream, archive_at(upstream.url) as archive:
        bodies = [await _body_or_none(archive)]
        if when == "seen while idle":
            closed = idle_wire(archive).closed
            assert closed is not None
            read.set()
            await closed
        elif when == "a moment later":
            read.set()
            await said.wait()
        bodies += [(await whole(archive)).body for _ in range(3)]

    # Garbage in the same segment may spoil the answer before it, but never one after it.
    assert bodies[0] in (b"own 1", None)
    assert bodies[1:] == [b"own 2", b"own 3", b"own 4"]
    assert upstream.connections == 2


async def _body_or_none(archive: HttpArchive) -> bytes | None:
    try:
        return (await whole(archive)).body
    except errors.ProtocolError:
        return None


async def test_a_connection_half_closed_while_idle_is_not_used_again() -> None:
    script = [[Request(), Reply(body=b"one"), Close()], [Request(), Reply(body=b"two")]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        first = await whole(archive)
        await asyncio.sleep(0.01)
        second = await whole(archive)

    assert (first.body, second.body) == (b"one", b"two")
    assert [seen.connection for seen in upstream.requests] == [0, 1]


async def test_an_end_that_the_loop_has_not_seen_yet_is_noticed_before_a_request_goes_out() -> None:
    script = [[Request(), Reply(body=b"one"), Close()], [Request(), Reply(body=b"two")]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        await whole(archive)
        # The loop does not look any more: only the system knows of the FIN.
        transport = idle_wire(archive).transport
        assert transport is not None
        transport.pause_reading()
        await asyncio.sleep(0.01)

        assert (await whole(archive)).body == b"two"
        assert len(upstream.requests) == 2


def idle_wire(archive: HttpArchive) -> Wire:
    [[(wire, _)]] = archive.transport._kept()._conns.values()
    assert isinstance(wire, Wire)
    return wire


class Endless:
    """An upload without end; `left` is set when nobody is inside it any more."""

    def __init__(self) -> None:
        self.left = False

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> bytes:
        self.left = False
        try:
            await asyncio.sleep(0)
        finally:
            self.left = True
        return bytes(1 << 16)


async def test_an_early_answer_is_delivered_and_the_upload_ends() -> None:
    upload = Endless()
    async with (
        ScriptedUpstream(lambda request: [Reply(413, body=b"too large"), Stall()], early=True) as upstream,
        archive_at(upstream.url) as archive,
    ):
        got = await whole(archive, post(upload))

        assert (got.status, got.body, upload.left) == (413, b"too large", True)
        assert archive.limiter.busy == 0


@pytest.mark.parametrize("rest", [1, 3])
async def test_an_early_answer_survives_the_reset_that_follows_it(rest: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        go, reset = threading.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        refusing = loop.run_in_executor(None, _refuse_and_reset, listener, go, reset)
        async with archive_at(f"http://127.0.0.1:{listener.getsockname()[1]}") as archive:
            got = await whole(archive, post(blind(go, reset, rest)))
        await refusing

    assert (got.status, got.body) == (413, b"too large")


async def blind(go: threading.Event, done: threading.Event, rest: int = 1) -> AsyncIterator[bytes]:
    """An upload during which the loop stands still: it learns what the upstream did by writing on."""
    yield bytes(1 << 16)
    go.set()
    done.wait(5)
    for _ in range(rest):
        yield b"more"


def _refuse_and_reset(listener: socket.socket, go: threading.Event, done: threading.Event) -> None:
    """Answer at once and close with most of the upload unread: the system sends a reset after the answer."""
    connection, _ = listener.accept()
    with connection:
        go.wait(5)
        connection.sendall(raw("HTTP/1.1 413 No", "Content-Length: 9", body=b"too large"))
    done.set()


async def test_two_thousand_cancelled_requests_cost_no_slot_and_mix_up_no_answer() -> None:
    dice = random.Random(7)
    async with (
        ScriptedUpstream(_own_number_in_pieces) as upstream,
        archive_at(upstream.url, concurrency=4) as archive,
    ):
        mixed: list[str] = []
        for _ in range(100):
            await _cancel_some(archive, dice, mixed)
        held = await _all_slots_at_once(archive)

    assert mixed == []
    assert held == [4, 0, 0]


def _own_number_in_pieces(request: Seen) -> list[Step]:
    body = request.target.rsplit("/", 1)[1].encode() * 50
    head = raw("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", body=body[:100])
    return [Send(head), Send(body[100:])]


async def _cancel_some(archive: HttpArchive, dice: random.Random, mixed: list[str]) -> None:
    """Twenty requests, most of them cancelled after a random number of turns of the loop."""

    async def one(name: str) -> None:
        got = await whole(archive, get(f"/studies/{name}"))
        if got.body != name.encode() * 50:
            mixed.append(name)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(str(dice.randrange(10**8, 10**9)))) for _ in range(20)]
        for task in dice.sample(tasks, 18):
            for _ in range(dice.randrange(6)):
                await asyncio.sleep(0)
            task.cancel()


async def _all_slots_at_once(archive: HttpArchive) -> list[int]:
    """How many requests run side by side now, and what is busy and waiting after them."""
    most = 0
    for _ in range(2):
        async with AsyncExitStack() as stack:
            for number in range(4):
                answer = await stack.enter_async_context(archive.open(get(f"/studies/{number}")))
                await anext(answer.chunks())
            most = archive.limiter.busy
    return [most, archive.transport.busy, archive.limiter.busy + archive.limiter.waiting]


async def test_cancelling_a_store_leaves_nobody_inside_its_body() -> None:
    inside, left = asyncio.Event(), asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            inside.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            left.set()

    async with (
        ScriptedUpstream(lambda request: [Stall()], early=True) as upstream,
        archive_at(upstream.url) as archive,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(whole(archive, post(upload())))
        task.add_done_callback(lambda _: states.append(left.is_set()))
        states: list[bool] = []
        await inside.wait()
        task.cancel()
        await asyncio.wait([task])

        assert (states, archive.limiter.busy) == ([True], 0)


async def test_a_write_that_fails_at_the_very_end_of_a_body_is_told_once_and_logged_nowhere() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        go, reset = threading.Event(), threading.Event()
        resetting = asyncio.get_running_loop().run_in_executor(None, _reset, listener, go, reset)
        async with archive_at(f"http://127.0.0.1:{listener.getsockname()[1]}") as archive:
            with pytest.raises(errors.Cut):
                await whole(archive, post(blind(go, reset)))
        await resetting
    gc.collect()

    assert complaints == []


def _reset(listener: socket.socket, go: threading.Event, done: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        go.wait(5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    done.set()
