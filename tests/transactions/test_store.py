"""A Store to one archive: the answer is its own, and says of each instance what became of it."""

import pytest

from edgerouter.errors import BadRequest, Cut, NotAcceptable, ProtocolError, Received, RequestTimeout
from edgerouter.http.reply import Reply
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.store import store
from edgerouter.upstream.seam import Outbound
from tests.transactions.canned import BOX, JSON, PACS, PUBLIC, CannedAnswer, CannedArchive, inbound, stream

ITEM = '{"00081155":{"vr":"UI","Value":["5.6"]}}'
MODULE = (
    f'{{"00081190":{{"vr":"UR","Value":["{PACS}/studies/1"]}},"00081199":{{"vr":"SQ","Value":[{ITEM}]}}}}'
).encode()
XML = (
    b'<NativeDicomModel><DicomAttribute tag="0008119A" vr="SQ"><Item number="1"/></DicomAttribute>'
    b"</NativeDicomModel>"
)
FAILED = b'{"00081197":{"vr":"US","Value":[272]}}'
STORED = CannedAnswer([MODULE], [("Content-Type", JSON)])
TYPE = ("Content-Type", 'multipart/related; type="application/dicom"; boundary=b')
BODY = b"--b\r\n\r\nfile\r\n--b--"


def request(*chunks: bytes, accept: str | None = JSON, length: int | None = None) -> Inbound:
    body = stream(*chunks)
    return inbound("/studies/1", accept, method="POST", fields=[TYPE], body=body, body_length=length)


async def stored(answer: CannedAnswer, inbound: Inbound | None = None) -> tuple[Reply, CannedArchive]:
    archive = CannedArchive(answer)
    reply = await store(inbound or request(BODY, length=len(BODY)), archive, BOX)
    assert archive.open_now == 0
    return reply, archive


async def test_the_upload_is_sent_and_the_answer_mapped() -> None:
    reply, archive = await stored(STORED)
    assert (reply.status, reply.body) == (200, MODULE.replace(PACS.encode(), PUBLIC.encode()))
    [outbound] = archive.asked
    assert (outbound.method, outbound.path, outbound.length) == ("POST", "/studies/1", len(BODY))
    assert outbound.fields.get("content-type") == TYPE[1]
    assert archive.read == [BODY]


@pytest.mark.parametrize(
    ("media", "ours"),
    [
        ("application/json", JSON),
        ("text/xml", "application/dicom+xml"),
        ("application/xml", "application/dicom+xml"),
    ],
)
async def test_the_answers_type_gets_its_proper_name(media: str, ours: str) -> None:
    body = MODULE if ours == JSON else XML
    reply, _ = await stored(CannedAnswer([body], [("Content-Type", media)]), request(BODY, accept=None))
    assert reply.fields.get("content-type") == ours


async def test_another_form_than_the_client_takes_is_written_anew() -> None:
    reply, _ = await stored(CannedAnswer([XML], [("Content-Type", "application/dicom+xml")]))
    assert (reply.status, reply.fields.get("content-type")) == (409, JSON)
    assert reply.body == b'{"00081190":{"vr":"UR"},"0008119A":{"vr":"SQ","Value":[%b]}}' % FAILED


@pytest.mark.parametrize(
    ("body", "media"), [(MODULE, JSON), (b"[ %b ]" % MODULE, JSON), (XML, "application/dicom+xml")]
)
async def test_an_unlabelled_module_is_known_by_its_first_byte(body: bytes, media: str) -> None:
    reply, _ = await stored(CannedAnswer([body], status=400), request(BODY, accept=None))
    assert (reply.status, reply.fields.get("content-type")) == (400, media)


@pytest.mark.parametrize(("said", "status"), [(200, 200), (202, 202), (400, 400), (409, 202), (500, 500)])
async def test_a_module_counts_whatever_the_status(said: int, status: int) -> None:
    reply, _ = await stored(CannedAnswer([MODULE], [("Content-Type", JSON)], said))
    assert reply.status == status


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (CannedAnswer(status=409), Received),
        (CannedAnswer([b"{"], [("Content-Type", JSON)], 409), Received),
        (CannedAnswer([b"{"], [("Content-Type", JSON)], 409, fault=Cut("x")), Received),
        (CannedAnswer([b"{"], [("Content-Type", JSON)]), Cut),
        (CannedAnswer([MODULE], [("Content-Type", JSON)], fault=Cut("x")), Cut),
        (CannedAnswer(), ProtocolError),
        (CannedAnswer(pairs=[("Content-Type", JSON)]), ProtocolError),
        (CannedAnswer([b"ok"], [("Content-Type", "text/plain")]), ProtocolError),
        (CannedAnswer([b'{"status":"ok"}'], [("Content-Type", JSON)]), ProtocolError),
        (CannedAnswer([b'{"error":"Doe^John"}'], [("Content-Type", JSON)], 400), Received),
        (CannedAnswer([b"<html><h1>Welcome</h1></html>"]), Cut),
        (CannedAnswer([b"<html><h1>Sorry</h1></html>"], status=500), Received),
        (CannedAnswer([b"OK"]), ProtocolError),
        (CannedAnswer([MODULE], [("Content-Type", JSON), ("Content-Encoding", "br")]), ProtocolError),
        (CannedAnswer([MODULE], [("Content-Type", JSON), ("Location", f"{PACS}/x")], 307), ProtocolError),
    ],
)
async def test_no_module_is_no_success(answer: CannedAnswer, error: type[Exception]) -> None:
    with pytest.raises(error):
        await stored(answer)


async def test_a_bad_upload_is_the_clients_fault_whatever_the_archive_makes_of_it() -> None:
    with pytest.raises(BadRequest):
        await stored(STORED, request(BODY[:-2]))

    class Broken(CannedArchive):
        def open(self, outbound: Outbound):  # type: ignore[no-untyped-def]
            exchange = super().open(outbound)
            return _cutting(exchange)

    with pytest.raises(BadRequest):
        await store(request(BODY[:-2]), Broken(STORED), BOX)


class _cutting:
    """What a transport does of a body that fails: it names its own error."""

    def __init__(self, exchange: object) -> None:
        self._exchange = exchange

    async def __aenter__(self) -> object:
        try:
            return await self._exchange.__aenter__()  # type: ignore[attr-defined]
        except BadRequest:
            raise Cut("The exchange broke off.", upstream="north") from None

    async def __aexit__(self, *error: object) -> None:
        return None


async def test_an_upload_too_slow_is_told_so() -> None:
    async def slow() -> object:
        yield BODY[:9]
        raise RequestTimeout("too slow", close=True)

    late = inbound("/studies", JSON, method="POST", fields=[TYPE], body=slow())
    with pytest.raises(RequestTimeout):
        await stored(STORED, late)


async def test_what_cannot_be_answered_is_not_sent() -> None:
    archive = CannedArchive(STORED)
    for bad, error in (
        (request(BODY, accept="text/html"), NotAcceptable),
        (request(length=0), BadRequest),
        (inbound("/studies", JSON, method="POST", fields=[TYPE]), BadRequest),
    ):
        with pytest.raises(error):
            await store(bad, archive, BOX)
    assert archive.asked == []


async def test_an_early_success_is_none() -> None:
    class Hasty(CannedArchive):
        def open(self, outbound: Outbound):  # type: ignore[no-untyped-def]
            unread = Outbound(outbound.method, outbound.transaction, outbound.path)
            return super().open(unread)

    with pytest.raises(ProtocolError):
        await store(request(BODY), Hasty(STORED), BOX)
    with pytest.raises(Received):
        await store(request(BODY), Hasty(CannedAnswer(status=413)), BOX)
