"""Law 12: no patient data and no secret in logs, error bodies or metrics, whatever happens to a request."""

import json
import logging
from collections.abc import Sequence

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, Reply, answering, edge_over, multipart, related
from tests.scenarios.uploads import TYPE, upload
from tests.support.scripted import Close, Reset, Send, Stall, Step
from tests.support.scripted import Reply as Scripted

UID = "1.2.826.0.1.3680043.8.498.77777777"
CANARIES = ("Canary", "C4N4RY", UID, "of-the-client", "edge-secret", "pacs.internal")
QUERY = "PatientName=Canary%5EJane&PatientID=C4N4RY"
FIELDS = [
    ("Authorization", "Bearer of-the-client"),
    ("Cookie", "of-the-client"),
    ("X-Request-ID", "kept-1234"),
]
ROW = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Canary^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["C4N4RY"]},
    "0020000D": {"vr": "UI", "Value": [UID]},
}
ROWS = json.dumps([ROW]).encode()
JSONS = [("Content-Type", JSON)]
AUTH = {"auth": {"type": "basic", "username": "edge", "password": {"env": "EDGE_TEST_PASSWORD"}}}

FATES: dict[str, tuple[str, str, Sequence[Step], int | None]] = {
    "found": (f"/studies?{QUERY}", JSON, [Scripted(body=ROWS, fields=JSONS)], 200),
    "a broken row": (f"/studies?{QUERY}", JSON, [Scripted(body=ROWS[:-2], fields=JSONS)], None),
    "garbage": (f"/studies?{QUERY}", JSON, [Scripted(body=b"Canary" * 99, fields=JSONS)], None),
    "not found": (f"/studies/{UID}/metadata", JSON, [Scripted(404, ROWS, JSONS)], 404),
    "refused": (f"/studies/{UID}", DICOM, [Scripted(500, b"Canary^Jane in /var/db", JSONS)], 500),
    "a wrong type": (f"/studies/{UID}", DICOM, [Scripted(200, ROWS, [("Content-Type", "text/html")])], 502),
    "credentials": (f"/studies/{UID}", DICOM, [Scripted(403, ROWS, JSONS)], 502),
    "a reset": (f"/studies/{UID}?{QUERY}", DICOM, [Send(b"HTTP/1.1 200 OK\r\nCanary: C4N"), Reset()], 502),
    "no answer": (f"/studies/{UID}?{QUERY}", DICOM, [Stall()], 504),
    "no HTTP": (f"/studies/{UID}", DICOM, [Send(b"Canary^Jane\r\n\r\n"), Close()], 502),
    "a part that lies": (
        f"/studies/{UID}",
        DICOM,
        [Scripted(body=multipart(([("Content-Length", "1")], b"Canary")), fields=[related()])],
        None,
    ),
    "a bad UID": (f"/studies/{UID}.Canary", DICOM, [], 400),
    "a bad query": (f"/studies?{QUERY}&PatientID=C4N4RY", JSON, [], 400),
    "a bad target": (f"/studies/{UID}/../Canary", JSON, [], 400),
    "an unacceptable type": (f"/studies/{UID}", "text/Canary", [], 406),
    "an unknown path": (f"/Canary/{UID}", JSON, [], 404),
}


@pytest.mark.parametrize("name", FATES)
async def test_nothing_of_a_patient_gets_out(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, accept, steps, status = FATES[name]
    monkeypatch.setenv("EDGE_TEST_PASSWORD", "edge-secret")
    caplog.set_level(logging.DEBUG, "edgerouter")
    caplog.set_level(logging.INFO)
    async with answering(*steps) as upstream, edge_over(upstream, settings={**IMPATIENT, **AUTH}) as edge:
        try:
            reply = await edge.ask(path, accept, fields=FIELDS)
        except ConnectionError:
            reply = None
        metrics = (await edge.page("/metrics")).body.decode()

    if reply is not None and status is not None:
        assert reply.status == status
    if reply is not None and reply.status >= 400:
        assert leaks(whole(reply)) == []
    assert leaks(metrics) == []
    assert leaks(caplog.text) == []
    assert '"request_id": "kept-1234"' in caplog.text


async def test_nothing_of_an_upload_gets_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "edgerouter")
    files = [upload(b"Canary^Jane C4N4RY"), upload(b"Canary^Jane C4N4RY", closing=False)]
    async with answering(Scripted(409, b"Canary^Jane C4N4RY")) as upstream, edge_over(upstream) as edge:
        for body, status in zip(files, (409, 400), strict=True):
            given = [("Content-Type", TYPE), *FIELDS]
            reply = await edge.ask(f"/studies/{UID}", method="POST", fields=given, body=body)
            assert reply.status == status
            assert leaks(whole(reply)) == []
        assert leaks((await edge.page("/metrics")).body.decode()) == []
    assert leaks(caplog.text) == []


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def whole(reply: Reply) -> str:
    return str(reply.raw.fields) + reply.body.decode("latin-1")
