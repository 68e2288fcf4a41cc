"""Metadata in either form, at every level, out of whatever of it is held: JSON rows are kept, XML is made
of them (PS3.18 §F.3)."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from edgerouter.dicom.xml_model import json_to_xml
from tests.scenarios.edge import JSON, PUBLIC, XML, Reply, multipart, related
from tests.scenarios.pacs import BYPASS, HIT, MISS, Pacs, keeping
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Seen, Step

DOCUMENT = b'<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"/>'


def levels(pacs: Pacs) -> dict[str, list[int]]:
    """The metadata resources, and which instances each is of."""
    return {
        f"{pacs.study}/metadata": [1, 2, 3],
        f"{pacs.series}/metadata": [1, 2, 3],
        f"{pacs.instance(2)}/metadata": [2],
    }


def documents(pacs: Pacs, numbers: Iterable[int]) -> list[bytes]:
    """What the XML of some instances is, its links ours."""
    rows = (json.dumps(pacs.row(number)) for number in numbers)
    return [json_to_xml(row.replace("http://pacs.internal:8042/dw", PUBLIC).encode()) for row in rows]


def said(reply: Reply) -> list[bytes]:
    """The XML documents of an answer."""
    assert reply.status == 200, reply.raw
    assert {part.fields["content-type"] for part in reply.parts} == {"application/dicom+xml"}
    assert all(part.fields["content-length"] == str(len(part.body)) for part in reply.parts)
    return [part.body for part in reply.parts]


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_xml_is_made_of_the_json_that_is_asked_for(tmp_path: Path, level: int) -> None:
    pacs = Pacs()
    path, numbers = list(levels(pacs).items())[level]
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, XML)
        await edge.kept()
        warm = await edge.ask(path, XML)
        rows = await edge.ask(path, JSON)

        assert said(cold) == documents(pacs, numbers)
        assert cold.parts[0].fields["content-location"] == f"{PUBLIC}{pacs.instance(numbers[0])}/metadata"
        assert warm.body == cold.body
        assert [reply.get("cache-status") for reply in (cold, warm, rows)] == [MISS, HIT, HIT]
        assert len(rows.json) == len(numbers)
        assert pacs.asked == [path]
        assert pacs.seen[0].get("accept") == JSON


@pytest.mark.parametrize("accept", [JSON, XML])
async def test_each_level_answers_for_those_below(tmp_path: Path, accept: str) -> None:
    pacs = Pacs()
    study, series, instance = levels(pacs)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(study, accept)
        await edge.kept()
        for path, accepted in ((series, JSON), (series, XML), (instance, JSON), (instance, XML)):
            assert (await edge.ask(path, accepted)).get("cache-status") == HIT
        assert pacs.asked == [study]


@pytest.mark.parametrize("accept", [JSON, XML])
async def test_the_instances_answer_for_those_above_under_a_listing(tmp_path: Path, accept: str) -> None:
    pacs = Pacs()
    study, series, _ = levels(pacs)
    async with keeping(pacs, folder=tmp_path) as edge:
        for number in pacs.numbers:
            await edge.ask(f"{pacs.instance(number)}/metadata", accept)
        await edge.ask(pacs.study, 'multipart/related; type="application/dicom"')
        await edge.kept()
        asked = len(pacs.seen)
        for path in (study, series):
            reply = await edge.ask(path, accept)

            assert reply.get("cache-status") == HIT
            assert len(reply.parts if accept == XML else reply.json) == 3
        assert len(pacs.seen) == asked


async def test_each_form_has_an_entity_tag_of_its_own(tmp_path: Path) -> None:
    pacs = Pacs()
    path = f"{pacs.series}/metadata"
    packed = [("Accept-Encoding", "gzip")]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(path, JSON)
        await edge.kept()
        asks = [(JSON, []), (XML, []), (JSON, packed), (XML, packed)]
        replies = [await edge.ask(path, accept, fields=fields) for accept, fields in asks]
        tags = [reply.get("etag") or "" for reply in replies]
        same = await edge.ask(path, XML, fields=[("If-None-Match", tags[1])])
        other = await edge.ask(path, XML, fields=[("If-None-Match", tags[0])])
        head = await edge.ask(path, XML, method="HEAD")

        assert len(set(tags)) == 4
        assert replies[3].get("content-encoding") == "gzip"
        assert replies[3].body == replies[1].body
        assert (same.status, same.body, other.status) == (304, b"", 200)
        assert (head.status, head.body, head.get("etag")) == (200, b"", tags[1])
        assert head.get("content-type") == replies[1].get("content-type")


@pytest.mark.parametrize("refusal", [406, 415, "another type"])
async def test_an_archive_without_json_is_asked_for_its_xml(tmp_path: Path, refusal: int | str) -> None:
    pacs = Pacs()
    path = f"{pacs.series}/metadata"

    def xml_only(seen: Seen) -> list[Step]:
        accept = seen.get("accept") or ""
        if refusal == "another type" or "xml" in accept:
            body = multipart(([("Content-Type", "application/dicom+xml")], DOCUMENT))
            return [Scripted(body=body, fields=[related("application/dicom+xml")])]
        return [Scripted(int(refusal))]

    pacs.say[path] = xml_only
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, XML)

        assert [part.body for part in reply.parts] == [DOCUMENT]
        assert reply.get("cache-status") == BYPASS
        if isinstance(refusal, int):
            assert (await edge.ask(path, JSON)).status == refusal


async def test_what_cannot_be_said_in_xml_is_left_to_the_archive(tmp_path: Path) -> None:
    """A value of no kind that DICOM JSON has: kept and answered as it came, in JSON."""
    pacs = Pacs(slices=1)
    path = f"{pacs.series}/metadata"
    odd = {**pacs.row(1), "00100010": {"vr": "PN", "Value": ["not an object"]}}

    def answer(seen: Seen) -> list[Step]:
        if "xml" in (seen.get("accept") or ""):
            body = multipart(([("Content-Type", "application/dicom+xml")], DOCUMENT))
            return [Scripted(body=body, fields=[related("application/dicom+xml")])]
        return pacs.json(path, [odd])

    pacs.say[path] = answer
    async with keeping(pacs, folder=tmp_path) as edge:
        assert (await edge.ask(path, JSON)).status == 200
        await edge.kept()
        for _ in range(2):
            reply = await edge.ask(path, XML)
            assert [part.body for part in reply.parts] == [DOCUMENT]
            assert reply.get("cache-status") == BYPASS
        assert (await edge.ask(path, JSON)).get("cache-status") == HIT


async def test_a_row_that_cannot_be_said_cuts_what_has_begun_once(tmp_path: Path) -> None:
    pacs = Pacs(slices=2)
    path = f"{pacs.series}/metadata"
    odd = {**pacs.row(2), "00100010": {"vr": "PN", "Value": ["not an object"]}}

    def answer(seen: Seen) -> list[Step]:
        if "xml" in (seen.get("accept") or ""):
            return [Scripted(406)]
        return pacs.json(path, [pacs.row(1), odd])

    pacs.say[path] = answer
    async with keeping(pacs, folder=tmp_path) as edge:
        cut = await edge.ask(path, XML)
        again = await edge.ask(path, XML)

        assert (cut.status, cut.complete) == (200, False)
        assert again.status == 406


async def test_an_empty_list_is_no_envelope(tmp_path: Path) -> None:
    pacs = Pacs()
    path = f"{pacs.series}/metadata"
    pacs.say[path] = lambda seen: (
        [Scripted(404)] if "xml" in (seen.get("accept") or "") else pacs.json(path, [])
    )
    async with keeping(pacs, folder=tmp_path) as edge:
        assert (await edge.ask(path, XML)).status == 404
