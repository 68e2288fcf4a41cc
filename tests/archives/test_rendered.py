"""Rendered images and WADO-URI objects come through the router as the archive made them."""

from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.support.archives import Archives
from tests.support.doors import Door
from tests.support.samples import Sample

pytestmark = pytest.mark.archives

# file, what is asked, and whether this archive renders it
WISHES: list[tuple[str, dict[str, Any], bool]] = [
    ("CT_small.dcm", {}, True),
    ("CT_small.dcm", {"media_types": ("image/jpeg",)}, True),
    ("CT_small.dcm", {"media_types": ("image/png",)}, True),
    ("CT_small.dcm", {"media_types": ("image/jpeg",), "params": {"quality": 50}}, True),
    ("image_dfl.dcm", {"media_types": ("image/jpeg",)}, True),
    ("ExplVR_BigEnd.dcm", {"media_types": ("image/png",)}, True),
    ("693_J2KI.dcm", {"media_types": ("image/jpeg",)}, False),
    ("reportsi.dcm", {"media_types": ("image/jpeg",)}, False),
]
FRAMES = [("examples_ybr_color.dcm", 30, True), ("CT_small.dcm", 1, True), ("CT_small.dcm", 2, False)]


@pytest.mark.parametrize(("name", "wish", "rendered"), WISHES)
def test_an_instance_is_rendered_as_by_the_archive(
    door: Door, direct: Door, archives: Archives, name: str, wish: dict[str, Any], rendered: bool
) -> None:
    sample = archives.sample(name)

    def call(client: DICOMwebClient) -> Any:
        return client.retrieve_instance_rendered(sample.study, sample.series, sample.instance, **wish)

    there = direct.outcome(call)
    assert isinstance(there, bytes) is rendered
    assert door.outcome(call) == there


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
@pytest.mark.parametrize(("name", "frame", "rendered"), FRAMES)
def test_a_frame_is_rendered_as_by_the_archive(
    door: Door, direct: Door, archives: Archives, name: str, frame: int, rendered: bool, media_type: str
) -> None:
    sample = archives.sample(name)

    def call(client: DICOMwebClient) -> Any:
        names = (sample.study, sample.series, sample.instance)
        return client.retrieve_instance_frames_rendered(*names, [frame], media_types=(media_type,))

    there = direct.outcome(call)
    assert isinstance(there, bytes) is rendered
    assert door.outcome(call) == there


def test_a_series_is_rendered_as_by_the_archive(door: Door, direct: Door, archives: Archives) -> None:
    sample = archives.sample("CT_small.dcm")

    def call(client: DICOMwebClient) -> Any:
        return client.retrieve_series_rendered(sample.study, sample.series, media_types=("image/png",))

    there = direct.outcome(call)
    assert there.startswith(b"\x89PNG")
    assert door.outcome(call) == there


@pytest.mark.parametrize("wish", ["viewport=64,64", "window=40,400,linear"])
def test_a_list_of_numbers_reaches_the_archive(
    door: Door, direct: Door, archives: Archives, wish: str
) -> None:
    path = f"{archives.sample('CT_small.dcm').resource}/rendered?"
    plain = direct.ask(path + wish, "image/jpeg")
    assert plain.status == 200
    assert door.ask(path + wish, "image/jpeg").body == plain.body


def test_wado_uri_gives_what_the_archive_gives(door: Door, direct: Door, archives: Archives) -> None:
    for name in ("CT_small.dcm", "JPGExtended.dcm"):
        sample = archives.sample(name)
        reply = door.ask(f"{door.wado_uri}?{_object(sample)}&contentType=application/dicom")
        assert (reply.status, reply.get("content-type")) == (200, "application/dicom")
        assert reply.body == sample.path.read_bytes()
        image = f"?{_object(sample)}&contentType=image/png"
        assert door.ask(door.wado_uri + image).body == direct.ask(direct.wado_uri + image).body


def test_wado_uri_of_what_is_not_there_is_not_found(door: Door) -> None:
    assert door.ask(f"{door.wado_uri}?requestType=WADO&studyUID=1&seriesUID=2&objectUID=3").status == 404


def _object(sample: Sample) -> str:
    names = f"studyUID={sample.study}&seriesUID={sample.series}&objectUID={sample.instance}"
    return f"requestType=WADO&{names}"
