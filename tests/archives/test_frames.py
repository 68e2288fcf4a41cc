"""Frames through the router are the archive's bytes, whichever way a client spells its wish."""

from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.support.archives import Archives
from tests.support.doors import OCTETS, OCTETS_AS_STORED, Door
from tests.support.samples import CHEST, Sample

pytestmark = pytest.mark.archives

DECODED = ("application/octet-stream",)
AS_STORED = (("application/octet-stream", "*"),)
# file, frames, and whether this archive gives it as stored and decoded (Orthanc 1.10.1, plugin 1.7)
CASES = [
    ("CT_small.dcm", [1], True, True),
    ("JPGExtended.dcm", [1], True, True),
    ("SC_rgb_rle_2frame.dcm", [1], True, True),
    ("SC_rgb_rle_2frame.dcm", [2, 1], True, True),
    ("examples_ybr_color.dcm", [30, 2, 17], True, True),
    ("rtdose.dcm", [15, 1], True, True),
    ("examples_palette.dcm", [1], True, True),
    ("693_J2KI.dcm", [1], True, False),
    ("image_dfl.dcm", [1], False, True),
    ("ExplVR_BigEnd.dcm", [1], False, True),
    ("reportsi.dcm", [1], False, False),
    ("CT_small.dcm", [2], False, False),
    ("SC_rgb_rle_2frame.dcm", [1, 3], False, False),
]
IDS = [f"{name} {','.join(map(str, numbers))}" for name, numbers, _, _ in CASES]


def frames_of(sample: Sample, numbers: list[int], media_types: Any) -> Any:
    def call(client: DICOMwebClient) -> Any:
        return client.retrieve_instance_frames(
            sample.study, sample.series, sample.instance, numbers, media_types=media_types
        )

    return call


@pytest.mark.parametrize(("name", "numbers", "stored", "decoded"), CASES, ids=IDS)
def test_frames_are_the_archives(
    door: Door, direct: Door, archives: Archives, name: str, numbers: list[int], stored: bool, decoded: bool
) -> None:
    """Who takes any transfer syntax may get Explicit VR Little Endian from a router that has just that
    (PS3.18 §8.7.3), also of what the archive refuses to send as it is stored."""
    sample = archives.sample(name)
    plain = direct.outcome(frames_of(sample, numbers, DECODED))
    for media_types, given in ((AS_STORED, stored), (DECODED, decoded)):
        call = frames_of(sample, numbers, media_types)
        there = direct.outcome(call)
        assert isinstance(there, list) is given
        here = door.outcome(call)
        assert here == there or (door.keeps and decoded and here == plain)


def test_the_clients_default_wish_is_put_in_words_the_archive_understands(
    door: Door, direct: Door, archives: Archives
) -> None:
    """Its `type="*/*"` is refused by the archive; the router asks for octets in its place."""
    sample = archives.sample("examples_ybr_color.dcm")
    default = frames_of(sample, [1, 30], None)
    if door is direct:
        assert door.outcome(default) == 400
    else:
        as_stored = direct.outcome(frames_of(sample, [1, 30], AS_STORED))
        decoded = direct.outcome(frames_of(sample, [1, 30], DECODED))
        assert door.outcome(default) in (as_stored, decoded)


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        'multipart/related;type="application/octet-stream";transfer-syntax=*',
    ],
)
def test_every_viewers_spelling_gives_the_stored_frame(
    door: Door, direct: Door, archives: Archives, accept: str
) -> None:
    path = f"{archives.sample('JPGExtended.dcm').resource}/frames/1"
    [here], [there] = door.ask(path, accept).parts, direct.ask(path, OCTETS_AS_STORED).parts
    assert here.body == there.body
    assert here.fields["content-type"] == "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.51"


def test_a_list_separated_by_encoded_commas_is_a_list(door: Door, archives: Archives) -> None:
    sample = archives.sample("examples_ybr_color.dcm")
    plain, encoded = (
        door.ask(f"{sample.resource}/frames/{spelling}", OCTETS).parts for spelling in ("3,4", "3%2C4")
    )
    assert [part.body for part in plain] == [part.body for part in encoded]
    assert len(plain) == 2


def test_a_parts_content_location_names_the_door_and_works(door: Door, archives: Archives) -> None:
    sample = archives.sample("SC_rgb_rle_2frame.dcm")
    [part] = door.ask(f"{sample.resource}/frames/2", OCTETS_AS_STORED).parts
    location = part.fields["content-location"]
    assert location == f"{door.base}{sample.resource}/frames/2"
    assert door.ask(location, OCTETS_AS_STORED).parts[0].body == part.body


def test_pixels_are_never_gzipped_by_the_router(edge_a: Any, archives: Archives) -> None:
    sample = archives.sample("CT_small.dcm")
    with Door(edge_a.dicomweb, "") as door:
        path = f"{sample.resource}/frames/1"
        reply = door.ask(path, OCTETS_AS_STORED, fields={"Accept-Encoding": "gzip"})
    assert reply.get("content-encoding") is None
    assert len(reply.parts[0].body) == 32768


def test_the_frames_of_a_series_one_by_one(door: Door, archives: Archives) -> None:
    for sample in archives.chest[::20]:
        [part] = door.ask(f"{sample.resource}/frames/1", OCTETS_AS_STORED).parts
        assert part.body == sample.path.read_bytes()[-2 * CHEST.size**2 :]


@pytest.mark.parametrize("frames", ["0", "-1", "1,,2", "a"])
def test_what_is_no_frame_number_is_a_bad_request(door: Door, archives: Archives, frames: str) -> None:
    path = f"{archives.sample('CT_small.dcm').resource}/frames/{frames}"
    assert door.ask(path, OCTETS).status == 400
