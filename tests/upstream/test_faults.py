"""What upstreams do wrong, one fault at a time, on real sockets: the answer is whole or visibly cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edgerouter import errors
from edgerouter.upstream.archive import Timeouts
from edgerouter.upstream.seam import Framing
from tests.support.scripted import (
    Close,
    Note,
    Reply,
    Request,
    Reset,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
    black_hole,
    closed_port,
)
from tests.upstream.ask import SHORT, archive_at, get, raw, until_cut, whole

HEAD = ("HTTP/1.1 200 OK", "Content-Type: application/octet-stream")
OK = raw(*HEAD, "Content-Length: 4", body=b"good")


async def test_a_closed_port_is_a_connect_error() -> None:
    async with archive_at(f"http://127.0.0.1:{closed_port()}") as archive:
        with pytest.raises(errors.ConnectError) as caught:
            await whole(archive)

        assert (caught.value.status, caught.value.upstream) == (502, "north")
        assert archive.health.last_error == "ConnectError ECONNREFUSED"


async def test_a_black_hole_is_a_connect_timeout() -> None:
    with black_hole() as port:
        async with archive_at(f"http://127.0.0.1:{port}", timeouts=Timeouts(connect=SHORT)) as archive:
            with pytest.raises(errors.ConnectTimeout) as caught:
                await whole(archive)

    assert caught.value.status == 504


async def test_silence_after_the_request_is_a_response_timeout_and_the_connection_is_not_used_again() -> None:
    script = [[Request(), Stall()], [Request(), Reply(body=b"fresh")]]
    async with (
        ScriptedUpstream(script=script) as upstream,
        archive_at(upstream.url, timeouts=Timeouts(first_byte=SHORT)) as archive,
    ):
        with pytest.raises(errors.ResponseTimeout):
            await whole(archive)
        got = await whole(archive)

    assert (got.body, upstream.connections) == (b"fresh", 2)


async def test_silence_inside_the_body_is_a_cut() -> None:
    script = [[Request(), Send(raw(*HEAD, "Content-Length: 9", body=b"half")), Stall()]]
    async with (
        ScriptedUpstream(script=script) as upstream,
        archive_at(upstream.url, timeouts=Timeouts(between_reads=SHORT)) as archive,
    ):
        came, error = await until_cut(archive)
        idle, busy = archive.transport.idle, archive.transport.busy

    assert (came, type(error), idle, busy) == (b"half", errors.Cut, 0, 0)


BROKEN = {
    "length": raw(*HEAD, "Content-Length: 9", body=b"half"),
    "chunked": raw(*HEAD, "Transfer-Encoding: chunked", body=b"4\r\nhalf\r\n"),
    "inside a chunk": raw(*HEAD, "Transfer-Encoding: chunked", body=b"9\r\nhalf"),
}


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["RST", "FIN"])
@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
async def test_a_cut_body_is_seen_as_cut(said: bytes, end: Step) -> None:
    read = asyncio.Event()
    script = [[Request(), Send(said), Wait(read), end], [Request(), Send(OK)]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        async with archive.open(get()) as answer:
            chunks = answer.chunks()
            assert await anext(chunks) == b"half"
            read.set()
            with pytest.raises(errors.Cut) as caught:
                await anext(chunks)
        after = await whole(archive)

    assert caught.value.upstream == "north"
    assert (after.body, upstream.connections) == (b"good", 2)


async def test_a_close_delimited_body_says_that_its_end_proves_nothing() -> None:
    script = [[Request(), Send(raw(*HEAD, body=b"half"))]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        got = await whole(archive)

    assert (got.framing, got.length, got.body) == (Framing.CLOSE, None, b"half")


async def test_a_reset_is_no_end_of_a_close_delimited_body() -> None:
    read = asyncio.Event()
    script = [[Request(), Send(raw(*HEAD, body=b"half")), Wait(read), Reset()]]
    async with (
        ScriptedUpstream(script=script) as upstream,
        archive_at(upstream.url) as archive,
        archive.open(get()) as answer,
    ):
        chunks = answer.chunks()
        assert await anext(chunks) == b"half"
        read.set()
        with pytest.raises(errors.Cut):
            await anext(chunks)


async def test_bytes_beyond_the_content_length_never_become_the_next_answer() -> None:
    def answer(request: Seen) -> list[Step]:
        if request.number == 1:
            smuggled = raw("HTTP/1.1 200 OK", "Content-Length: 7", body=b"another")
            return [Send(raw(*HEAD, "Content-Length: 4", body=b"good" + smuggled))]
        return [Reply(body=b"own %d" % request.number)]

    async with ScriptedUpstream(answer) as upstream, archive_at(upstream.url) as archive:
        first = await whole(archive)
        second = await whole(archive)

    assert (first.body, second.body, upstream.connections) == (b"good", b"own 2", 2)


AMBIGUOUS = {
    "two lengths": ("Content-Length: 4", "Content-Length: 5"),
    "the same length twice": ("Content-Length: 4", "Content-Length: 4"),
    "a list of lengths": ("Content-Length: 4, 4",),
    "length and chunked": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "chunked and length": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "gzip, chunked": ("Transfer-Encoding: gzip, chunked",),
    "chunked, identity": ("Transfer-Encoding: chunked, identity",),
    "identity": ("Transfer-Encoding: identity",),
    "chunked twice": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "xchunked": ("Transfer-Encoding: xchunked",),
    "a signed length": ("Content-Length: +4",),
    "NUL": ("Content-Length: 4", "X-A: a\0b"),
    "a control": ("Content-Length: 4", "X-A: a\x01b"),
    "a bare CR": ("Content-Length: 4", "X-A: a\rX-B: b"),
    "a folded line": ("Content-Length: 4", "X-A: a", " b"),
    "a space before the colon": ("Content-Length: 4", "X-A : a"),
    "one long field": ("Content-Length: 4", "X-A: " + "a" * 200_000),
    "a large head": ("Content-Length: 4", *(f"X-{n}: {'a' * 20_000}" for n in range(10))),
    "many fields": ("Content-Length: 4", *(f"X-{n}: a" for n in range(20_000))),
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_an_ambiguous_or_oversize_head_is_refused_and_its_connection_closed(
    lines: tuple[str, ...],
) -> None:
    said = raw("HTTP/1.1 200 OK", *lines, body=b"4\r\nevil\r\n0\r\n\r\n")
    script = [[Request(), Send(said), Stall()], [Request(), Send(OK)]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.ProtocolError) as caught:
            await whole(archive)
        after = await whole(archive)

    assert (caught.value.status, after.body, upstream.connections) == (502, b"good", 2)
    assert "evil" not in caught.value.detail


STATUS_LINES = ["HTTP/2.0 200 OK", "HTTP/1.1 999 Odd", "HTTP/1.1 101 Switching Protocols", "ICY 200 OK"]


@pytest.mark.parametrize("line", STATUS_LINES)
async def test_an_unknown_version_or_status_is_refused(line: str) -> None:
    script = [
        [Request(), Send(raw(line, "Content-Length: 0", "Connection: Upgrade", "Upgrade: h2c")), Stall()]
    ]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.ProtocolError):
            await whole(archive)


async def test_a_head_that_never_ends_is_refused_before_it_is_large() -> None:
    gone = asyncio.Event()

    def drip(request: Seen) -> list[Step]:
        return [
            Send(raw("HTTP/1.1 200 OK")[:-2]),
            *[Send(b"X: %b\r\n" % (b"a" * 8000))] * 100,
            Note(gone.set),
        ]

    async with ScriptedUpstream(drip) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.ProtocolError):
            await whole(archive)


async def test_interim_responses_are_skipped() -> None:
    said = raw("HTTP/1.1 100 Continue") + raw("HTTP/1.1 103 Early Hints", "Link: </a>") * 15 + OK
    async with (
        ScriptedUpstream(script=[[Request(), Send(said)]]) as upstream,
        archive_at(upstream.url) as archive,
    ):
        got = await whole(archive)

    assert (got.status, got.body, "link" in got.fields) == (200, b"good", False)


async def test_a_flood_of_interim_responses_ends() -> None:
    script = [[Request(), Send(raw("HTTP/1.1 103 Early Hints") * 17), Stall()]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.ProtocolError):
            await whole(archive)


async def test_interim_responses_do_not_move_the_deadline_of_the_head() -> None:
    said = asyncio.Event()
    script = [[Request(), Send(raw("HTTP/1.1 102 Processing")), Note(said.set), Stall()]]
    async with (
        ScriptedUpstream(script=script) as upstream,
        archive_at(upstream.url, timeouts=Timeouts(first_byte=SHORT)) as archive,
    ):
        with pytest.raises(errors.ResponseTimeout):
            await whole(archive)

    assert said.is_set()


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["RST", "FIN"])
async def test_a_connection_that_ends_before_the_head_is_whole_is_a_cut(end: Step) -> None:
    script = [[Request(), Send(b"HTTP/1.1 200 OK\r\nContent-"), end]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.Cut):
            await whole(archive)

    assert len(upstream.requests) == 1


async def test_a_kept_connection_that_ends_as_we_send_is_no_error_for_a_get() -> None:
    script = [[Request(), Reply(body=b"one"), Request(), Close()], [Request(), Reply(body=b"two")]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        bodies = [(await whole(archive)).body for _ in range(2)]

    assert (bodies, len(upstream.requests), upstream.connections) == ([b"one", b"two"], 3, 2)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with ScriptedUpstream(lambda request: [Reply(body=b"logger")]) as logger:
        moved = Reply(302, fields=[("Location", f"{logger.url}/steal")])
        async with (
            ScriptedUpstream(lambda request: [moved]) as upstream,
            archive_at(upstream.url, credentials={upstream.url: "Basic c2VjcmV0"}) as archive,
        ):
            got = await whole(archive)

        assert (got.status, got.fields.get("location")) == (302, f"{logger.url}/steal")
        assert logger.connections == 0


async def test_a_trickle_is_cut_by_the_minimum_rate() -> None:
    clock = iter(range(0, 10_000, 10))  # every look at it is ten seconds later
    read = [asyncio.Event() for _ in range(9)]
    steps: list[Step] = [Send(raw(*HEAD, "Content-Length: 10"))]
    for event in read:
        steps += [Send(b"x"), Wait(event)]
    async with (
        ScriptedUpstream(lambda request: steps) as upstream,
        archive_at(upstream.url, now=lambda: float(next(clock))) as archive,
        archive.open(get()) as answer,
    ):
        chunks = answer.chunks()
        with pytest.raises(errors.Cut):
            await _read_one_by_one(chunks, read)

    assert not read[-1].is_set()


async def _read_one_by_one(chunks: AsyncIterator[bytes], read: list[asyncio.Event]) -> None:
    for event in read:
        await anext(chunks)
        event.set()
