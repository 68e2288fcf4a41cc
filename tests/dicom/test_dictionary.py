from edgerouter.dicom import dictionary
from edgerouter.dicom.dictionary import vr_of


def test_a_tag_is_named_by_keyword_or_by_hex() -> None:
    assert dictionary.tag_of("PatientName") == 0x00100010
    assert dictionary.tag_of("00100010") == dictionary.tag_of("7fe00010") - 0x7FD00000  # type: ignore[operator]
    assert dictionary.tag_of("patientname") is None
    assert dictionary.tag_of("0010001") is None
    assert dictionary.hex_tag(0x7FE00010) == "7FE00010"
    assert dictionary.keyword_of(0x00100010) == "PatientName"
    assert dictionary.keyword_of(0x00091010) == ""


def test_the_dictionary_gives_the_vr_of_public_attributes() -> None:
    assert vr_of(0x00100010, {}, signed=False) == "PN"
    assert vr_of(0x00100000, {}, signed=False) == "UL"
    assert vr_of(0x60003000, {}, signed=False) == "OW"
    assert vr_of(0x00101234, {}, signed=False) == "UN"


def test_pixel_representation_decides_between_signed_and_unsigned() -> None:
    assert vr_of(0x00280106, {}, signed=False) == "US"
    assert vr_of(0x00280106, {}, signed=True) == "SS"
    assert vr_of(0x00283006, {}, signed=True) == "OW"


def test_a_private_attribute_is_known_by_who_reserved_its_block() -> None:
    creators = {0x00290010: "SIEMENS CSA HEADER", 0x00290011: "SIEMENS CSA HEADER"}
    assert vr_of(0x00290010, creators, signed=False) == "LO"
    assert vr_of(0x00290000, creators, signed=False) == "UL"
    assert vr_of(0x00291008, creators, signed=False) == "CS"
    assert vr_of(0x00291108, creators, signed=False) == "CS"
    assert vr_of(0x00291208, creators, signed=False) == "UN"
    assert dictionary.creator_of(0x00291108) == 0x00290011
    assert not dictionary.is_creator(0x00280010)
