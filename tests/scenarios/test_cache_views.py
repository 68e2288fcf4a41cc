"""Instances in Explicit VR Little Endian out of those held in another form without a codec (dicomweb §4.4):
changed bytes, so an entity tag of their own, and never where another reading is possible."""

import io
import json
import zipfile
from pathlib import Path

import pydicom
import pytest

from edgerouter.dicom.describe import describe
from edgerouter.dicom.explicit_view import explicit_view, read_view
from edgerouter.dicom.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.viewing import Views
from tests.dicom.build import element, fragments, part10
from tests.scenarios.edge import DICOM, OCTETS
from tests.scenarios.pacs import AS_STORED, DERIVED, HIT, MISS, PARTIAL, VALIDATED, Pacs, keeping
from tests.scenarios.pictures import data_set, holding, native, shape
from tests.scenarios.retrieves import instances

FORMS = [IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, ENCAPSULATED_UNCOMPRESSED]
FILE = "/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2.3&objectUID=1.2.3.1&contentType=application/dicom"


def written(pacs: Pacs, number: int, syntax: str) -> bytes:
    """An instance with the frames of the archive, in that transfer syntax."""
    if syntax == ENCAPSULATED_UNCOMPRESSED:
        frames = [pacs.frame(number, frame) for frame in range(1, pacs.frames + 1)]
        return part10(data_set(number, shape(pacs.frames), fragments(*frames)), syntax)
    pixels = element(0x7FE00010, "OW", pacs.pixels(number))
    plain = data_set(number, shape(pacs.frames), pixels)
    if syntax == DEFLATED_LITTLE_ENDIAN:
        return part10(plain, syntax)
    found = pydicom.dcmread(io.BytesIO(part10(plain)))
    out = io.BytesIO()
    found.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    found.save_as(out)
    return out.getvalue()


def row_of(file: bytes, folder: Path) -> bytes:
    """The metadata of a file."""
    path = folder / "file.dcm"
    path.write_bytes(file)
    return describe(str(path)).metadata


def viewed(file: bytes, folder: Path) -> bytes:
    """The file in Explicit VR Little Endian."""
    path = folder / "file.dcm"
    path.write_bytes(file)
    view = explicit_view(str(path))
    assert view
    return b"".join(read_view(str(path), view))


@pytest.mark.parametrize("syntax", FORMS)
async def test_a_client_gets_what_web_clients_are_owed(tmp_path: Path, syntax: str) -> None:
    pacs = Pacs(slices=2)
    holding(pacs, written(pacs, 1, syntax), written(pacs, 2, syntax))
    path = pacs.instance(1)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM + AS_STORED)
        await edge.kept()
        series = await edge.ask(pacs.series, DICOM)
        alone = await edge.ask(path, "application/dicom")
        some = await edge.ask(path, "application/dicom", fields=[("Range", "bytes=300-1499")])
        head = await edge.ask(path, "application/dicom", method="HEAD")
        zipped = await edge.ask(path, "application/zip")
        legacy = await edge.ask(FILE)
        frame = await edge.ask(f"{path}/frames/2", OCTETS)
        stored = await edge.ask(path, f"application/dicom{AS_STORED}")

        files = [viewed(file, tmp_path) for file in pacs.files]
        assert [part.body for part in series.parts] == files
        part = series.parts[0].fields
        assert part["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}"
        assert alone.body == legacy.body == files[0]
        assert (some.status, some.body) == (206, files[0][300:1500])
        assert head.get("content-length") == str(len(files[0]))
        with zipfile.ZipFile(io.BytesIO(zipped.body)) as archive:
            assert [archive.read(name) for name in archive.namelist()] == [files[0]]
        assert frame.parts[0].body == pacs.frame(1, 2)
        assert stored.body == pacs.files[0]
        assert stored.get("cache-status") == HIT
        assert {reply.get("cache-status") for reply in (series, alone, zipped, legacy)} == {DERIVED}
        assert stored.get("etag") != alone.get("etag")
        assert pacs.asked == [pacs.series]

        read = pydicom.dcmread(io.BytesIO(alone.body))
        assert read.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE_ENDIAN
        assert (read.PatientName, bytes(read.PixelData)) == ("Doe^Jane", pacs.pixels(1))


async def test_where_another_reading_is_possible_the_archive_is_asked(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    doubtful = part10(data_set(1) + element(0x00091001, "UN", b"1234"), IMPLICIT_LITTLE_ENDIAN)
    holding(pacs, doubtful)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        holding(pacs, native(pacs, 1))
        reply = await edge.ask(pacs.instance(1), DICOM)

        assert (reply.parts[0].body, reply.get("cache-status")) == (native(pacs, 1), MISS)
        assert len(pacs.seen) == 2


async def test_another_transfer_syntax_is_for_the_archive_to_make(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    holding(pacs, written(pacs, 1, IMPLICIT_LITTLE_ENDIAN))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        reply = await edge.ask(pacs.instance(1), f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90")

        assert reply.get("cache-status") == MISS


async def test_what_is_missing_beside_views_is_fetched(tmp_path: Path) -> None:
    pacs = Pacs(slices=3, frames=4)
    holding(pacs, *(written(pacs, number, IMPLICIT_LITTLE_ENDIAN) for number in (1, 2)), native(pacs, 3))
    async with keeping(pacs, folder=tmp_path) as edge:
        for number in (1, 2):
            await edge.ask(pacs.instance(number), DICOM + AS_STORED)
        await edge.kept()
        reply = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in reply.parts] == [
            *(viewed(file, tmp_path) for file in pacs.files[:2]),
            pacs.files[2],
        ]
        assert reply.get("cache-status") in (PARTIAL, "edgerouter; fwd=miss; stored")
        assert pacs.asked[2:] == [f"{pacs.series}/instances", pacs.instance(3)]


@pytest.mark.parametrize("level", ["series", "instance"])
async def test_a_view_that_is_too_old_is_asked_about_and_no_pixel_crosses_the_line(
    tmp_path: Path, level: str
) -> None:
    """The archive is asked about the instance that is held, whatever it is written as."""
    pacs = Pacs(slices=2)
    holding(pacs, *(written(pacs, number, IMPLICIT_LITTLE_ENDIAN) for number in (1, 2)))
    rows = [json.loads(row_of(file, tmp_path)) for file in pacs.files]
    path = pacs.series if level == "series" else pacs.instance(1)
    for number, row in zip((1, 2), rows, strict=True):
        asked = f"{pacs.instance(number)}/metadata"
        pacs.say[asked] = lambda _, asked=asked, row=row: pacs.json(asked, [row])  # type: ignore[misc]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM + AS_STORED)
        await edge.kept()
        assert edge.cache is not None
        await edge.cache.catalog.date_headers([held.key for held in await instances(edge)], 1000.0)
        reply = await edge.ask(path, DICOM)

        assert reply.parts[0].body == viewed(pacs.files[0], tmp_path)
        assert reply.get("cache-status") == VALIDATED
        assert not {pacs.series, pacs.instance(1)} & set(pacs.asked[1:])
        assert f"{pacs.instance(1)}/metadata" in pacs.asked


@pytest.mark.parametrize("what", ["altered", "gone"])
async def test_a_view_of_what_is_damaged_is_a_miss_or_a_cut(tmp_path: Path, what: str) -> None:
    pacs = Pacs(slices=1)
    holding(pacs, written(pacs, 1, IMPLICIT_LITTLE_ENDIAN))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        first = await edge.ask(pacs.instance(1), DICOM)
        assert first.get("cache-status") == DERIVED
        for file in (tmp_path / "cache" / "units").rglob("*"):
            if file.is_file() and file.stat().st_size == len(pacs.files[0]):
                if what == "gone":
                    file.unlink()
                else:
                    file.write_bytes(bytes(len(pacs.files[0])))
        reply = await edge.ask(pacs.instance(1), DICOM)

        assert reply.parts[0].body == pacs.files[0]
        assert reply.get("cache-status") == MISS


def large(pacs: Pacs) -> bytes:
    """An instance whose file has more than one segment."""
    found = pydicom.dcmread(io.BytesIO(part10(data_set(1, element(0x7FE00010, "OW", pacs.pixels(1))))))
    found.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    out = io.BytesIO()
    found.save_as(out)
    return out.getvalue()


def altered(folder: Path, size: int) -> None:
    """Change the last bytes of the unit of that size."""
    [unit] = [file for file in (folder / "cache" / "units").rglob("*") if file.stat().st_size == size]
    with unit.open("r+b") as file:
        file.seek(-100, 2)
        file.write(bytes(100))


@pytest.mark.parametrize("known", [True, False])
async def test_damage_beyond_the_first_segment_is_a_cut_once_it_has_begun_and_a_miss_before(
    tmp_path: Path, known: bool
) -> None:
    pacs = Pacs(slices=1, frames=3, size=600_000)
    holding(pacs, large(pacs))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        if known:
            assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == DERIVED
        altered(tmp_path, len(pacs.files[0]))
        reply = await edge.ask(pacs.instance(1), DICOM)
        again = await edge.ask(pacs.instance(1), DICOM)

        assert reply.complete is not known
        assert again.complete
        found = pydicom.dcmread(io.BytesIO(again.parts[0].body))
        assert bytes(found.PixelData) == pacs.pixels(1)


async def test_a_file_that_ends_its_reader_has_no_view(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    holding(pacs, written(pacs, 1, IMPLICIT_LITTLE_ENDIAN))
    mortal = Describer("mortal")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM + AS_STORED)
        await edge.kept()
        assert edge.cache is not None
        assert await Views(edge.cache, mortal).of(await instances(edge)) is not None
        assert mortal._process is not None
        mortal._process.kill()
        mortal._process.wait()
        assert await Views(edge.cache, mortal).of(await instances(edge)) is None
    await mortal.aclose()
