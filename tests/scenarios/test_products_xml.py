"""Archives that speak one form only, seen through the router: nobody can tell."""

import gzip
from collections.abc import Iterable

import pytest

from tests.products.azure import Azure
from tests.products.xml_only import XmlOnly
from tests.scenarios.edge import JSON, XML, edge_over
from tests.scenarios.test_products import STUDIES, over, uids
from tests.support.hospital import Hospital, studies, value
from tests.support.scripted import Close, Reply, ScriptedUpstream, Seen, Send, Step

QUIRKS = {"documents": "xml", "includefield": "repeat"}


async def test_rows_in_xml_are_rows_like_others() -> None:
    product = XmlOnly(STUDIES)
    async with over(product, "standard", quirks=QUIRKS) as edge:
        reply = await edge.ask("/studies?PatientID=7", JSON)

    assert (reply.status, uids(reply), product.refused) == (200, {"1.1", "1.4"}, [])
    [first] = [row for row in reply.json if value(row, "0020000D") == "1.1"]
    assert value(first, "00100010") == {"Alphabetic": "DOE^JANE"}
    assert value(first, "00081030") == "CHEST"
    assert list(first) == sorted(first)


async def test_it_is_merged_with_others() -> None:
    product = XmlOnly(STUDIES)
    async with (
        ScriptedUpstream(product) as north,
        ScriptedUpstream(Hospital("south", studies("1.9"))) as south,
        edge_over(north, south, settings={"quirks": QUIRKS}) as edge,
    ):
        reply = await edge.ask("/studies", JSON)

    assert (uids(reply), product.refused) == ({"1.1", "1.2", "1.3", "1.4", "1.9"}, [])


async def test_nothing_found_is_an_empty_list() -> None:
    product = XmlOnly(STUDIES)
    async with over(product, "standard", quirks=QUIRKS) as edge:
        reply = await edge.ask("/studies?PatientID=1000", JSON)

    assert (reply.status, reply.json) == (200, [])


async def test_metadata_in_xml_is_json_for_who_wants_json_and_xml_for_who_wants_xml() -> None:
    product = XmlOnly(STUDIES)
    async with over(product, "standard", quirks=QUIRKS) as edge:
        translated = await edge.ask("/studies/1.1/metadata", JSON)
        own = await edge.ask("/studies/1.1/metadata", XML)

    assert [value(row, "00080018") for row in translated.json] == ["1.1.1.1", "1.1.1.2", "1.1.2.1"]
    assert len(own.parts) == 3
    assert product.refused == []


async def test_metadata_in_json_is_xml_for_who_wants_xml() -> None:
    product = Azure(STUDIES)
    async with over(product, "azure") as edge:
        reply = await edge.ask("/studies/1.1/metadata", XML)

    assert (reply.status, len(reply.parts), product.refused) == (200, 1, [])
    assert b'<DicomAttribute tag="0020000D" vr="UI" keyword="StudyInstanceUID">' in reply.parts[0].body


async def test_a_refusal_is_passed_on_as_one() -> None:
    async with answered(Reply(404)) as upstream, edge_over(upstream, settings={"quirks": QUIRKS}) as edge:
        assert (await edge.ask("/studies/9.9/metadata", JSON)).status == 404


def answered(*steps: Step) -> ScriptedUpstream:
    def answer(request: Seen) -> Iterable[Step]:
        return steps

    return ScriptedUpstream(answer)


DOCUMENT = (
    b'<NativeDicomModel><DicomAttribute tag="0020000D" vr="UI"><Value number="1">1.2</Value>'
    b"</DicomAttribute></NativeDicomModel>"
)
HEAD = b"--b\r\nContent-Type: application/dicom+xml\r\n\r\n"
WHOLE = HEAD + DOCUMENT + b"\r\n--b--"
ROW = b'[{"0020000D": {"vr": "UI", "Value": ["1.2"]}}]'
TYPE = [("Content-Type", 'multipart/related; type="application/dicom+xml"; boundary=b')]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=WHOLE, fields=TYPE),
        Reply(body=DOCUMENT, fields=[("Content-Type", "application/xml")]),
        Reply(
            body=gzip.compress(HEAD + DOCUMENT + b"\r\n--b--"), fields=[*TYPE, ("Content-Encoding", "gzip")]
        ),
        Reply(body=ROW, fields=[("Content-Type", JSON)]),
    ],
)
async def test_every_envelope_is_opened(reply: Reply) -> None:
    async with answered(reply) as upstream, edge_over(upstream, settings={"quirks": QUIRKS}) as edge:
        assert uids(await edge.ask("/studies", JSON)) == {"1.2"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=HEAD + DOCUMENT + b"\r\n", fields=TYPE),
        Reply(body=HEAD + b"<NativeDicomModel>\r\n--b--", fields=TYPE),
        Reply(body=HEAD + b'<!DOCTYPE x [<!ENTITY e "1">]>' + DOCUMENT + b"\r\n--b--", fields=TYPE),
        Reply(body=HEAD + b"<html/>\r\n--b--", fields=TYPE),
        Reply(body=DOCUMENT[:-5], fields=[("Content-Type", "application/xml")]),
        Reply(body=DOCUMENT, fields=[("Content-Type", "multipart/related")]),
        Reply(body=b"\x1f\x8bno", fields=[*TYPE, ("Content-Encoding", "gzip")]),
        Reply(body=DOCUMENT, fields=[*TYPE, ("Content-Encoding", "br")]),
    ],
)
async def test_a_malformed_answer_is_never_an_empty_list(reply: Reply) -> None:
    async with (
        answered(reply) as upstream,
        edge_over(upstream, settings={"quirks": {**QUIRKS, "page_limit": "100"}}) as edge,
    ):
        answer = await edge.ask("/studies", JSON)

    assert answer.status == 502


async def test_an_answer_that_breaks_off_is_cut() -> None:
    whole = Reply(body=WHOLE, fields=TYPE).render(1, "GET")
    async with (
        answered(Send(whole[:-20]), Close()) as upstream,
        edge_over(upstream, settings={"quirks": QUIRKS}) as edge,
    ):
        answer = await edge.ask("/studies", JSON)

    assert not answer.complete or answer.status == 502
