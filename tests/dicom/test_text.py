import re
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.charset import encode_string, python_encoding

from edgerouter.dicom import text
from tests.dicom.build import oracle, sample

CHARSETS = [
    "chrArab.dcm",
    "chrFren.dcm",
    "chrGerm.dcm",
    "chrGreek.dcm",
    "chrH31.dcm",
    "chrH32.dcm",
    "chrHbrw.dcm",
    "chrI2.dcm",
    "chrJapMulti.dcm",
    "chrKoreanMulti.dcm",
    "chrRuss.dcm",
    "chrX1.dcm",
    "chrX2.dcm",
]


@pytest.mark.parametrize("name", CHARSETS)
def test_names_are_decoded_as_pydicom_decodes_them(name: str) -> None:
    data_set = oracle(sample(name))
    terms = data_set.SpecificCharacterSet
    terms = (terms,) if isinstance(terms, str) else tuple(terms)
    raw = data_set.get_item("PatientName").value
    assert [name.rstrip("=") for name in text.values(raw, text.encodings(terms), "PN")] == [
        str(data_set.PatientName)
    ]


def test_the_backslash_is_looked_for_in_the_text_and_not_in_the_bytes() -> None:
    half = next(char for char in map(chr, range(0x4E00, 0x9FFF)) if b"\\" in char.encode("gb18030"))
    assert text.values(f"{half}\\a".encode("gb18030"), text.encodings(("GB18030",)), "LO") == [half, "a"]


@given(st.text(st.characters(codec="gb18030", exclude_characters="\\\0 \x1b"), min_size=1, max_size=20))
def test_no_character_of_a_stand_alone_set_is_taken_for_a_delimiter(name: str) -> None:
    codecs = text.encodings(("GB18030",))
    assert text.values(name.encode("gb18030"), codecs, "LT") == ([name] if name else [])


def test_a_delimiter_brings_the_initial_character_set_back() -> None:
    codecs = text.encodings(("", "ISO 2022 IR 149"))
    korean = b"\x1b$)C" + "\uae40".encode("euc_kr")
    assert text.decode(korean + b"^\xe9", codecs, vr="PN") == "\uae40^\xe9"
    assert text.decode(korean + b"^\xe9", codecs, vr="LO") != "\uae40^\xe9"
    assert text.decode(korean + b"\\\xe9", codecs, vr="LO") == "\uae40\\\xe9"


def test_an_escape_to_a_set_that_was_not_announced_is_decoded_as_the_first() -> None:
    assert "\x1b" in text.decode(b"\x1b$)C\xb1\xe8", text.encodings(("ISO_IR 100",)), vr="LO")
    assert text.decode(b"\x1b%Zabc", text.encodings(("ISO_IR 100",)), vr="LO").endswith("abc")


@pytest.mark.parametrize(
    "term", ["idna", "punycode", "zlib_codec", "undefined", "unicode_escape", "no such set"]
)
def test_a_python_codec_is_no_character_set(term: str) -> None:
    assert text.encodings((term,)) == text.DEFAULT
    assert text.values(b"a\xe9\\u0041", text.encodings((term,)), "LO") == ["a\xe9", "u0041"]


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [("ISO-IR 100", "ISO_IR 100"), ("ISO IR 144", "ISO_IR 144"), ("ISO 2022-IR 87", "ISO 2022 IR 87")],
)
def test_common_misspellings_are_understood(spelled: str, meant: str) -> None:
    assert text.encodings((spelled,)) == (python_encoding[meant],)


def test_a_stand_alone_set_allows_no_other_beside_it() -> None:
    assert text.encodings(("ISO_IR 192", "ISO 2022 IR 87")) == ("UTF8",)


def test_bytes_without_meaning_become_replacement_characters() -> None:
    assert text.values(b"a\xff", text.encodings(("ISO_IR 192",)), "LO") == ["a\ufffd"]


@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("LO", b" a \\ b ", ["a", "b"]),
        ("LO", b"a\\\\b", ["a", "", "b"]),
        ("LO", b"\\", ["", ""]),
        ("CS", b"A\\B\0", ["A", "B"]),
        ("UI", b"1.2\\1.3\0", ["1.2", "1.3"]),
        ("LT", b" a\\b \0", [" a\\b"]),
        ("UT", b"two\r\nlines ", ["two\r\nlines"]),
        ("UC", b" a \\ b ", [" a", " b"]),
        ("DS", b" 1.50 ", ["1.50"]),
        ("PN", b"Doe^John=\xe9 ", ["Doe^John=\xe9"]),
        ("SH", b"   ", []),
        ("SH", b"", []),
    ],
)
def test_padding_goes_and_delimiters_divide_as_the_vr_says(vr: str, raw: bytes, values: list[str]) -> None:
    assert text.values(raw, text.DEFAULT, vr) == values


TERMS = [
    ("", "ISO 2022 IR 87"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("", "ISO 2022 IR 149"),
    ("ISO_IR 100",),
]


@given(st.sampled_from(TERMS), st.lists(st.sampled_from("Yamada\u5c71\u7530\uae40\xe9 ^="), max_size=12))
def test_what_pydicom_encodes_is_decoded_again(terms: tuple[str, ...], letters: list[str]) -> None:
    codecs, name = text.encodings(terms), "".join(letters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [encode_string(part, codecs) for part in re.split("([=^])", name)]
    assume(b"?" not in b"".join(parts))  # else it is no name of this character set
    assert text.decode(b"".join(parts), codecs, vr="PN") == name


@given(st.binary(max_size=60), st.sampled_from([*TERMS, ("GB18030",), ("ISO_IR 192",), ("ISO_IR 166",)]))
def test_decoding_never_fails(raw: bytes, terms: tuple[str, ...]) -> None:
    for vr in ("PN", "LO", "UT", "CS"):
        "".join(text.values(raw, text.encodings(terms), vr)).encode()
