"""Uploads to archive products: what they answer, in the standard's statuses and the client's form."""

import json

import pytest

from tests.products.product import Refusal
from tests.scenarios.edge import JSON, PUBLIC, Edge, answering, edge_over
from tests.scenarios.edge import Reply as Answered
from tests.scenarios.uploads import FILE, PACS, TYPE, module, store, upload
from tests.support.scripted import Reply, ScriptedUpstream, Seen

XML = "application/dicom+xml"


def failing(reason: int, *, stored: bool) -> bytes:
    """A module with one instance stored, or not, and another that failed."""
    made = module(PACS)
    if not stored:
        del made["00081199"]
    failed = {"00081155": {"vr": "UI", "Value": ["5.7"]}, "00081197": {"vr": "US", "Value": [reason]}}
    made["00081198"] = {"vr": "SQ", "Value": [failed]}
    return json.dumps(made).encode()


async def stored(edge: Edge, accept: str = JSON) -> Answered:
    fields = [("Content-Type", TYPE)]
    return await edge.ask("/studies", accept, method="POST", fields=fields, body=upload(FILE))


async def test_google_s_conflict_is_a_partial_success_where_something_was_stored() -> None:
    answer = Reply(409, failing(272, stored=True), [("Content-Type", JSON)])
    async with answering(answer) as upstream, edge_over(upstream, settings={"profile": "google"}) as edge:
        reply = await stored(edge)

        assert upstream.requests[0].get("accept") == JSON  # else it would answer in XML
    assert reply.status == 202
    assert reply.json["00081199"]["Value"][0]["00081190"]["Value"][0].startswith(PUBLIC)


@pytest.mark.parametrize(("said", "some", "status"), [(202, True, 202), (409, False, 409)])
async def test_azure_s_duplicates_stay_failures_with_its_own_reason(
    said: int, some: bool, status: int
) -> None:
    """What is there already may have other bytes: only who sent it can say."""
    answer = Reply(said, failing(45070, stored=some), [("Content-Type", JSON)])
    async with answering(answer) as upstream, edge_over(upstream, settings={"profile": "azure"}) as edge:
        reply = await stored(edge)

    assert reply.status == status
    assert reply.json["00081198"]["Value"][0]["00081197"]["Value"] == [45070]


@pytest.mark.parametrize("profile", ["azure", "aws"])
async def test_xml_for_who_wants_it_of_an_archive_that_answers_in_json(profile: str) -> None:
    def answer(request: Seen) -> list[Reply]:
        if request.get("accept") != JSON:
            raise Refusal(f"Accept {request.get('accept')}", 406)
        return [Reply(202, failing(272, stored=True), [("Content-Type", JSON)])]

    async with (
        ScriptedUpstream(answer) as upstream,
        edge_over(upstream, settings={"profile": profile}) as edge,
    ):
        reply = await stored(edge, XML)

    assert (reply.status, reply.get("content-type")) == (202, XML)
    assert b'tag="00081199"' in reply.body
    assert f"{PUBLIC}/studies/1.2/series/3.4/instances/5.6".encode() in reply.body
    assert (
        b'<DicomAttribute tag="00081197" vr="US" keyword="FailureReason"><Value number="1">272' in reply.body
    )


async def test_an_answer_in_another_form_than_asked_is_read_and_written_anew() -> None:
    document = (
        b'<NativeDicomModel xml:space="preserve"><DicomAttribute tag="00081199" vr="SQ"><Item number="1">'
        b'<DicomAttribute tag="00081155" vr="UI"><Value number="1">5.6</Value></DicomAttribute></Item>'
        b"</DicomAttribute></NativeDicomModel>"
    )
    answer = Reply(200, document, [("Content-Type", XML)])
    async with answering(answer) as upstream, edge_over(upstream, settings={"profile": "google"}) as edge:
        reply = await stored(edge)

    assert (reply.status, reply.get("content-type")) == (200, JSON)
    assert reply.json["00081199"]["Value"][0]["00081155"]["Value"] == ["5.6"]


@pytest.mark.parametrize("profile", ["medical-connections", "osirix"])
async def test_one_instance_alone_is_refused_where_only_parts_are_known_to_be_taken(profile: str) -> None:
    async with answering(Reply(200)) as upstream, edge_over(upstream, settings={"profile": profile}) as edge:
        assert (await store(edge, FILE, content_type="application/dicom")).status == 415
        assert upstream.requests == []
