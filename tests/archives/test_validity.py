"""A patient is renamed in a real archive, and a real archive is stopped: what is held of it is renewed, or is
read on with a label."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from tests.scenarios.edge import DICOM, JSON, OCTETS
from tests.scenarios.edge import Edge as Inside
from tests.scenarios.edge import edge_over as router_over
from tests.scenarios.patients import Clock, clock, name_in, name_of
from tests.support.archives import edge_over
from tests.support.orthanc import Orthanc
from tests.support.relay import Relay
from tests.support.samples import SeriesSpec, write_series

__all__ = ["clock"]

pytestmark = pytest.mark.archives
AS_STORED = f"{DICOM}; transfer-syntax=*"
SPEC = SeriesSpec("renamed", "EDGE-0007", "Phantom^Before", slices=12, size=64)
SERIES = f"/studies/{SPEC.study}/series/{SPEC.series}"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    """An archive that takes the place of what it has when it is sent again."""
    with Orthanc("renaming", tmp_path / "orthanc", OverwriteInstances=True) as orthanc:
        orthanc.load(sample.path for sample in write_series(tmp_path / "series", SPEC))
        yield orthanc


def rename(archive: Orthanc, folder: Path) -> None:
    """The same instances under another patient's name, as an archive's merge would have them."""
    folder.mkdir()
    for number in range(1, SPEC.slices + 1):
        data_set = pydicom.dcmread(BytesIO(archive.raw(SPEC.instance(number))))
        data_set.PatientName = "Phantom^After"
        data_set.save_as(folder / f"{number}.dcm")
    assert not archive.load(folder.iterdir())


@asynccontextmanager
async def router(relay: Relay, folder: Path) -> AsyncIterator[Inside]:
    """A router in this process, whose clock a test can put forward."""
    settings = {"url": f"{relay.url}/dicom-web", "profile": "orthanc", "wado_uri_url": None}
    async with router_over(relay.url, settings=settings, cache=folder / "cache") as edge:
        yield edge


async def test_a_renamed_patient_is_shown_when_validity_ends_and_frames_cost_nothing(
    archive: Orthanc, tmp_path: Path, clock: Clock
) -> None:
    frames = [f"{SERIES}/instances/{SPEC.instance(n)}/frames/1" for n in range(1, SPEC.slices + 1)]
    with Relay(archive.url) as relay:
        async with router(relay, tmp_path) as edge:
            before = await edge.ask(SERIES, AS_STORED)
            await edge.ask(f"{SERIES}/metadata", JSON)
            await edge.kept()
            assert {name_in(part.body) for part in before.parts} == {"Phantom^Before"}
            cold = [(await edge.ask(frame, OCTETS)).parts[0].body for frame in frames]
            rename(archive, tmp_path / "renamed")
            clock.forward(hours=25)
            described = await edge.ask(f"{SERIES}/metadata", JSON)
            await edge.kept()
            mark = relay.mark()
            warm = [(await edge.ask(frame, OCTETS)).parts[0].body for frame in frames]

            assert {name_of(row) for row in described.json} == {"Phantom^After"}
            assert warm == cold
            assert relay.since(mark) == []
            after = await edge.ask(SERIES, AS_STORED)
            assert {name_in(part.body) for part in after.parts} == {"Phantom^After"}


async def test_what_did_not_change_is_compared_by_its_metadata_and_not_fetched(
    archive: Orthanc, tmp_path: Path, clock: Clock
) -> None:
    with Relay(archive.url) as relay:
        async with router(relay, tmp_path) as edge:
            before = await edge.ask(SERIES, AS_STORED)
            await edge.kept()
            clock.forward(hours=25)
            mark = relay.mark()
            after = await edge.ask(SERIES, AS_STORED)

            assert [part.body for part in after.parts] == [part.body for part in before.parts]
            asked = [exchange.path.partition("?")[0].rpartition("/")[2] for exchange in relay.since(mark)]
            assert asked == ["instances", "metadata"]


def test_held_studies_are_read_on_while_the_archive_is_stopped(archive: Orthanc, short_path: Path) -> None:
    """By dicomweb-client, over the whole program; what is not held fails within the limit for connecting."""
    with edge_over(
        short_path, {"a": archive}, settings={"timeouts": {"connect": "2s"}}, cache="1 GB"
    ) as edge:
        client = DICOMwebClient(edge.dicomweb)
        held = client.retrieve_series(SPEC.study, SPEC.series, media_types=(("application/dicom", "*"),))
        rows = client.retrieve_series_metadata(SPEC.study, SPEC.series)
        archive.stop()
        again = client.retrieve_series(SPEC.study, SPEC.series, media_types=(("application/dicom", "*"),))

        assert [one.SOPInstanceUID for one in again] == [one.SOPInstanceUID for one in held]
        assert client.retrieve_series_metadata(SPEC.study, SPEC.series) == rows
        frame = client.retrieve_instance_frames(SPEC.study, SPEC.series, SPEC.instance(3), [1])
        assert frame == [held[[one.SOPInstanceUID for one in held].index(SPEC.instance(3))].PixelData]
        with pytest.raises(OSError, match=r"50[24]"):
            client.retrieve_study_metadata("1.2.3.4")
