"""What goes wrong with a Store, on real sockets: told truthfully, and never sent twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edgerouter import errors
from edgerouter.upstream.archive import Timeouts
from tests.support.scripted import (
    Close,
    Note,
    Reply,
    Request,
    Reset,
    ScriptedUpstream,
    Seen,
    Stall,
    Step,
    Wait,
)
from tests.upstream.ask import SHORT, archive_at, pieces, post, whole


async def test_a_store_never_goes_out_on_a_kept_connection() -> None:
    script = [[Request(), Reply(body=b"one"), Request(), Close()], [Request(), Reply(body=b"stored")]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        await whole(archive)
        got = await whole(archive, post(pieces(b"instance")))

    assert (got.body, [seen.connection for seen in upstream.requests]) == (b"stored", [0, 1])


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["RST", "FIN"])
async def test_a_store_whose_answer_is_lost_is_not_sent_again(end: Step) -> None:
    script = [[Request(), end], [Request(), Reply()]]
    async with ScriptedUpstream(script=script) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.Cut):
            await whole(archive, post(pieces(b"instance")))

    assert [seen.size for seen in upstream.requests] == [8]


async def test_a_store_that_breaks_off_half_way_is_a_cut() -> None:
    broken = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await broken.wait()
        while True:
            yield b"more" * 4096
            await asyncio.sleep(0)

    def answer(request: Seen) -> list[Step]:
        return [Note(broken.set), Reset()]

    async with ScriptedUpstream(answer, early=True) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.Cut):
            await whole(archive, post(body()))

    assert len(upstream.requests) == 1


async def test_an_upstream_that_stops_taking_a_store_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 16)

    async with (
        ScriptedUpstream(lambda request: [Stall()], early=True) as upstream,
        archive_at(upstream.url, timeouts=Timeouts(between_reads=SHORT)) as archive,
    ):
        with pytest.raises(errors.ResponseTimeout):
            await whole(archive, post(endless()))


async def test_the_answer_to_a_store_has_its_own_deadline_from_the_end_of_the_body_on() -> None:
    times = Timeouts(first_byte=SHORT, between_reads=SHORT, store_answer=30)
    taken, waited = asyncio.Event(), asyncio.Event()
    script = [[Request(), Note(taken.set), Wait(waited), Reply(body=b"stored")]]
    async with (
        ScriptedUpstream(script=script) as upstream,
        archive_at(upstream.url, timeouts=times) as archive,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(whole(archive, post(pieces(b"instance"))))
        await taken.wait()
        await asyncio.sleep(2 * SHORT)  # the other limits pass meanwhile
        waited.set()

    assert task.result().body == b"stored"
