"""An upload on its way: its type in one spelling, its last bytes held until they are known to be sound."""

import pytest

from edgerouter.dicomweb.multipart import MultipartReader
from edgerouter.errors import BadRequest, ContentTooLarge, RequestTimeout, UnsupportedMediaType
from edgerouter.http.fields import Fields
from edgerouter.transactions.upload import MAX_PARTS, Upload, upload_type
from tests.transactions.canned import stream

TYPE = 'multipart/related; type="application/dicom"; boundary=b'
BODY = [b"--b\r\n\r\none\r\n", b"--b\r\n\r\ntwo\r\n", b"--b--\r\n"]


def typed(value: str, **more: str) -> Fields:
    return Fields([("content-type", value), *((name.replace("_", "-"), said) for name, said in more.items())])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (TYPE, TYPE),
        ("multipart/related;boundary=b;type=application/dicom", TYPE),
        ("MULTIPART/RELATED; type=application/dicom+xml; boundary=b", TYPE.replace("dicom", "dicom+xml")),
        ("application/dicom; transfer-syntax=1.2", "application/dicom"),
    ],
)
def test_every_spelling_becomes_one(given: str, expected: str) -> None:
    content_type, reader = upload_type(typed(given), single_part=True)
    assert content_type == expected
    assert (reader is None) is (expected == "application/dicom")


@pytest.mark.parametrize(
    "value", ["", "x", "text/html", "multipart/mixed; boundary=b", "multipart/related; type=x/y; boundary=b"]
)
def test_what_store_does_not_define_is_unsupported(value: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        upload_type(typed(value), single_part=True)


def test_no_boundary_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        upload_type(typed("multipart/related; type=application/dicom"), single_part=True)


def test_a_coding_and_a_lone_instance_can_be_too_much_to_ask() -> None:
    with pytest.raises(UnsupportedMediaType):
        upload_type(typed(TYPE, content_encoding="gzip"), single_part=True)
    with pytest.raises(UnsupportedMediaType):
        upload_type(typed("application/dicom"), single_part=False)


def upload(*chunks: bytes) -> Upload:
    return Upload(stream(*chunks), MultipartReader("b"))


async def test_each_chunk_leaves_when_the_next_is_known() -> None:
    one = upload(*BODY)
    chunks = one.chunks()
    assert (await anext(chunks), one.complete) == (BODY[0], False)
    assert (await anext(chunks), one.complete) == (BODY[1], False)
    assert (await anext(chunks), one.complete) == (BODY[2], True)
    assert await anext(chunks, None) is None
    assert one.fault is None


@pytest.mark.parametrize(
    "chunks", [BODY[:2], [b"--b--"], [*BODY[:2], b"--b-"], [b"x" * 5000], [], [b"--b\r\nno field\r\n\r\n"]]
)
async def test_the_last_chunk_of_an_unsound_upload_never_leaves(chunks: list[bytes]) -> None:
    one = upload(*chunks)
    came: list[bytes] = []

    async def send() -> None:
        async for chunk in one.chunks():
            came.append(chunk)

    with pytest.raises(BadRequest):
        await send()
    assert isinstance(one.fault, BadRequest)
    assert (one.complete, came) == (False, chunks[: len(chunks) - 1])


async def test_what_reading_it_raises_is_its_fault() -> None:
    late = RequestTimeout("too slow")

    async def slow() -> object:
        yield b"--b\r\n\r\n"
        raise late

    one = Upload(slow(), MultipartReader("b"))  # type: ignore[arg-type]
    with pytest.raises(RequestTimeout):
        [chunk async for chunk in one.chunks()]
    assert one.fault is late


async def test_a_lone_instance_is_not_looked_into() -> None:
    one = Upload(stream(b"any", b"thing"), None)
    assert [chunk async for chunk in one.chunks()] == [b"any", b"thing"]
    assert one.complete


async def test_parts_are_counted() -> None:
    _, reader = upload_type(typed(TYPE), single_part=True)
    body = b"--b\r\n\r\n\r\n" * MAX_PARTS
    one = Upload(stream(body, b"--b\r\n\r\n\r\n", b"--b--"), reader)
    with pytest.raises(ContentTooLarge):
        [chunk async for chunk in one.chunks()]
