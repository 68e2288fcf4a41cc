import pytest

from edgerouter.dicomweb.syntaxes import (
    PIXEL_MEDIA,
    canonical,
    default_syntax,
    is_lossless,
    may_carry,
    media_of_syntax,
)

ROOT = "1.2.840.10008.1.2."


@pytest.mark.parametrize(
    ("media", "tail"),
    [
        ("application/dicom", "1"),
        ("application/octet-stream", "1"),
        ("image/jpeg", "4.70"),
        ("image/dicom-rle", "5"),
        ("image/jls", "4.80"),
        ("image/jp2", "4.90"),
        ("image/jpx", "4.92"),
        ("image/jphc", "4.201"),
        ("video/mp4", "4.102"),
    ],
)
def test_a_media_type_alone_means_its_default_syntax(media: str, tail: str) -> None:
    assert default_syntax(media) == ROOT + tail


@pytest.mark.parametrize("media", ["application/dicom+json", "image/png", "application/pdf", "*/*"])
def test_a_type_without_pixels_has_no_default_syntax(media: str) -> None:
    assert default_syntax(media) is None


def test_every_syntax_of_the_table_names_a_media_type_that_may_carry_it() -> None:
    for media, uids in PIXEL_MEDIA.items():
        for uid in uids:
            assert media_of_syntax(uid) == media
            assert may_carry(media, uid)
            assert may_carry("application/octet-stream", uid)


def test_hevc_may_come_as_mp4() -> None:
    assert media_of_syntax(ROOT + "4.107") == "video/h265"
    assert may_carry("video/mp4", ROOT + "4.107")


def test_a_syntax_not_used_in_web_services_has_no_media_type() -> None:
    assert media_of_syntax("1.2.840.10008.1.2") is None
    assert not may_carry("image/jpeg", ROOT + "4.90")


def test_old_names_mean_the_current_ones() -> None:
    assert canonical("image/x-jls") == "image/jls"
    assert canonical("image/dicom+jpeg") == "image/jpeg"
    assert canonical("application/json") == "application/dicom+json"
    assert canonical("image/png") == "image/png"


def test_the_default_of_every_picture_is_lossless_and_of_no_video() -> None:
    for media in PIXEL_MEDIA:
        assert is_lossless(default_syntax(media) or "") is not media.startswith("video/")


@pytest.mark.parametrize("tail", ["4.50", "4.51", "4.81", "4.91", "4.93", "4.203", "4.111", "4.112", "4.102"])
def test_what_may_have_lost_something_is_not_lossless(tail: str) -> None:
    assert not is_lossless(ROOT + tail)
