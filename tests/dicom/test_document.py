import struct
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.document import DOCUMENT, LENGTH, MEDIA_TYPE, locate_document
from edgerouter.dicom.source import Part10Error
from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from tests.dicom import build
from tests.dicom.build import element, identity

SYNTAXES = [EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN]
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4 + b"\n%%EOF"
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>' + b" " * 21


def written(
    path: Path,
    value: bytes,
    media: str = "application/pdf",
    said: int | None = None,
    syntax: str = EXPLICIT_LITTLE_ENDIAN,
) -> str:
    """A file with an encapsulated document whose value is exactly `value`, padding included."""
    explicit = syntax != IMPLICIT_LITTLE_ENDIAN
    data = identity(explicit=explicit)
    data += element(DOCUMENT, "OB", value, explicit=explicit, length=len(value))
    data += element(MEDIA_TYPE, "LO", media, explicit=explicit)
    if said is not None:
        data += element(LENGTH, "UL", struct.pack("<L", said), explicit=explicit)
    path.write_bytes(build.part10(data, syntax))
    return str(path)


def document(path: str) -> tuple[str, bytes] | None:
    found = locate_document(path)
    if found is None:
        return None
    with source.opened(path) as descriptor:
        body = b"".join(source.read_pieces(descriptor, found.pieces, inflate_at=found.inflate_at))
    assert len(body) == found.length
    return found.media, body


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("content", [PDF, PDF + b"\n"], ids=["odd", "even"])
def test_a_document_is_given_in_the_length_it_says(tmp_path: Path, content: bytes, syntax: str) -> None:
    value = content + b"\0" * (len(content) % 2)
    path = written(tmp_path / "f", value, said=len(content), syntax=syntax)
    assert document(path) == ("application/pdf", content)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_a_pdf_that_says_no_length_ends_with_its_last_line(tmp_path: Path, end: bytes) -> None:
    content = b"%PDF-1.7 " + b"x" * (len(end) % 2) + bytes(100) + b"\n%%EOF" + end
    assert len(content) % 2
    assert document(written(tmp_path / "f", content + b"\0")) == ("application/pdf", content)


@pytest.mark.parametrize("media", ["text/xml", "TEXT/XML", "model/obj", "model/mtl"])
def test_a_text_that_says_no_length_has_no_nul(tmp_path: Path, media: str) -> None:
    content = XML + b" " * (1 - len(XML) % 2)
    assert document(written(tmp_path / "f", content + b"\0", media)) == (media.lower(), content)


@pytest.mark.parametrize("media", ["application/pdf", "text/xml", "model/stl"])
def test_a_value_without_padding_is_the_document(tmp_path: Path, media: str) -> None:
    assert document(written(tmp_path / "f", b"solid" * 30, media)) == (media, b"solid" * 30)
    assert document(written(tmp_path / "f", b"solid" * 29, media)) == (media, b"solid" * 29)


@pytest.mark.parametrize(
    ("value", "media", "said"),
    [
        (b"x" * 100, "application/pdf", 98),  # two bytes of padding
        (b"x" * 100, "application/pdf", 99),  # padding that is none
        (b"x" * 99 + b"\0", "application/pdf", 101),
        (b"x" * 99 + b"\0", "application/pdf", None),  # no end of a PDF
        (b"x" * 98 + b"\0\0", "text/xml", None),
        (b"\xff\xfe" + b"<\0" * 50, "text/xml", None),  # UTF-16: the NUL is half of a character
        (b"<\0" * 50, "text/xml", None),
        (b"x" * 99 + b"\0", "model/stl", None),
        (b"x" * 100, "text/html", 100),  # would run in a browser
        (b"x" * 100, "image/svg+xml", 100),
        (b"x" * 100, "application/pdf; a=b", 100),
        (b"x" * 100, "", 100),
        (b"", "application/pdf", 0),
        (b"tiny", "application/pdf", 4),  # nothing that small is a document
    ],
)
def test_what_is_doubtful_is_no_document(tmp_path: Path, value: bytes, media: str, said: int | None) -> None:
    assert document(written(tmp_path / "f", value, media, said)) is None


def test_a_broken_length_is_no_length(tmp_path: Path) -> None:
    data = identity() + element(DOCUMENT, "OB", b"x" * 100) + element(MEDIA_TYPE, "LO", "application/pdf")
    (tmp_path / "f").write_bytes(build.part10(data + element(LENGTH, "UL", b"abc", length=3)))
    assert document(str(tmp_path / "f")) is None


def test_an_image_has_no_document() -> None:
    assert document(str(build.sample("CT_small.dcm"))) is None


def test_a_document_inside_a_sequence_is_not_the_instances(tmp_path: Path) -> None:
    inner = element(DOCUMENT, "OB", PDF) + element(MEDIA_TYPE, "LO", "application/pdf")
    (tmp_path / "f").write_bytes(build.part10(identity() + build.sequence(0x00880200, build.item(inner))))
    assert document(str(tmp_path / "f")) is None


def test_a_document_in_fragments_is_doubtful(tmp_path: Path) -> None:
    items = b"".join(element(build.ITEM, "", part, length=len(part)) for part in (b"", b"%PDF", b"more"))
    value = element(DOCUMENT, "OB", items, length=build.UNDEFINED) + element(build.SEQUENCE_END, "")
    data = identity() + value + element(MEDIA_TYPE, "LO", "application/pdf")
    (tmp_path / "f").write_bytes(build.part10(data))
    assert document(str(tmp_path / "f")) is None


def test_a_cut_file_is_an_error_that_comes_back_from_a_worker_process(tmp_path: Path) -> None:
    path = written(tmp_path / "f", PDF, said=len(PDF))
    (tmp_path / "f").write_bytes((tmp_path / "f").read_bytes()[:-500])
    with ProcessPoolExecutor(1) as pool, pytest.raises(Part10Error):
        pool.submit(locate_document, path).result()


@settings(deadline=None)
@given(st.binary(min_size=65, max_size=200), st.booleans(), st.sampled_from(SYNTAXES))
def test_a_document_comes_out_as_it_went_in_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, says: bool, syntax: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    value = content + b"\0" * (len(content) % 2)
    found = document(written(path, value, said=len(content) if says else None, syntax=syntax))
    assert found == ("application/pdf", content) or (found is None and not says)
