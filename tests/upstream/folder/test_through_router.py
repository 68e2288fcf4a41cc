"""dicomweb-client through a real router over a folder: it gets what the files hold, under our links."""

import json
from collections.abc import Iterator

import pydicom
import pytest
import requests

from tests.dicom.build import oracle
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, OCTETS, OCTETS_AS_STORED, Door
from tests.support.router import Router
from tests.support.samples import Sample, SeriesSpec, wheel_samples, write_series
from tests.upstream.folder.embedded import dicom, picture, upload

CHEST = SeriesSpec("chest", "EDGE-0001", "Phantom^Chest", slices=12, size=64)
NAMES = ("CT_small.dcm", "MR_small.dcm", "J2K_pixelrep_mismatch.dcm", "SC_rgb_rle_2frame.dcm", "test-SR.dcm")


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample for sample in wheel_samples() if sample.path.name in NAMES]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("usb-stick")
    write_series(folder / "chest", CHEST)
    for sample in samples:
        (folder / sample.path.name).write_bytes(sample.path.read_bytes())
    with (
        Router(tmp_path_factory.mktemp("edge"), {"usb-stick": {"folder": str(folder)}}) as router,
        Door(router.dicomweb, f"{router.dicomweb}/wado") as door,
    ):
        yield door


def test_every_level_is_searched_with_and_without_keys(door: Door, samples: list[Sample]) -> None:
    studies = {sample.study for sample in samples} | {CHEST.study}
    found = door.client.search_for_studies()
    assert {row["0020000D"]["Value"][0] for row in found} == studies
    assert {row["00081190"]["Value"][0] for row in found} == {f"{door.base}/studies/{uid}" for uid in studies}

    [chest] = door.client.search_for_studies(search_filters={"PatientName": "phantom*"})
    assert chest["00201208"]["Value"] == [12]
    [series] = door.client.search_for_series(CHEST.study)
    assert series["0020000E"]["Value"] == [CHEST.series]
    assert len(door.client.search_for_instances(CHEST.study)) == 12
    assert len(door.client.search_for_instances(CHEST.study, CHEST.series, limit=5, offset=10)) == 2
    assert door.client.search_for_series(search_filters={"Modality": "SR"})
    assert door.client.search_for_instances(search_filters={"SOPInstanceUID": CHEST.instance(3)})
    assert door.client.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def test_instances_series_and_studies_are_the_files(door: Door, samples: list[Sample]) -> None:
    for sample in samples:
        uids = (sample.study, sample.series, sample.instance)
        found = door.client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
        assert found.SOPInstanceUID == sample.instance
        assert found.file_meta.TransferSyntaxUID == sample.syntax
        [part] = door.ask(sample.resource, DICOM_AS_STORED).parts
        assert part.body == sample.path.read_bytes()
    series = door.client.retrieve_series(CHEST.study, CHEST.series)
    assert [int(image.InstanceNumber) for image in series] == list(range(1, 13))
    assert len(door.client.retrieve_study(CHEST.study)) == 12


def test_metadata_and_its_bulk_data_lead_back_to_the_router(door: Door, samples: list[Sample]) -> None:
    for sample in samples:
        uids = (sample.study, sample.series, sample.instance)
        metadata = door.client.retrieve_instance_metadata(*uids)
        data_set = pydicom.Dataset.from_json(metadata, bulk_data_uri_handler=lambda _: b"")
        assert data_set.PatientName == oracle(sample.path).PatientName
        links = [one["BulkDataURI"] for one in metadata.values() if "BulkDataURI" in one]
        # The archive's own, or those of metadata that the router made of the instance it holds.
        ours = tuple(f"{door.base}{sample.resource}/{word}/" for word in ("bulkdata", "dataset"))
        assert all(link.startswith(ours) for link in links)
        for link in links:
            reply = door.ask(link, f"{OCTETS_AS_STORED}, application/octet-stream;q=0.5")
            assert reply.status == 200, (sample.path.name, link, reply.body)
    assert len(door.client.retrieve_series_metadata(CHEST.study, CHEST.series)) == 12
    [value] = door.client.retrieve_bulkdata(
        f"{door.base}/studies/{CHEST.study}/series/{CHEST.series}/instances/{CHEST.instance(1)}/bulkdata/7FE00010"
    )
    assert len(value) == 2 * CHEST.size**2


def test_frames_are_those_of_the_files(door: Door, samples: list[Sample]) -> None:
    for sample in samples:
        if not sample.frames:
            continue
        uids = (sample.study, sample.series, sample.instance)
        numbers = list(range(sample.frames, 0, -1))
        given = door.client.retrieve_instance_frames(
            *uids, numbers, media_types=(("application/octet-stream", "*"),)
        )
        one_by_one = [
            door.ask(f"{sample.resource}/frames/{number}", OCTETS_AS_STORED).parts[0].body
            for number in numbers
        ]
        assert given == one_by_one
        assert all(frame and frame in sample.path.read_bytes() for frame in given)
    plain = next(sample for sample in samples if sample.path.name == "CT_small.dcm")
    assert door.ask(f"{plain.resource}/frames/1", OCTETS).parts[0].body == oracle(plain.path).PixelData


def test_what_is_stored_through_the_router_is_found_and_served(door: Door) -> None:
    image = pydicom.dcmread(
        pydicom.filebase.DicomBytesIO(dicom("1.7", "1.7.1", "1.7.1.1", **picture(b"7777")))
    )
    answer = door.client.store_instances([image])
    [item] = answer.ReferencedSOPSequence
    assert item.RetrieveURL == f"{door.base}/studies/1.7/series/1.7.1/instances/1.7.1.1"
    assert answer.RetrieveURL == f"{door.base}/studies/1.7"
    assert door.client.retrieve_instance("1.7", "1.7.1", "1.7.1.1").PixelData == b"7777"

    other = upload(dicom("1.7", "1.7.1", "1.7.1.1", **picture(b"8888")))
    refused = door.ask(
        "/studies",
        DICOM_JSON,
        method="POST",
        body=other,
        fields={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    assert refused.status == 409
    assert json.loads(refused.body)["00081198"]["Value"][0]["00081197"]["Value"] == [0x0111]


def test_what_it_has_not_or_cannot_is_said_plainly(door: Door, samples: list[Sample]) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        door.client.retrieve_study("1.2.3.4.5.6.7")
    compressed = next(sample for sample in samples if sample.path.name == "J2K_pixelrep_mismatch.dcm")
    assert door.ask(f"{compressed.resource}/frames/1", OCTETS).status == 406
    assert door.ask(f"{compressed.resource}/rendered", "image/jpeg").status == 501


def test_the_uri_service_is_answered_too(door: Door, samples: list[Sample]) -> None:
    sample = samples[0]
    query = f"studyUID={sample.study}&seriesUID={sample.series}&objectUID={sample.instance}"
    url = f"{door.wado_uri}?requestType=WADO&{query}&contentType=application%2Fdicom&transferSyntax=*"
    assert door.ask(url, "*/*").body == sample.path.read_bytes()
