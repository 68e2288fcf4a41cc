"""Frames and pixel data from a folder: which wishes compressed, plain and moving pixels fulfil."""

from pathlib import Path

import pytest

from edgerouter.dicom.syntaxes import ENCAPSULATED_UNCOMPRESSED
from edgerouter.upstream.folder.archive import FolderArchive
from tests.dicom.build import element, fragments, identity, image, part10
from tests.support.doors import OCTETS, OCTETS_AS_STORED
from tests.upstream.folder.embedded import ask, dicom, embedded, numbered, picture

INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"
BASE = "http://usb-stick.folder.invalid"
JPEG, J2K, MPEG4 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.102"
PLAIN = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
ONE, TWO = b"\xff\x4f\xff\x51one.", b"\xff\x4f\xff\x51two."


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive("usb-stick", tmp_path, interval=3600)


def compressed(*frames: bytes, syntax: str = J2K) -> bytes:
    return part10(identity() + image(frames=len(frames)) + fragments(*frames), syntax)


async def test_frames_leave_in_the_order_asked_for(tmp_path: Path, archive: FolderArchive) -> None:
    (tmp_path / "a").write_bytes(dicom(**picture(b"1111", b"2222", b"3333")))
    async with archive:
        reply = await ask(archive, f"{INSTANCE}/frames/3,1,3", "", OCTETS)

    assert [part.body for part in reply.parts] == [b"3333", b"1111", b"3333"]
    assert reply.parts[0].fields == {
        "content-type": PLAIN,
        "content-length": "4",
        "content-location": f"{BASE}{INSTANCE}/frames/3",
    }


PLAIN_WISHES = [
    ("*/*", 200),
    (OCTETS, 200),
    (OCTETS_AS_STORED, 200),
    ("application/octet-stream", 200),
    (f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1", 200),
    ('multipart/related; type="image/jp2"', 406),
    ("image/png", 406),
]
COMPRESSED_WISHES = [
    ("*/*", 406),
    (OCTETS, 406),
    (OCTETS_AS_STORED, 200),
    ("application/octet-stream; transfer-syntax=*", 200),
    (f"{OCTETS}; transfer-syntax={J2K}", 200),
    ('multipart/related; type="image/jp2"', 200),
    ("image/jp2", 200),
    (f'multipart/related; type="image/jp2"; transfer-syntax={J2K}', 200),
    ('multipart/related; type="image/jpeg"', 406),
]
LOSSY_WISHES = [
    (OCTETS, 406),
    (OCTETS_AS_STORED, 200),
    ('multipart/related; type="image/jpeg"', 200),  # 8.7.3: only lossy data exist
    (f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}', 200),
    ('multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.70', 406),
]


@pytest.mark.parametrize(
    ("file", "wishes", "label"),
    [
        (dicom(**picture(b"1111")), PLAIN_WISHES, PLAIN),
        (compressed(ONE), COMPRESSED_WISHES, f"image/jp2; transfer-syntax={J2K}"),
        (compressed(b"\xff\xd8one.", syntax=JPEG), LOSSY_WISHES, f"image/jpeg; transfer-syntax={JPEG}"),
    ],
    ids=["plain", "reversible", "lossy"],
)
async def test_a_frame_is_given_as_it_is_held_or_not_at_all(
    tmp_path: Path, archive: FolderArchive, file: bytes, wishes: list[tuple[str, int]], label: str
) -> None:
    (tmp_path / "a").write_bytes(file)
    async with archive:
        for accept, status in wishes:
            for path in ("/frames/1", "/bulkdata/7FE00010"):
                if path != "/frames/1" and accept == "image/png":
                    continue  # of a bulk data value, any type may be asked
                reply = await ask(archive, INSTANCE + path, "", accept)
                assert (path, accept, reply.status) == (path, accept, status)
            reply = await ask(archive, f"{INSTANCE}/frames/1", "", accept)
            alone = reply.status == 200 and not (reply.get("content-type") or "").startswith("multipart")
            assert not alone or reply.get("content-type") == label


async def test_fragments_are_joined_without_what_is_between_them(
    tmp_path: Path, archive: FolderArchive
) -> None:
    value = fragments(ONE[:6], ONE[6:], TWO, table=[0, 22])
    (tmp_path / "a").write_bytes(part10(identity() + image(frames=2) + value, J2K))
    async with archive:
        reply = await ask(archive, f"{INSTANCE}/frames/1,2", "", OCTETS_AS_STORED)
        whole = await ask(archive, f"{INSTANCE}/pixeldata", "", OCTETS_AS_STORED)
        value_of = await ask(archive, f"{INSTANCE}/bulkdata/7FE00010", "", OCTETS_AS_STORED)

    for found in (reply, whole, value_of):
        assert [part.body for part in found.parts] == [ONE, TWO]
        assert (found.get("content-type") or "").startswith('multipart/related; type="image/jp2"')


async def test_plain_samples_in_fragments_are_plain_samples(tmp_path: Path, archive: FolderArchive) -> None:
    value = fragments(b"1111", b"2222")
    file = part10(identity() + image(frames=2) + value, ENCAPSULATED_UNCOMPRESSED)
    (tmp_path / "a").write_bytes(file)
    async with archive:
        reply = await ask(archive, f"{INSTANCE}/frames/2", "", "application/octet-stream")

    assert (reply.get("content-type"), reply.body) == (PLAIN, b"2222")


async def test_frames_that_cannot_be_told_apart_are_not_acceptable(
    tmp_path: Path, archive: FolderArchive
) -> None:
    doubtful = identity() + image(frames=2) + fragments(b"abcd", b"efgh", b"ijkl")
    (tmp_path / "a").write_bytes(part10(doubtful, J2K))
    (tmp_path / "b").write_bytes(dicom("1.2.3", "1.2.3.4", "1.2.3.4.6"))
    async with archive:
        for path in ("/frames/1", "/pixeldata", "/bulkdata/7FE00010"):
            assert (await ask(archive, INSTANCE + path, "", OCTETS_AS_STORED)).status == 406
        for path in ("/frames/1", "/pixeldata"):
            without = INSTANCE.replace("1.2.3.4.5", "1.2.3.4.6") + path
            assert (await ask(archive, without, "", OCTETS_AS_STORED)).status == 404


async def test_a_video_is_given_whole(tmp_path: Path, archive: FolderArchive) -> None:
    value = fragments(b"moving pictures.")
    (tmp_path / "a").write_bytes(part10(identity() + image(frames=9) + value, MPEG4))
    async with archive:
        reply = await ask(archive, f"{INSTANCE}/pixeldata", "", 'multipart/related; type="video/mp4"')
        single = await ask(archive, f"{INSTANCE}/frames/1", "", OCTETS_AS_STORED)
        refused = await ask(archive, f"{INSTANCE}/pixeldata", "", OCTETS)

    [part] = reply.parts
    assert part.body == b"moving pictures."
    assert part.fields["content-type"] == f"video/mp4; transfer-syntax={MPEG4}"
    assert part.fields["content-location"] == f"{BASE}{INSTANCE}/bulkdata/7FE00010"
    assert (single.status, refused.status) == (406, 406)


async def test_the_pixels_of_a_study_are_the_frames_of_its_instances(
    tmp_path: Path, archive: FolderArchive
) -> None:
    (tmp_path / "a").write_bytes(
        dicom("1.2.3", "1.2.3.4", "1.1", InstanceNumber="1", **picture(b"1111", b"2222"))
    )
    (tmp_path / "b").write_bytes(dicom("1.2.3", "1.2.3.4", "1.2", InstanceNumber="2", **picture(b"3333")))
    (tmp_path / "c").write_bytes(dicom("1.2.3", "1.2.3.4", "1.3", InstanceNumber="3"))
    (tmp_path / "d").write_bytes(compressed(ONE))
    async with archive:
        plain = await ask(archive, "/studies/1.2.3/pixeldata", "", OCTETS)
        everything = await ask(archive, "/studies/1.2.3/pixeldata", "", OCTETS_AS_STORED)
        nothing = await ask(archive, "/studies/1.2.3/series/1.2.3.4/pixeldata", "", "image/*")

    assert (plain.status, [part.body for part in plain.parts]) == (206, [b"1111", b"2222", b"3333"])
    assert everything.status == 200
    assert sorted(part.body for part in everything.parts) == sorted([b"1111", b"2222", b"3333", ONE])
    assert nothing.status == 406


async def test_frame_tables_are_remembered_within_bounds(
    tmp_path: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.upstream.folder.pixels._TABLES", 2)
    for number in range(4):
        (tmp_path / str(number)).write_bytes(numbered(number, **picture(b"%d000" % number)))
    async with archive:
        for number in (0, 1, 2, 3, 0, 3):
            path = f"/studies/1.2.3/series/1.2.3.4/instances/1.{number}/frames/1"
            assert (await ask(archive, path, "", "application/octet-stream")).body == b"%d000" % number
        assert len(archive._retrieve._pixels._tables) == 2


async def test_pixels_twice_are_nobody_s_frames(tmp_path: Path) -> None:
    twice = element(0x7FE00008, "OF", b"12345678") + element(0x7FE00010, "OW", b"1234")
    (tmp_path / "a").write_bytes(part10(identity() + image() + twice))
    async with embedded(tmp_path) as archive:
        assert (await ask(archive, f"{INSTANCE}/frames/1", "", OCTETS)).status == 406
