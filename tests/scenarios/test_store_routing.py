"""An upload whose instances go different ways: who gets what, and what the sender is told of each."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.dicom.build import part10
from tests.scenarios.edge import JSON, PUBLIC, Edge, answering, edge_over
from tests.scenarios.instances import (
    STUDY,
    Shelf,
    failures_in,
    instance,
    received,
    reference,
    store,
    stored_in,
    told,
)
from tests.scenarios.uploads import TYPE, upload
from tests.support.scripted import Reply, ScriptedUpstream

RULES = [
    {
        "name": "no-ultrasound",
        "match": {"transaction": "store", "dataset": {"Modality": "US"}, "header": {"X-Site": "*"}},
        "deny": {"status": 403, "reason": "Kein Ultraschall in Gebäude 7"},
    },
    {
        "name": "no-structured-reports",
        "match": {"transaction": "store", "dataset": {"Modality": "SR"}},
        "deny": {"status": 403, "reason": "Reports live elsewhere."},
    },
    {
        "name": "mr",
        "match": {"transaction": "store", "dataset": {"Modality": "MR", "StationName": "* ROOM"}},
        "route": {"upstreams": ["south", "north"]},
    },
    {"name": "rest", "match": {"transaction": "store"}, "route": {"upstreams": "north"}},
]
CT1, CT2 = instance("1.1", "CT"), instance("1.2", "CT", pixels=200_000)
MR1, MR2 = instance("2.1", "MR", pixels=100_000), instance("2.2", "MR")
SR = instance("3.1", "SR")
FOREIGN = instance("4.1", "CT", study="9.9")
CANNOT_UNDERSTAND, NOT_AUTHORISED, MISMATCH, SYNTAX = 0xC000, 0x0124, 0xA901, 0xC122


@asynccontextmanager
async def two(
    north: Shelf | None = None, south: Shelf | None = None
) -> AsyncIterator[tuple[Edge, ScriptedUpstream, ScriptedUpstream]]:
    async with (
        ScriptedUpstream(north or Shelf()) as first,
        ScriptedUpstream(south or Shelf()) as second,
        edge_over(first, second, rules=RULES) as edge,
    ):
        yield edge, first, second


async def test_each_instance_goes_where_its_dataset_leads_and_one_answer_tells_of_all() -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, upload(CT1, MR1, CT2, MR2))

        assert (reply.status, reply.get("content-type")) == (200, JSON)
        assert (received(north), received(south)) == ([CT1, CT2], [MR1, MR2])
        assert stored_in(reply) == [reference(uid, PUBLIC) for uid in ("1.1", "1.2", "2.1", "2.2")]
        assert reply.json["00081190"]["Value"] == [f"{PUBLIC}/studies/{STUDY}"]
        assert failures_in(reply) == {}
        assert reply.get("warning") is None
        assert reply.get("cache-control") == "no-store"


async def test_every_archive_gets_one_well_formed_request() -> None:
    fields = [("Content-Type", "multipart/related; type=application/dicom; boundary=edge"), ("Cookie", "a=b")]
    async with two() as (edge, north, south):
        assert (await store(edge, upload(CT1, MR1), f"/studies/{STUDY}", fields=fields)).status == 200

        for upstream in (north, south):
            [request] = upstream.requests
            assert (request.method, request.target) == ("POST", f"/dw/studies/{STUDY}")
            assert request.get("transfer-encoding") == "chunked"
            assert request.get("content-length") is None
            assert request.get("accept") == f"{JSON}, application/dicom+xml;q=0.5"
            assert request.get("cookie") is None


async def test_an_upload_that_no_rule_looks_into_goes_up_byte_for_byte() -> None:
    body = upload(CT1, MR1)
    elsewhere = {"transaction": "store", "dataset": {"Modality": "MR"}, "client": "192.0.2.0/24"}
    rules = [{**RULES[2], "match": elsewhere}, RULES[3], RULES[1]]
    stored = Reply(
        body=json.dumps(told("http://x", ["1.1", "2.1"])).encode(), fields=[("Content-Type", JSON)]
    )
    async with answering(stored) as north, edge_over(north, north, rules=rules) as edge:
        assert (await store(edge, body)).status == 200

        [request] = north.requests
        assert (bytes(request.body), request.get("content-length")) == (body, str(len(body)))


async def test_an_instance_alone_is_looked_into_too() -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, MR1, fields=[("Content-Type", "application/dicom")])

        assert (reply.status, received(north), received(south)) == (200, [], [MR1])
        assert north.requests == []


async def test_a_denied_instance_goes_nowhere_and_the_others_go_on() -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, upload(CT1, SR, MR1))

        assert (reply.status, failures_in(reply)) == (202, {"3.1": NOT_AUTHORISED})
        assert len(stored_in(reply)) == 2
        assert reply.get("warning") == f"299 {PUBLIC}: Reports live elsewhere."
        assert (received(north), received(south)) == ([CT1], [MR1])


async def test_an_upload_of_denied_instances_only_has_the_status_of_the_rule() -> None:
    fields = [("Content-Type", TYPE), ("X-Site", "7")]
    async with two() as (edge, north, south):
        reply = await store(edge, upload(SR, instance("5.1", "US")), fields=fields)

        assert (reply.status, reply.get("content-type")) == (403, JSON)
        assert failures_in(reply) == {"3.1": NOT_AUTHORISED, "5.1": NOT_AUTHORISED}
        warnings = [f"299 {PUBLIC}: Reports live elsewhere.", f"299 {PUBLIC}: Kein Ultraschall in Geb?ude 7"]
        assert reply.raw.all("warning") == warnings
        assert (north.requests, south.requests) == ([], [])


async def test_a_denial_with_405_names_no_method() -> None:
    rules = [{**RULES[1], "deny": {"status": 405, "reason": "closed"}}]
    async with ScriptedUpstream(Shelf()) as north, edge_over(north, rules=rules) as edge:
        reply = await store(edge, upload(SR))

        assert (reply.status, reply.get("allow")) == (405, "")


async def test_an_instance_of_another_study_than_the_paths_is_stored_nowhere() -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, upload(CT1, FOREIGN), f"/studies/{STUDY}")

        assert (reply.status, failures_in(reply)) == (202, {"4.1": MISMATCH})
        assert received(north) == [CT1]

        reply = await store(edge, upload(FOREIGN), f"/studies/{STUDY}")

        assert (reply.status, failures_in(reply)) == (409, {"4.1": MISMATCH})
        assert (len(north.requests), south.requests) == (1, [])


async def test_what_is_no_instance_fails_and_is_not_sent_on() -> None:
    nameless, broken = b"\x89PNG\r\n\x1a\n", part10(b"\xff" * 99)
    async with two() as (edge, north, _):
        reply = await store(edge, upload(CT1, nameless, b""))

        assert (reply.status, failures_in(reply)) == (202, {"": CANNOT_UNDERSTAND})
        assert len(reply.json["0008119A"]["Value"]) == 2
        assert received(north) == [CT1]

        reply = await store(edge, upload(nameless, broken))

        # The File Meta Information of what is broken still names it.
        assert failures_in(reply) == {"": CANNOT_UNDERSTAND, "1.2.3.4.5": CANNOT_UNDERSTAND}
        assert (reply.status, len(north.requests)) == (400, 1)


async def test_a_transfer_syntax_that_cannot_be_read_is_named_as_the_reason() -> None:
    async with two() as (edge, north, _):
        reply = await store(edge, upload(part10(b"", "1.2.840.10008.1.2.2")))

        assert (reply.status, failures_in(reply)) == (400, {"1.2.3.4.5": SYNTAX})
        assert north.requests == []


async def test_reasons_of_the_archives_are_told_as_they_are() -> None:
    async with two(Shelf({"1.1": 43264}), Shelf({"2.1": 45070})) as (edge, *_):
        reply = await store(edge, upload(CT1, CT2, MR1))

        assert (reply.status, failures_in(reply)) == (202, {"1.1": 43264, "2.1": 45070})
        assert stored_in(reply) == [reference("1.2", PUBLIC)]

        reply = await store(edge, upload(CT1, MR1))

        assert (reply.status, failures_in(reply)) == (409, {"1.1": 43264, "2.1": 45070})


async def test_the_answer_can_be_xml() -> None:
    async with two() as (edge, *_):
        reply = await store(edge, upload(CT1, MR1), accept="application/dicom+xml")

        assert (reply.status, reply.get("content-type")) == (200, "application/dicom+xml")
        for uid in ("1.1", "2.1"):
            assert f"{PUBLIC}/studies/{STUDY}/series/{STUDY}.1/instances/{uid}".encode() in reply.body


async def test_an_archive_may_answer_in_xml() -> None:
    async with two(south=Shelf(media="application/dicom+xml")) as (edge, *_):
        reply = await store(edge, upload(CT1, MR1))

        assert (reply.status, len(stored_in(reply))) == (200, 2)
        assert stored_in(reply)[1] == reference("2.1", PUBLIC)


async def test_an_answer_about_very_many_instances_is_whole() -> None:
    files = [instance(f"7.{number}", "MR" if number % 3 else "CT") for number in range(900)]
    async with two() as (edge, north, south):
        reply = await store(edge, upload(*files))

        assert (reply.status, len(stored_in(reply))) == (200, 900)
        assert (len(received(north)), len(received(south))) == (300, 600)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/related; type=application/dicom+json; boundary=edge", 415),
        ("multipart/related; type=application/dicom+xml; boundary=edge", 415),
        ("multipart/related; type=application/dicom", 400),
        ("multipart/form-data; boundary=edge", 415),
    ],
)
async def test_what_rules_cannot_look_into_is_refused_before_anybody_is_asked(
    content_type: str, status: int
) -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, upload(CT1), fields=[("Content-Type", content_type)])

        reply.problem(status)
        assert (north.requests, south.requests) == ([], [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        upload(),
        b"--edge--\r\n",
        b"no boundary at all" * 99,
        upload(CT1)[:-9],
        upload(CT1, closing=False),
    ],
)
async def test_an_upload_that_is_none_is_refused(body: bytes) -> None:
    async with two() as (edge, north, south):
        reply = await store(edge, body)

        reply.problem(400)
        for upstream in (north, south):
            assert not [request for request in upstream.requests if request.whole]
