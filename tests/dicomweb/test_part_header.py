import pytest

from edgerouter.dicomweb.part_header import MultipartError, declared_length, parse_header
from edgerouter.http.fields import Fields


def test_names_come_in_any_case_and_values_without_blanks() -> None:
    block = b"CONTENT-type:application/dicom \r\ncontent-Location: \t/a b\r\nMIME-Version: 1.0\r\nX-Empty:"

    assert list(parse_header(block, 16)) == [
        ("content-type", "application/dicom"),
        ("content-location", "/a b"),
        ("mime-version", "1.0"),
        ("x-empty", ""),
    ]


def test_a_part_may_have_no_header() -> None:
    assert parse_header(b"", 16) == Fields()


def test_folded_lines_are_joined() -> None:
    block = b"Content-Type: image/jls;\r\n  transfer-syntax=1.2\r\n\t; x=y"

    assert parse_header(block, 16).get("content-type") == "image/jls; transfer-syntax=1.2 ; x=y"


@pytest.mark.parametrize(
    "block",
    [
        b"no colon",
        b": no name",
        b"Content-Type : blank before colon",
        b" begins folded",
        b"A: b\nC: d",
        b"A: b\rC: d",
        b"A: b\0",
        b"A: b\r\n\r",
        b"\xc3\xa4: umlaut",
        b"A: b\r\n--boundary",
    ],
)
def test_a_line_that_is_no_field_is_refused(block: bytes) -> None:
    with pytest.raises(MultipartError, match="not a field"):
        parse_header(block, 16)


def test_too_many_lines_are_refused_folded_ones_too() -> None:
    parse_header(b"\r\n".join([b"A: b"] * 16), 16)
    with pytest.raises(MultipartError, match="too many lines"):
        parse_header(b"\r\n".join([b"A: b"] * 17), 16)
    with pytest.raises(MultipartError, match="too many lines"):
        parse_header(b"A: b" + b"\r\n c" * 16, 16)


def test_a_nested_multipart_is_refused() -> None:
    with pytest.raises(MultipartError, match="itself multipart"):
        parse_header(b"Content-Type: Multipart/Mixed; boundary=x", 16)


@pytest.mark.parametrize("name", [b"Content-Type", b"content-length"])
def test_type_and_length_come_once(name: bytes) -> None:
    with pytest.raises(MultipartError, match="twice"):
        parse_header(name + b": 1\r\n" + name + b": 1", 16)


def test_a_length_is_a_number_of_bytes() -> None:
    assert declared_length(Fields()) is None
    assert declared_length(Fields([("content-length", "0")])) == 0
    assert declared_length(Fields([("content-length", "0123")])) == 123


@pytest.mark.parametrize("value", ["", "-1", "+1", "1, 1", "0x10", "1_000", "1e3", "٣", "9" * 16])
def test_a_length_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(MultipartError, match="not a number"):
        declared_length(Fields([("content-length", value)]))
