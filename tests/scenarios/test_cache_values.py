"""Bulk data values and documents out of the instance that they stand in (dicomweb §4.4): ranges of its file,
under URIs of ours."""

from pathlib import Path

import pytest

from tests.dicom.build import element, part10
from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC
from tests.scenarios.pacs import BYPASS, DERIVED, EXPLICIT, HIT, MISS, Pacs, keeping
from tests.scenarios.pictures import codestream, compressed, data_set, document, holding, pictured, refusing

DERIVES = {"derive_metadata": "yes"}
FETCHED = "edgerouter; fwd=miss; stored; detail=derived"


async def test_the_values_it_refers_to_are_the_instances(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        row = (await edge.ask(f"{pacs.series}/metadata", JSON)).json[0]
        path = row["7FE00010"]["BulkDataURI"].removeprefix(PUBLIC)
        alone = await edge.ask(path, "application/octet-stream")
        packed = await edge.ask(path, OCTETS)
        some = await edge.ask(path, "application/octet-stream", fields=[("Range", "bytes=990-1009")])
        beyond = await edge.ask(path, "application/octet-stream", fields=[("Range", "bytes=4000-")])
        head = await edge.ask(path, "application/octet-stream", method="HEAD")
        same = await edge.ask(path, fields=[("If-None-Match", alone.get("etag") or "")])

        assert alone.body == pacs.pixels(1)
        assert (alone.get("cache-status"), alone.get("accept-ranges")) == (DERIVED, "bytes")
        [part] = packed.parts
        assert (part.body, part.fields["content-location"]) == (pacs.pixels(1), f"{PUBLIC}{path}")
        assert (some.status, some.body) == (206, pacs.pixels(1)[990:1010])
        assert beyond.status == 416
        assert (head.get("content-length"), head.get("etag")) == ("4000", alone.get("etag"))
        assert same.status == 304
        assert pacs.asked == [pacs.series]


async def test_a_value_of_an_instance_that_is_not_held_brings_it(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.instance(1)}/dataset/7FE00010"
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, "application/octet-stream", fields=[("Range", "bytes=0-9")])
        warm = await edge.ask(path, "application/octet-stream")

        assert (cold.status, cold.body, cold.get("cache-status")) == (206, pacs.pixels(1)[:10], FETCHED)
        assert (warm.body, warm.get("cache-status")) == (pacs.pixels(1), DERIVED)
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.instance(1)]


@pytest.mark.parametrize("where", ["00100010", "00880200/1/7FE00010", "7FE00010/x", "bulk"])
async def test_what_is_no_value_of_the_instance_is_for_the_archive_to_say(tmp_path: Path, where: str) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.instance(1)}/dataset/{where}"
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, "application/octet-stream")

        assert reply.status == 404
        assert pacs.asked[-1] == path


async def test_a_value_in_a_sequence_is_found(tmp_path: Path) -> None:
    icon = bytes(range(200))
    inner = element(0x00282000, "OB", icon)
    item = element(0xFFFEE000, "", inner, length=len(inner))
    pacs = holding(Pacs(slices=1), part10(data_set(1, element(0x00480105, "SQ", item))))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        row = (await edge.ask(f"{pacs.series}/metadata", JSON)).json[0]
        link = row["00480105"]["Value"][0]["00282000"]["BulkDataURI"]
        reply = await edge.ask(link.removeprefix(PUBLIC), "application/octet-stream")

        assert link == f"{PUBLIC}{pacs.instance(1)}/dataset/00480105/1/00282000"
        assert (reply.body, reply.get("cache-status")) == (icon, DERIVED)


@pytest.mark.parametrize("status", [406, 404])
async def test_an_instance_that_is_refused_may_still_have_the_value(tmp_path: Path, status: int) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.instance(1)}/dataset/7FE00010"
    refusing(pacs, pacs.instance(1), status)
    pacs.say[path] = lambda _: pacs.body(path, b"theirs", [("Content-Type", "application/octet-stream")])
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, "application/octet-stream")

        if status == 404:
            reply.problem(404)
        else:
            assert (reply.body, reply.get("cache-status")) == (b"theirs", BYPASS)


@pytest.mark.parametrize(
    "accept",
    [
        f"{OCTETS}; transfer-syntax=*",
        f"{OCTETS}; transfer-syntax=*, application/octet-stream;q=0.5",
        f"application/octet-stream; transfer-syntax=*, {OCTETS}; transfer-syntax=*",
    ],
)
async def test_compressed_pixels_are_their_frames(tmp_path: Path, accept: str) -> None:
    pacs = Pacs(slices=1, frames=3)
    holding(pacs, compressed(pacs, 1))
    path = f"{pacs.instance(1)}/dataset/7FE00010"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), f"{DICOM}; transfer-syntax=*")
        await edge.kept()
        reply = await edge.ask(path, accept)

        assert [part.body for part in reply.parts] == [codestream(pacs, 1, number) for number in (1, 2, 3)]
        assert reply.parts[2].fields["content-location"] == f"{PUBLIC}{pacs.instance(1)}/frames/3"
        assert reply.get("cache-status") == DERIVED


async def test_a_document_leaves_under_its_own_name_and_length(tmp_path: Path) -> None:
    content = b"%PDF-1.7\n" + b"text " * 100 + b"%%EOF\n"
    assert len(content) % 2, "so that it has a byte of padding in the file"
    pacs = holding(Pacs(slices=1), document(content))
    path = f"{pacs.instance(1)}/dataset/00420011"
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        row = (await edge.ask(f"{pacs.series}/metadata", JSON)).json[0]
        named = await edge.ask(path, "application/pdf")
        octets = await edge.ask(path, "application/octet-stream")
        picture = f"{pacs.instance(1)}/rendered"
        rendered = await edge.ask(picture, "application/pdf")
        some = await edge.ask(picture, "application/pdf", fields=[("Range", "bytes=-6")])

        assert row["00420011"]["BulkDataURI"] == f"{PUBLIC}{path}"
        assert (named.body, named.get("content-type")) == (content, "application/pdf")
        assert (octets.body, octets.get("content-type")) == (
            content + b"\0",
            f"application/octet-stream; transfer-syntax={EXPLICIT}",
        )
        assert (rendered.body, rendered.get("content-type")) == (content, "application/pdf")
        assert rendered.get("cache-status") == DERIVED
        assert (some.status, some.body) == (206, b"%%EOF\n")
        assert pacs.asked == [pacs.series]


@pytest.mark.parametrize(
    ("media", "query", "accept"),
    [
        ("application/pdf", "?quality=50", "application/pdf"),
        ("application/pdf", "", "image/jpeg"),
        ("text/xml", "", "application/pdf"),
    ],
)
async def test_another_rendering_is_for_the_archive_to_make(
    tmp_path: Path, media: str, query: str, accept: str
) -> None:
    pacs = holding(Pacs(slices=1), document(b"<a/>", media))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(f"{pacs.instance(1)}/rendered{query}", accept)

        assert reply.get("cache-status") == MISS
        assert pacs.asked[-1] == f"{pacs.instance(1)}/rendered"
