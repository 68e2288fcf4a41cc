"""How each product is asked. The orthanc spellings are those its plugin 1.7 answered with 200."""

from typing import get_args

import pytest

from edgerouter.config.upstreams import ProfileName
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Level
from edgerouter.upstream.profiles import (
    AWS,
    AZURE,
    DCM4CHEE,
    GOOGLE,
    MEDICAL_CONNECTIONS,
    ORTHANC,
    OSIRIX,
    PROFILES,
    STANDARD,
    Profile,
    spell_accept,
)

JSON = Wish("application/dicom+json")
XML_PARTS = Wish("application/dicom+xml", multipart=True)
XML = Wish("application/dicom+xml")
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
J2K = "1.2.840.10008.1.2.4.90"
JLS = "1.2.840.10008.1.2.4.80"
EXPLICIT = "1.2.840.10008.1.2.1"
PARTS = 'multipart/related; type="{}"'
FRAMES_ANY = PARTS.format(OCTETS) + "; transfer-syntax=*"
J2K_ALONE = f"{PARTS.format('image/jp2')}; transfer-syntax={J2K}"
DICOM_ANY = PARTS.format(DICOM) + "; transfer-syntax=*"

CASES: list[tuple[Profile, Kind, list[Wish], str]] = [
    # standard: everything wished, in order, quoted, weighted
    (STANDARD, Kind.FRAMES, [Wish(OCTETS, "*", True)], FRAMES_ANY),
    (
        STANDARD,
        Kind.FRAMES,
        [Wish("image/jp2", J2K, True), Wish(OCTETS, None, True, 0.5), Wish("image/jp2", J2K, False, 0.125)],
        f'multipart/related; type="image/jp2"; transfer-syntax={J2K}, {PARTS.format(OCTETS)};q=0.5, '
        f"image/jp2; transfer-syntax={J2K};q=0.125",
    ),
    (
        STANDARD,
        Kind.DICOM,
        [Wish(DICOM, "*"), Wish(DICOM, "*", True)],
        f"{DICOM}; transfer-syntax=*, {DICOM_ANY}",
    ),
    (STANDARD, Kind.METADATA, [JSON, XML_PARTS], f"{JSON.media}, {PARTS.format(XML.media)}"),
    (STANDARD, Kind.COLLECTION, [XML_PARTS], PARTS.format(XML.media)),
    (STANDARD, Kind.BULKDATA, [Wish("application/pdf")], "application/pdf"),
    (STANDARD, Kind.RENDERED, [Wish("image/*"), Wish("image/png")], "image/*, image/png"),
    (STANDARD, Kind.ROOT, [], "*/*"),
    # dcm4chee: lists, but nothing alone that can be a part
    (DCM4CHEE, Kind.DICOM, [Wish(DICOM, "*"), Wish(DICOM, "*", True, 0.5)], DICOM_ANY),
    (
        DCM4CHEE,
        Kind.FRAMES,
        [Wish(OCTETS, "*"), Wish("image/jls", JLS, q=0.5)],
        f'{FRAMES_ANY}, multipart/related; type="image/jls"; transfer-syntax={JLS};q=0.5',
    ),
    (DCM4CHEE, Kind.DICOM, [Wish("application/zip")], "application/zip"),
    (DCM4CHEE, Kind.METADATA, [JSON, XML_PARTS], f"{JSON.media}, {PARTS.format(XML.media)}"),
    (DCM4CHEE, Kind.RENDERED, [Wish("image/png")], "image/png"),
    # orthanc: one range
    (ORTHANC, Kind.FRAMES, [Wish(OCTETS, "*", True)], FRAMES_ANY),
    (ORTHANC, Kind.FRAMES, [Wish(OCTETS, "*", False, 0.5)], FRAMES_ANY),
    (ORTHANC, Kind.FRAMES, [Wish(OCTETS, None, True)], PARTS.format(OCTETS)),
    (
        ORTHANC,
        Kind.FRAMES,
        [Wish(OCTETS, EXPLICIT, True)],
        f"{PARTS.format(OCTETS)}; transfer-syntax={EXPLICIT}",
    ),
    (ORTHANC, Kind.FRAMES, [Wish(OCTETS, J2K, True)], J2K_ALONE),
    (ORTHANC, Kind.FRAMES, [Wish(OCTETS, "1.2.3", True)], f"{PARTS.format(OCTETS)}; transfer-syntax=1.2.3"),
    (ORTHANC, Kind.FRAMES, [Wish("image/jls", "*", True)], PARTS.format("image/jls")),
    (ORTHANC, Kind.FRAMES, [Wish("image/jpeg", None, False)], PARTS.format("image/jpeg")),
    (ORTHANC, Kind.FRAMES, [Wish("image/jp2", J2K, True), Wish(OCTETS, "*", True)], FRAMES_ANY),
    (
        ORTHANC,
        Kind.FRAMES,
        [Wish("image/jp2", J2K, True), Wish(OCTETS, "*", True, 0.5)],
        f"{PARTS.format('image/jp2')}; transfer-syntax={J2K}",
    ),
    (ORTHANC, Kind.DICOM, [Wish(DICOM, "*")], DICOM_ANY),
    (ORTHANC, Kind.DICOM, [Wish(DICOM, None), Wish(DICOM, "*", True)], DICOM_ANY),
    (ORTHANC, Kind.DICOM, [Wish("application/zip"), Wish(DICOM, "*", True, 0.5)], DICOM_ANY),
    (ORTHANC, Kind.DICOM, [Wish("application/zip")], "application/zip"),
    (ORTHANC, Kind.METADATA, [JSON, XML_PARTS], JSON.media),
    (ORTHANC, Kind.METADATA, [XML_PARTS], PARTS.format(XML.media)),
    (ORTHANC, Kind.COLLECTION, [XML_PARTS], XML.media),
    (ORTHANC, Kind.COLLECTION, [XML], XML.media),
    (ORTHANC, Kind.COLLECTION, [Wish(XML.media, None, True, 0.5)], XML.media),
    (ORTHANC, Kind.BULKDATA, [Wish("application/pdf"), Wish(OCTETS, "*", True)], PARTS.format(OCTETS)),
    (ORTHANC, Kind.TOKEN, [Wish(OCTETS)], PARTS.format(OCTETS)),
    (ORTHANC, Kind.RENDERED, [Wish("image/webp"), Wish("image/png", q=0.5)], "image/png"),
    (ORTHANC, Kind.RENDERED, [Wish("image/*")], "image/jpeg"),
    (ORTHANC, Kind.THUMBNAIL, [Wish("*/*")], "image/jpeg"),
    (ORTHANC, Kind.RENDERED, [Wish("image/gif")], "image/gif"),
    (ORTHANC, Kind.WADO_URI, [Wish("*/*")], "*/*"),
    (ORTHANC, Kind.ROOT, [], "*/*"),
    # azure: exactly one range, quoted; no XML at all; a single instance or frame may come alone
    (AZURE, Kind.COLLECTION, [XML_PARTS, JSON], JSON.media),
    (AZURE, Kind.METADATA, [Wish(JSON.media, q=0.5), XML_PARTS], JSON.media),
    (AZURE, Kind.FRAMES, [Wish(OCTETS, "*", True), Wish("image/jphc", q=0.5)], FRAMES_ANY),
    (AZURE, Kind.FRAMES, [Wish(OCTETS, J2K, True)], J2K_ALONE),
    (AZURE, Kind.FRAMES, [Wish(OCTETS, "*")], f"{OCTETS}; transfer-syntax=*"),
    (AZURE, Kind.DICOM, [Wish(DICOM, "*"), Wish(DICOM, None, True)], f"{DICOM}; transfer-syntax=*"),
    (AZURE, Kind.RENDERED, [Wish("image/webp"), Wish("image/*", q=0.5)], "image/jpeg"),
    # google: lists, single parts, stored syntaxes
    (
        GOOGLE,
        Kind.DICOM,
        [Wish(DICOM, "*"), Wish(DICOM, "*", True)],
        f"{DICOM}; transfer-syntax=*, {DICOM_ANY}",
    ),
    (GOOGLE, Kind.FRAMES, [Wish(OCTETS, "*", True)], FRAMES_ANY),
    (GOOGLE, Kind.RENDERED, [Wish("*/*")], "image/jpeg"),
    # aws: one range of JSON, frames as they are stored
    (AWS, Kind.COLLECTION, [JSON, XML_PARTS], JSON.media),
    (AWS, Kind.FRAMES, [Wish(OCTETS, "*", True), Wish("image/jphc", None, True)], FRAMES_ANY),
    # little is known of these: one range, in parts
    (MEDICAL_CONNECTIONS, Kind.DICOM, [Wish(DICOM, "*"), Wish(DICOM, "*", True, 0.5)], DICOM_ANY),
    (
        OSIRIX,
        Kind.FRAMES,
        [Wish(OCTETS, EXPLICIT, True)],
        f"{PARTS.format(OCTETS)}; transfer-syntax={EXPLICIT}",
    ),
    (OSIRIX, Kind.COLLECTION, [JSON, XML_PARTS], JSON.media),
]


@pytest.mark.parametrize(("profile", "kind", "wishes", "accept"), CASES)
def test_wishes_are_spelled_the_way_the_archive_reads(
    profile: Profile, kind: Kind, wishes: list[Wish], accept: str
) -> None:
    assert spell_accept(profile, kind, Level.INSTANCE, wishes) == accept


def test_profiles_are_found_by_the_names_of_the_configuration() -> None:
    assert {name: one.name for name, one in PROFILES.items()} == {
        name: name for name in get_args(ProfileName)
    }
