"""The door: who asks and for what, told to the router before anybody looks for bytes (law 8)."""

import asyncio
import json
import logging
from typing import Any

import pytest

from edgerouter import metrics
from tests.scenarios.edge import DICOM, IMPATIENT, JSON, answering, edge_over, multipart, related
from tests.scenarios.uploads import STORED, TYPE, upload
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Close, Reply, ScriptedUpstream, Seen, Send, Step, Wait

ROWS = Reply(body=b"[]", fields=[("Content-Type", JSON)])
STUDY = Reply(body=multipart(([], b"file")), fields=[related("application/dicom")])


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ([], "10.20.1.5", 403),  # a stranger's word
        (["127.0.0.0/8"], "10.20.1.5", 200),
        (["127.0.0.0/8"], "10.99.1.5", 403),
        (["127.0.0.0/8"], "10.20.1.5, 10.99.1.5", 403),
    ],
)
async def test_the_rules_see_the_client_that_trusted_proxies_tell_of(
    trusted: list[str], forwarded: str, status: int
) -> None:
    rules = [
        {"name": "clinic", "match": {"client": ["10.20.0.0/16"]}, "route": {"upstreams": ["north"]}},
        {"name": "others", "match": {}, "deny": {"status": 403, "reason": "not from here"}},
    ]
    server = {"trusted_proxies": trusted}
    async with answering(ROWS) as upstream, edge_over(upstream, server=server, rules=rules) as edge:
        reply = await edge.ask("/studies", JSON, fields=[("X-Forwarded-For", forwarded)])

        assert reply.status == status
        assert len(upstream.requests) == (status == 200)


async def test_the_route_chooses_the_upstream() -> None:
    rules = [
        {"name": "searches", "match": {"transaction": "search"}, "route": {"upstreams": ["south"]}},
        {"name": "retrieves", "match": {"transaction": "retrieve"}, "route": {"upstreams": ["north"]}},
    ]
    async with (
        answering(STUDY) as north,
        answering(ROWS) as south,
        edge_over(north, south, rules=rules) as edge,
    ):
        assert (await edge.ask("/studies", JSON)).json == []
        assert len((await edge.ask("/studies/1.2", DICOM)).parts) == 1
        assert ([seen.target for seen in north.requests], [seen.target for seen in south.requests]) == (
            ["/dw/studies/1.2"],
            ["/dw/studies"],
        )


async def test_another_base_path_is_served_and_nothing_else() -> None:
    async with answering(ROWS) as upstream, edge_over(upstream, server={"base_path": "/a/b"}) as edge:
        assert (await edge.page("/a/b/studies")).status == 200
        for target in ("/dicomweb/studies", "/a/studies", "/a/bc/studies", "/a/b%2Fstudies"):
            assert (await edge.page(target)).status in (400, 404)
        assert len(upstream.requests) == 1


async def test_what_was_asked_and_how_it_ended_is_counted() -> None:
    before = {
        "ok": value("edgerouter_requests_total", transaction="search", resource="collection", status="200"),
        "bad": value("edgerouter_requests_total", transaction="none", resource="none", status="400"),
        "seconds": value("edgerouter_request_seconds_count", transaction="search"),
        "first": value("edgerouter_first_byte_seconds_count", transaction="search"),
        "sent": value("edgerouter_sent_bytes_total", transaction="search"),
    }
    async with answering(ROWS) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON)).status == 200
        assert (await edge.ask("/studies/x", DICOM)).status == 400

    assert before == {
        "ok": value("edgerouter_requests_total", transaction="search", resource="collection", status="200")
        - 1,
        "bad": value("edgerouter_requests_total", transaction="none", resource="none", status="400") - 1,
        "seconds": value("edgerouter_request_seconds_count", transaction="search") - 1,
        "first": value("edgerouter_first_byte_seconds_count", transaction="search") - 1,
        "sent": value("edgerouter_sent_bytes_total", transaction="search") - 2,
    }


async def test_the_bytes_of_an_upload_are_counted_even_when_it_fails() -> None:
    before = value("edgerouter_received_bytes_total", transaction="store")
    good, bad = upload(b"file"), upload(b"file", closing=False)
    async with answering(STORED) as upstream, edge_over(upstream) as edge:
        for body in (good, bad):
            await edge.ask("/studies", method="POST", fields=[("Content-Type", TYPE)], body=body)

    assert value("edgerouter_received_bytes_total", transaction="store") - before == len(good + bad)


async def test_an_answer_that_broke_off_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edgerouter.access")
    before = value("edgerouter_answers_cut_total", reason="cut")
    half = Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\nContent-Length: 9\r\n\r\nhalf")
    async with answering(half, Close()) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask("/studies/1/series/2/instances/3", "application/dicom")
        assert (reply.status, reply.complete) == (200, False)

    assert value("edgerouter_answers_cut_total", reason="cut") == before + 1
    [line] = [record.getMessage() for record in caplog.records if record.name == "edgerouter.access"]
    logged: dict[str, Any] = json.loads(line)
    assert (logged["outcome"], logged["error"]) == ("cut", "http_response_incomplete")
    assert logged["template"] == "/dicomweb/studies/{studies}/series/{series}/instances/{instances}"


async def test_requests_under_way_are_counted() -> None:
    release = asyncio.Event()

    def answer(request: Seen) -> list[Step]:
        return [Wait(release), ROWS]

    async with (
        ScriptedUpstream(answer) as upstream,
        edge_over(upstream, settings=IMPATIENT) as edge,
        RawClient(edge.port) as client,
    ):
        before = value("edgerouter_active_requests")
        await client.send(request("/dicomweb/studies", fields=[("Accept", JSON)]))
        while not upstream.requests:
            assert await client.silent(0.005)
        assert value("edgerouter_active_requests") == before + 1
        release.set()
        assert (await client.response()).status == 200
        assert value("edgerouter_active_requests") == before


async def test_a_refused_upload_ends_the_connection() -> None:
    """What was not read cannot be told from the next request."""
    async with answering(Reply(409)) as upstream, edge_over(upstream) as edge:
        async with RawClient(edge.port) as client:
            head = request("/dicomweb/studies", method="POST", fields=[("Content-Type", "application/zip")])
            await client.send(head.replace(b"\r\n\r\n", b"\r\nContent-Length: 99\r\n\r\n"))
            reply = await client.response()
            assert (reply.status, reply.get("connection")) == (415, "close")
        assert upstream.connections == 0
