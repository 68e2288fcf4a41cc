"""The embedded archive behind the seam: its links, its limits, and files that change under its hands."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import ConnectError, Cut, Overloaded, ProtocolError
from edgerouter.http.fields import Fields
from edgerouter.metrics import REGISTRY
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.seam import Outbound
from tests.support.doors import DICOM, DICOM_JSON
from tests.upstream.folder.embedded import ask, dicom, embedded, numbered, picture, rows, store, upload

INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"


def get(path: str, accept: str = "application/dicom") -> Outbound:
    return Outbound("GET", Transaction.RETRIEVE, path, "", Fields([("accept", accept)]))


def metric(name: str, **labels: str) -> float:
    registry: CollectorRegistry = REGISTRY
    return registry.get_sample_value(name, labels) or 0.0


def test_its_links_lead_to_no_host_there_can_be(tmp_path: Path) -> None:
    archive = FolderArchive("usb-stick", tmp_path)

    assert archive.bases == ("http://usb-stick.folder.invalid",)
    assert archive.url(get("/studies/1")) == "http://usb-stick.folder.invalid/studies/1"
    asked = Outbound("GET", Transaction.SEARCH, "/studies", "limit=1")
    assert archive.url(asked) == "http://usb-stick.folder.invalid/studies?limit=1"
    assert archive.takes(Transaction.WADO_URI)
    assert not archive.takes(Transaction.CAPABILITIES)


async def test_an_archive_closes_all_it_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dicom())
    async with embedded(tmp_path) as warm:
        await rows(warm, "/studies")
    before = len(os.listdir("/proc/self/fd"))
    async with embedded(tmp_path) as archive:
        await ask(archive, INSTANCE)
        async with archive.open(get(INSTANCE)):
            pass  # a body that nobody reads

    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_file_that_changed_since_the_scan_is_served_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(dicom(**picture(b"1111")))
    async with embedded(tmp_path) as archive:
        await rows(archive, "/studies")
        longer = dicom(StudyDescription="longer than before", **picture(b"2222"))
        file.write_bytes(longer)

        assert (await ask(archive, INSTANCE, "", "application/dicom")).body == longer
        frame = await ask(archive, f"{INSTANCE}/frames/1", "", "application/octet-stream")
        assert frame.body == b"2222"
        metadata = await ask(archive, f"{INSTANCE}/metadata", "", DICOM_JSON)
        assert metadata.json[0]["00081030"]["Value"] == ["longer than before"]


async def test_a_file_that_went_or_holds_something_else_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dicom())
    async with embedded(tmp_path) as archive:
        assert (await ask(archive, INSTANCE)).status == 200
        (tmp_path / "a").write_bytes(dicom("1.9"))
        assert (await ask(archive, INSTANCE)).status == 404
        assert (await ask(archive, "/studies/1.9", "", DICOM)).status == 200
        (tmp_path / "a").unlink()
        assert (await ask(archive, "/studies/1.9", "", DICOM)).status == 404


async def rest_of(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_a_file_that_changes_after_the_head_cuts_the_body(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).write_bytes(numbered(number, EncapsulatedDocument=b"x" * 3_000_000))
    async with embedded(tmp_path) as archive, archive.open(get("/studies/1.2.3", DICOM)) as answer:
        chunks = answer.chunks()
        first = await anext(chunks)
        (tmp_path / "2").write_bytes(numbered(2, EncapsulatedDocument=b"y" * 3_000_000))

        with pytest.raises(Cut):
            first += await rest_of(chunks)
        assert b"yyy" not in first


async def test_a_file_that_vanishes_while_it_is_described_cuts_the_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.upstream.folder.retrieve._BATCH", 1)
    for number in (1, 2):
        (tmp_path / str(number)).write_bytes(numbered(number))
    path = "/studies/1.2.3/metadata"
    async with embedded(tmp_path) as archive, archive.open(get(path, DICOM_JSON)) as answer:
        chunks = answer.chunks()
        await anext(chunks)
        (tmp_path / "2").unlink()
        await archive.rescan()

        with pytest.raises(Cut):
            await anext(chunks)


async def test_a_dataset_that_cannot_become_xml_cuts_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(dicom())
    async with embedded(tmp_path) as archive:
        await rows(archive, "/studies")
        process = archive._holdings.describer._process
        assert process is not None
        monkeypatch.setattr("edgerouter.parsing.describer._COMMAND", ("/bin/false",))
        process.kill()
        process.wait()
        with pytest.raises(Cut):
            await ask(archive, f"{INSTANCE}/metadata", "", 'multipart/related; type="application/dicom+xml"')


async def test_a_file_that_never_rests_is_an_error_and_not_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(dicom())
    whole = Holdings.refresh

    async def restless(self: Holdings, path: bytes) -> None:
        await whole(self, path)
        file.write_bytes(dicom(StudyDescription=os.urandom(8).hex()))

    async with embedded(tmp_path) as archive:
        await rows(archive, "/studies")
        monkeypatch.setattr(Holdings, "refresh", restless)
        file.write_bytes(dicom(StudyID="2"))
        with pytest.raises(ProtocolError):
            await ask(archive, INSTANCE)


async def test_a_disk_that_fails_is_its_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(dicom())

    def sick(path: bytes, version: str) -> bool:
        raise OSError(5, "Input/output error")

    async with embedded(tmp_path) as archive:
        await rows(archive, "/studies")
        monkeypatch.setattr("edgerouter.upstream.folder.holdings.is_current", sick)
        before = metric(
            "edgerouter_upstream_requests_total",
            upstream="usb-stick", transaction="retrieve", outcome="destination_unavailable",
        )  # fmt: skip
        with pytest.raises(ConnectError):
            await ask(archive, INSTANCE)
        after = metric(
            "edgerouter_upstream_requests_total",
            upstream="usb-stick", transaction="retrieve", outcome="destination_unavailable",
        )  # fmt: skip
    assert after == before + 1


async def test_a_file_that_changes_while_it_is_read_waits_for_the_next_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(dicom())
    async with embedded(tmp_path) as archive:
        await rows(archive, "/studies")
        describe = archive._holdings.describer.describe

        async def growing(path: bytes, base: str) -> object:
            entry = await describe(path, base)
            file.write_bytes(dicom(StudyID="3"))
            return entry

        monkeypatch.setattr(archive._holdings.describer, "describe", growing)
        file.write_bytes(dicom(StudyID="2"))
        await archive.rescan()
        assert await rows(archive, "/studies") == []

        monkeypatch.undo()
        await archive.rescan()
        assert (await rows(archive, "/studies"))[0]["00200010"]["Value"] == ["3"]


async def test_so_many_requests_at_once_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dicom())
    async with embedded(tmp_path, concurrency=1, patience=5.0) as archive:
        await rows(archive, "/studies")
        archive.limiter._patience = 0.01
        async with archive.open(get(INSTANCE)):
            with pytest.raises(Overloaded):
                await ask(archive, INSTANCE)
        assert (await ask(archive, INSTANCE)).status == 200


async def test_what_is_asked_and_served_is_counted(tmp_path: Path) -> None:
    labels = {"upstream": "counted", "transaction": "store"}
    async with FolderArchive("counted", tmp_path, interval=3600) as archive:
        reply = await store(archive, upload(dicom()))

    assert metric("edgerouter_upstream_requests_total", **labels, outcome="2xx") == 1
    assert metric("edgerouter_upstream_sent_bytes_total", **labels) == len(upload(dicom()))
    assert metric("edgerouter_upstream_received_bytes_total", **labels) == len(reply.body)
    assert metric("edgerouter_upstream_up", upstream="counted") == 1


async def test_other_methods_are_not_for_reading(tmp_path: Path) -> None:
    async with embedded(tmp_path) as archive:
        reply = await ask(archive, "/studies/1.2.3", method="DELETE")

    assert (reply.status, reply.get("allow")) == (405, "GET, HEAD")


async def test_many_readers_at_once_get_their_own_bytes(tmp_path: Path) -> None:
    sent = {number: numbered(number, EncapsulatedDocument=os.urandom(200_000)) for number in range(20)}
    for number, file in sent.items():
        (tmp_path / str(number)).write_bytes(file)
    async with embedded(tmp_path) as archive:
        paths = [f"/studies/1.2.3/series/1.2.3.4/instances/1.{number}" for number in sent]
        replies = await asyncio.gather(*(ask(archive, path, "", "application/dicom") for path in paths * 3))

    assert [reply.body for reply in replies] == [*sent.values()] * 3
