"""What a translating archive does when it cannot translate."""

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.parsing import describer
from edgerouter.upstream.profiles import AZURE
from edgerouter.upstream.seam import Outbound
from edgerouter.upstream.translating import MAX_DOCUMENT, TranslatingArchive
from tests.support.scripted import Reply, ScriptedUpstream, Seen, Step

XML = 'multipart/related; type="application/dicom+xml"'
ASKED = Outbound("GET", Transaction.RETRIEVE, "/studies/1/metadata", fields=Fields([("accept", XML)]))


def answering(body: bytes) -> ScriptedUpstream:
    def answer(request: Seen) -> list[Step]:
        return [Reply(body=body, fields=[("Content-Type", "application/dicom+json")])]

    return ScriptedUpstream(answer)


async def translated(body: bytes) -> bytes:
    async with (
        answering(body) as upstream,
        TranslatingArchive("north", AZURE, {Transaction.RETRIEVE: upstream.url}) as archive,
        archive.open(ASKED) as answer,
    ):
        return b"".join([chunk async for chunk in answer.chunks()])


async def test_a_process_that_does_not_start_is_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describer, "_COMMAND", ("/bin/false",))

    with pytest.raises(Cut, match="cannot be translated"):
        await translated(b'[{"00100020":{"vr":"LO"}}]')


@pytest.mark.parametrize("body", [b"[{]", b'[{"0010":{}}]', b'[{"00100020":{"vr":"LO"}}', b"<html/>"])
async def test_what_is_no_dataset_is_a_cut(body: bytes) -> None:
    with pytest.raises(Cut, match="malformed"):
        await translated(body)


async def test_a_dataset_that_is_too_large_is_a_cut() -> None:
    with pytest.raises(Cut, match="malformed"):
        await translated(b'[{"00100020":{"vr":"UT","Value":["' + b"x" * MAX_DOCUMENT + b'"]}}]')


async def test_an_empty_list_is_an_envelope_without_parts() -> None:
    assert (await translated(b"[]")).startswith(b"--") or (await translated(b"[]")).startswith(b"\r\n--")


async def test_a_row_is_a_part() -> None:
    body = await translated(
        b'[{"00100020":{"vr":"LO","Value":["7"]}},{"00100020":{"vr":"LO","Value":["8"]}}]'
    )

    assert body.count(b"Content-Type: application/dicom+xml".lower()) + body.count(b"<NativeDicomModel") >= 2
