"""All bulk data of an instance out of its file (dicomweb §4.4), where the URIs of its values are ours."""

from pathlib import Path

import pytest

from tests.dicom.build import element, part10
from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC
from tests.scenarios.pacs import BYPASS, DERIVED, EXPLICIT, HIT, Pacs, keeping
from tests.scenarios.pictures import (
    codestream,
    compressed,
    data_set,
    holding,
    native,
    pictured,
    report,
    shape,
)

DERIVES = {"derive_metadata": "yes"}
FETCHED = "edgerouter; fwd=miss; stored; detail=derived"
ICON, CURVE = bytes(range(200)), bytes(range(100, 200))
ANY = f"{OCTETS}; transfer-syntax=*"


def several(pacs: Pacs, pixels: bytes) -> Pacs:
    """An archive of one instance with an icon in a sequence, a value of its own, and these pixels."""
    icon = element(0x00282000, "OB", ICON)
    item = element(0xFFFEE000, "", icon, length=len(icon))
    more = element(0x00480105, "SQ", item) + element(0x50003000, "OW", CURVE)
    return holding(pacs, part10(data_set(1, shape(pacs.frames), more, pixels), EXPLICIT))


def path_of(pacs: Pacs) -> str:
    return f"{pacs.instance(1)}/bulkdata"


def theirs(pacs: Pacs) -> Pacs:
    """The same, with an answer of its own."""
    say = pacs.body(path_of(pacs), b"theirs", [("Content-Type", "application/octet-stream")])
    pacs.say[path_of(pacs)] = lambda _: say
    return pacs


async def test_every_value_that_the_metadata_refer_to_is_a_part_under_its_uri(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    several(pacs, element(0x7FE00010, "OW", pacs.pixels(1)))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(path_of(pacs), OCTETS)
        head = await edge.ask(path_of(pacs), OCTETS, method="HEAD")
        same = await edge.ask(path_of(pacs), OCTETS, fields=[("If-None-Match", reply.get("etag") or "")])
        row = (await edge.ask(f"{pacs.instance(1)}/metadata", JSON)).json[0]

        assert [part.body for part in reply.parts] == [ICON, CURVE, pacs.pixels(1)]
        assert [part.fields["content-location"] for part in reply.parts] == [
            row["00480105"]["Value"][0]["00282000"]["BulkDataURI"],
            row["50003000"]["BulkDataURI"],
            row["7FE00010"]["BulkDataURI"],
        ]
        assert (reply.get("cache-status"), same.status) == (DERIVED, 304)
        assert head.get("content-length") == str(len(reply.body))
        assert pacs.asked == [pacs.series]


async def test_of_an_instance_that_is_not_held_it_brings_that(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        cold = await edge.ask(path_of(pacs), OCTETS)
        warm = await edge.ask(path_of(pacs), OCTETS)

        assert [part.body for part in cold.parts] == [pacs.pixels(1)]
        assert (cold.body, cold.get("cache-status")) == (warm.body, FETCHED)
        assert warm.get("cache-status") == DERIVED
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.instance(1)]


async def test_compressed_pixels_are_a_part_for_each_frame(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=3)
    holding(pacs, compressed(pacs, 1))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        reply = await edge.ask(path_of(pacs), ANY)

        assert [part.body for part in reply.parts] == [codestream(pacs, 1, number) for number in (1, 2, 3)]
        assert reply.parts[0].fields["content-location"] == f"{PUBLIC}{pacs.instance(1)}/frames/1"
        assert pacs.asked == [pacs.instance(1)]


@pytest.mark.parametrize("derives", ["yes", "no"])
async def test_where_the_uris_are_the_archives_own_it_is_asked(tmp_path: Path, derives: str) -> None:
    pacs = theirs(pictured(Pacs(slices=1)))
    async with keeping(pacs, folder=tmp_path, settings={"derive_metadata": derives}) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)  # from the archive: nothing is held yet
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(path_of(pacs), OCTETS)

        assert (reply.parts[0].body if reply.parts else reply.body, reply.get("cache-status")) == (
            b"theirs",
            BYPASS,
        )
        assert pacs.asked[-1] == path_of(pacs)


@pytest.mark.parametrize("what", ["no value", "not as wished", "of two media types"])
async def test_what_cannot_be_had_so_is_for_the_archive_to_say(tmp_path: Path, what: str) -> None:
    pacs = Pacs(slices=1)
    accept = OCTETS
    if what == "no value":
        holding(pacs, report(1))
    elif what == "not as wished":
        holding(pacs, compressed(pacs, 1))
    else:
        curve = element(0x50003000, "OW", CURVE)
        file = compressed(pacs, 1)
        at = file.index(b"\xe0\x7f\x10\x00")
        holding(pacs, file[:at] + curve + file[at:])
        accept = f"{ANY}, multipart/related; type=image/jp2; transfer-syntax=*"
    theirs(pacs)
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.instance(1), f"{DICOM}; transfer-syntax=*")
        await edge.kept()
        reply = await edge.ask(path_of(pacs), accept)

        assert b"theirs" in reply.body
        assert pacs.asked[-1] == path_of(pacs)


async def test_a_query_or_more_than_an_instance_is_for_the_archive(tmp_path: Path) -> None:
    pacs = holding(Pacs(slices=1), native(Pacs(slices=1), 1))
    async with keeping(pacs, folder=tmp_path, settings=DERIVES) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for path in (f"{path_of(pacs)}?x=y", f"{pacs.series}/bulkdata", f"{pacs.study}/bulkdata"):
            assert (await edge.ask(path, OCTETS)).status == 404
            assert pacs.asked[-1] == path.partition("?")[0]
