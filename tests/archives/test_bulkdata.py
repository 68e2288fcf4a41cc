"""Bulkdata values through the router are the archive's bytes."""

from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.support.archives import Archives
from tests.support.doors import OCTETS, Door

pytestmark = pytest.mark.archives

OCTET_STREAM = ("application/octet-stream",)
# A private element, the pixels, a value in a sequence, the fragments of compressed pixels, not bulk at all.
VALUES = [
    ("CT_small.dcm", "00431028", True),
    ("CT_small.dcm", "7fe00010", True),
    ("examples_overlay.dcm", "00880200/1/00281201", True),
    ("SC_rgb_rle_2frame.dcm", "7fe00010", True),
    ("CT_small.dcm", "00080018", True),
    ("CT_small.dcm", "00999999", False),
]


@pytest.mark.parametrize(("name", "tail", "there_is"), VALUES)
def test_a_value_is_the_archives(
    door: Door, direct: Door, archives: Archives, name: str, tail: str, there_is: bool
) -> None:
    path = f"{archives.sample(name).resource}/bulk/{tail}"

    def from_door(at: Door) -> Any:
        return at.outcome(lambda client: client.retrieve_bulkdata(at.base + path, OCTET_STREAM))

    there = from_door(direct)
    assert isinstance(there, list) is there_is
    assert from_door(door) == there


def test_the_clients_default_wish_is_put_in_words_the_archive_understands(
    door: Door, direct: Door, archives: Archives
) -> None:
    path = f"{archives.sample('CT_small.dcm').resource}/bulk/7fe00010"

    def default(client: DICOMwebClient) -> Any:
        return client.retrieve_bulkdata(door.base + path)

    expected = 400 if door is direct else [part.body for part in direct.ask(path, OCTETS).parts]
    assert door.outcome(default) == expected


def test_dicomweb_client_streams_a_value(door: Door, archives: Archives) -> None:
    sample = archives.sample("CT_small.dcm")
    url = f"{door.base}{sample.resource}/bulk/7fe00010"
    [value] = door.client.iter_bulkdata(url, OCTET_STREAM)
    assert bytes(value) in sample.path.read_bytes()
    assert len(value) == 32768
