import pytest
from pydicom._uid_dict import UID_dictionary

from edgerouter.dicom.syntaxes import transfer_syntax

ROOT = "1.2.840.10008.1.2"


@pytest.mark.parametrize(
    ("uid", "media"),
    [
        (ROOT, "application/octet-stream"),
        (ROOT + ".1", "application/octet-stream"),
        (ROOT + ".1.98", "application/octet-stream"),
        (ROOT + ".1.99", "application/octet-stream"),
        (ROOT + ".5", "image/dicom-rle"),
        (ROOT + ".4.50", "image/jpeg"),
        (ROOT + ".4.70", "image/jpeg"),
        (ROOT + ".4.80", "image/jls"),
        (ROOT + ".4.81", "image/jls"),
        (ROOT + ".4.90", "image/jp2"),
        (ROOT + ".4.93", "image/jpx"),
        (ROOT + ".4.94", ""),
        (ROOT + ".4.100.1", "video/mpeg"),
        (ROOT + ".4.106", "video/mp4"),
        (ROOT + ".4.110", "image/jxl"),
        (ROOT + ".4.203", "image/jphc"),
        (ROOT + ".7.1", ""),
        ("1.2.840.113619.5.2", ""),
        ("1.2.3", ""),
    ],
)
def test_a_frame_travels_under_the_media_type_of_its_syntax(uid: str, media: str) -> None:
    assert transfer_syntax(uid).media == media


def test_only_two_syntaxes_are_not_explicit_little_endian() -> None:
    syntaxes = [
        transfer_syntax(uid) for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"
    ]
    assert [syntax.uid for syntax in syntaxes if not syntax.explicit] == [ROOT]
    assert [syntax.uid for syntax in syntaxes if not syntax.little_endian] == [ROOT + ".2"]


def test_the_deflated_syntaxes_are_the_deflated_one_and_the_deflated_references() -> None:
    syntaxes = [
        transfer_syntax(uid) for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"
    ]
    assert {syntax.uid for syntax in syntaxes if syntax.deflated} == {
        ROOT + ".1.99",
        ROOT + ".4.95",
        ROOT + ".4.205",
    }


def test_a_native_syntax_is_not_encapsulated_and_a_codec_is() -> None:
    assert transfer_syntax(ROOT + ".1").native
    assert not transfer_syntax(ROOT + ".1").encapsulated
    assert transfer_syntax(ROOT + ".4.50").encapsulated
    assert transfer_syntax(ROOT + ".5").rle
    assert transfer_syntax(ROOT + ".4.102").video
    assert transfer_syntax(ROOT + ".4.50").name == "JPEG Baseline (Process 1)"


def test_a_uid_that_breaks_the_rules_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    assert transfer_syntax("1.2.840.1.008.1.2.4.81").media == ""
    assert caplog.text == ""


def test_an_unregistered_syntax_is_read_as_explicit_little_endian_without_pixels() -> None:
    syntax = transfer_syntax("1.2.840.113619.5.2")
    assert syntax.explicit
    assert syntax.little_endian
    assert not syntax.encapsulated
    assert syntax.name == ""
