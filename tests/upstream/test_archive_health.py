"""An archive's health as its own answers and silences make it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from edgerouter import errors
from edgerouter.upstream.archive import Timeouts
from edgerouter.upstream.health import State
from tests.support.scripted import Note, Reply, ScriptedUpstream, Seen, Send, Stall, Step, Wait, closed_port
from tests.upstream.ask import SHORT, SOON, archive_at, until_cut, whole


async def test_an_upstream_that_asks_for_rest_is_reported_and_still_asked() -> None:
    now = 0.0
    busy = Reply(503, fields=[("Retry-After", "120")])
    async with (
        ScriptedUpstream(lambda request: [busy]) as upstream,
        archive_at(upstream.url, now=lambda: now) as archive,
    ):
        got = await whole(archive)

        assert (got.status, got.fields.get("retry-after")) == (503, "120")
        assert (archive.healthy, archive.health.state, archive.health.wait) == (False, State.RESTING, 120.0)
        assert (await whole(archive)).status == 503
        now = 121.0
        assert archive.healthy


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: format_datetime(datetime.now(UTC) + timedelta(hours=5), usegmt=True), 300.0),
        (lambda: "1000000000", 300.0),
        (lambda: "soon", 0.0),
    ],
)
async def test_a_rest_is_never_longer_than_five_minutes(value: Callable[[], str], expected: float) -> None:
    busy = Reply(429, fields=[("Retry-After", value())])
    async with (
        ScriptedUpstream(lambda request: [busy]) as upstream,
        archive_at(upstream.url, now=lambda: 0.0) as archive,
    ):
        await whole(archive)

        assert archive.health.wait == expected


async def test_an_ejected_upstream_is_probed_by_one_request_at_a_time() -> None:
    now, arrived, go = 0.0, asyncio.Event(), asyncio.Event()

    def answer(request: Seen) -> list[Step]:
        return [Stall()] if request.number <= 5 else [Note(arrived.set), Wait(go), Reply()]

    times = Timeouts(first_byte=SHORT)
    async with (
        ScriptedUpstream(answer) as upstream,
        archive_at(upstream.url, now=lambda: now, timeouts=times) as archive,
    ):
        for _ in range(5):
            with pytest.raises(errors.ResponseTimeout):
                await whole(archive)
        assert (archive.healthy, archive.health.state) == (False, State.EJECTED)
        now = 30.0
        assert archive.healthy
        archive._timeouts = SOON
        async with asyncio.TaskGroup() as group:
            probe = group.create_task(whole(archive))
            await arrived.wait()
            assert (archive.healthy, archive.health.state) == (False, State.PROBING)
            go.set()
            await probe

        assert (archive.healthy, archive.health.state) == (True, State.UP)


async def test_a_cancelled_probe_leaves_the_place_free_for_another() -> None:
    now, arrived = 0.0, asyncio.Event()
    times = Timeouts(first_byte=SHORT)
    async with (
        ScriptedUpstream(lambda request: [Note(arrived.set), Stall()]) as upstream,
        archive_at(upstream.url, now=lambda: now, timeouts=times) as archive,
    ):
        for _ in range(5):
            with pytest.raises(errors.ResponseTimeout):
                await whole(archive)
        now = 30.0
        archive._timeouts = SOON
        arrived.clear()
        async with asyncio.TaskGroup() as group:
            probe = group.create_task(whole(archive))
            await arrived.wait()
            probe.cancel()

        assert (archive.healthy, archive.health.state) == (True, State.EJECTED)


async def test_a_body_that_stalls_counts_against_the_upstream() -> None:
    half = Reply(body=b"x" * 10).render(1, "GET")[:-5]
    async with (
        ScriptedUpstream(lambda request: [Send(half), Stall()]) as upstream,
        archive_at(upstream.url, timeouts=Timeouts(between_reads=SHORT)) as archive,
    ):
        await until_cut(archive)

        assert (archive.health.failures, archive.health.last_error) == (1, "ReadTimeout")


async def test_the_system_being_out_of_order_is_told_apart_from_the_object_being_so() -> None:
    async with (
        ScriptedUpstream(lambda request: [Reply(500)]) as upstream,
        archive_at(upstream.url) as archive,
    ):
        for _ in range(9):
            assert (await whole(archive)).status == 500

        assert (archive.healthy, archive.health.failures) == (True, 0)


async def test_five_failures_in_a_row_eject_and_a_good_answer_brings_it_back() -> None:
    now = 1000.0
    port = closed_port()
    async with archive_at(f"http://127.0.0.1:{port}", now=lambda: now) as archive:
        for _ in range(2):
            with pytest.raises(errors.ConnectError):
                await whole(archive)

        assert (archive.health.state, archive.healthy) == (State.EJECTED, False)
        now += 31
        assert archive.healthy
