"""One destination's share of an upload, on a real socket to a scripted archive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edgerouter.dicomweb.store_merge import TargetAnswer
from edgerouter.dicomweb.store_response import StoreOutcome, StoreResponse
from edgerouter.transactions.leg import Leg
from edgerouter.upstream.archive import HttpArchive
from tests.scenarios.instances import SOP_CLASS, STUDY, told
from tests.support.scripted import Body, Note, Reply, ScriptedUpstream, Seen, Step, closed_port
from tests.transactions.canned import BOX, JSON, PUBLIC, inbound
from tests.upstream.ask import archive_at

INSTANCES = [(SOP_CLASS, "1.1"), (SOP_CLASS, "1.2")]
CLOSING = b"\r\n--edge--\r\n"


def leg_to(archive: HttpArchive) -> Leg:
    leg = Leg(inbound("/studies", method="POST"), archive, BOX, "edge")
    leg.instances = list(INSTANCES)
    return leg


@asynccontextmanager
async def running(upstream: ScriptedUpstream) -> AsyncIterator[Leg]:
    """A leg to an archive; it has ended when the block has."""
    async with upstream, archive_at(upstream.url) as archive, asyncio.TaskGroup() as group:
        leg = leg_to(archive)
        leg.start(group)
        yield leg


def answering(status: int, body: bytes) -> ScriptedUpstream:
    return ScriptedUpstream(lambda seen: [Reply(status, body, [("Content-Type", JSON)])])


async def test_what_is_put_is_the_body_and_the_answer_has_our_links() -> None:
    def answer(seen: Seen) -> list[Step]:
        module = told(f"http://{seen.get('host')}/dw", ["1.1", "1.2"])
        return [Reply(200, json.dumps(module).encode(), [("Content-Type", JSON)])]

    async with running(upstream := ScriptedUpstream(answer)) as leg:
        for piece in (b"--edge\r\n\r\n", b"one", b"two"):
            await leg.put(piece)
        await leg.put(CLOSING, last=True)

    assert bytes(upstream.requests[0].body) == b"--edge\r\n\r\nonetwo" + CLOSING
    url = f"{PUBLIC}/studies/{STUDY}"
    outcomes = tuple(
        StoreOutcome(SOP_CLASS, uid, f"{url}/series/{STUDY}.1/instances/{uid}") for uid in ("1.1", "1.2")
    )
    assert leg.told() == TargetAnswer(200, tuple(INSTANCES), StoreResponse(outcomes, url))
    assert leg.trouble == ""


async def test_a_link_that_leads_elsewhere_and_a_missing_one_stay() -> None:
    module = told("http://elsewhere.example", ["1.1", "1.2"])
    del module["00081199"]["Value"][1]["00081190"], module["00081190"]
    async with running(answering(200, json.dumps(module).encode())) as leg:
        await leg.put(CLOSING, last=True)

    response = leg.told().response
    assert response
    urls = [outcome.retrieve_url.partition("/studies")[0] for outcome in response.outcomes]
    assert (urls, response.retrieve_url) == (["http://elsewhere.example", ""], "")


async def test_a_connection_that_fails_once_costs_nothing() -> None:
    """Nothing of the body was taken when it failed: so all of it goes into the next one."""
    port = closed_port()
    upstream = answering(200, json.dumps(told("http://x", ["1.1", "1.2"])).encode())

    async def open_up(_: float) -> None:
        server = await asyncio.start_server(upstream._serve, "127.0.0.1", port)
        servers.append(server)

    servers: list[asyncio.Server] = []
    async with upstream, archive_at(f"http://127.0.0.1:{port}", sleep=open_up) as archive:
        async with asyncio.TaskGroup() as group:
            leg = leg_to(archive)
            leg.start(group)
            await leg.put(b"--edge\r\n\r\none")
            await leg.put(CLOSING, last=True)
        servers[0].close()

    assert [bytes(seen.body) for seen in upstream.requests] == [b"--edge\r\n\r\none" + CLOSING]
    assert leg.told().status == 200


async def test_after_a_failure_what_is_put_is_dropped_at_once() -> None:
    async with archive_at(f"http://127.0.0.1:{closed_port()}") as archive, asyncio.TaskGroup() as group:
        leg = leg_to(archive)
        leg.start(group)
        for _ in range(100):
            await leg.put(b"piece")
        await leg.put(CLOSING, last=True)

    assert leg.told() == TargetAnswer(502, tuple(INSTANCES))
    assert leg.trouble == "The upstream could not be reached."


async def test_a_leg_that_is_cancelled_is_cut() -> None:
    begun = asyncio.Event()
    upstream = ScriptedUpstream(lambda seen: [Note(begun.set), Body(), Reply()], early=True)
    async with running(upstream) as leg:
        await leg.put(b"--edge\r\n\r\n")
        await begun.wait()
        await leg.put(b"most of it")
        leg.cancel()

    assert [seen.whole for seen in upstream.requests] == [False]


async def test_a_leg_that_never_started_can_be_cancelled() -> None:
    async with archive_at("http://127.0.0.1:1") as archive:
        leg_to(archive).cancel()


@pytest.mark.parametrize("status", [413, 429, 503, 507])
async def test_an_archive_that_has_no_room_is_out_of_resources_unless_it_says_more(status: int) -> None:
    async with running(answering(status, b"")) as leg:
        await leg.put(CLOSING, last=True)
    full = tuple(StoreOutcome(*each, failure=0xA700) for each in INSTANCES)
    assert leg.told() == TargetAnswer(status, tuple(INSTANCES), StoreResponse(full))
    assert leg.trouble == f"The archive answered with status {status}."

    reasons = json.dumps(told("http://x", ["1.1"], {"1.1": 43264})).encode()
    async with running(answering(status, reasons)) as leg:
        await leg.put(CLOSING, last=True)
    response = leg.told().response
    assert response
    assert [outcome.failure for outcome in response.outcomes] == [43264]
    assert leg.trouble == ""
