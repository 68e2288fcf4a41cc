"""Zip archives out of held instances (PS3.18 §8.6.1.3.2): what is missing is fetched as for any retrieve."""

import asyncio
import io
import zipfile
from pathlib import Path

import pytest

from edgerouter.errors import Cut
from edgerouter.transactions.hits import FRESH
from edgerouter.transactions.retrieval import Request
from edgerouter.transactions.zipped import ZipHit
from tests.scenarios.edge import DICOM, Reply, multipart, related
from tests.scenarios.pacs import AS_STORED, BYPASS, DERIVED, EXPLICIT, HIT, SERIES, Pacs, instance, keeping
from tests.scenarios.pictures import refusing
from tests.scenarios.retrieves import asked, instances, retrieves
from tests.scenarios.test_cache_flight import crowd, until
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, Seen, Step
from tests.transactions.ask import got, inbound

ZIP = "application/zip"
FETCHED = "edgerouter; fwd=miss; stored; detail=derived"
THEIRS = b"PK\5\6" + bytes(18)


def files_in(reply: Reply) -> dict[str, bytes]:
    """The entries of a zip archive, each checked against its CRC-32."""
    assert (reply.status, reply.get("content-type")) == (200, ZIP), reply.raw
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def entries(pacs: Pacs, *numbers: int) -> dict[str, bytes]:
    return {f"{SERIES}/{instance(number)}.dcm": pacs.files[number - 1] for number in numbers}


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_what_is_held_is_zipped_and_nobody_is_asked(tmp_path: Path, level: str) -> None:
    pacs = Pacs()
    path = {"study": pacs.study, "series": pacs.series, "instance": pacs.instance(2)}[level]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.study, DICOM)
        await edge.kept()
        reply, again = await edge.ask(path, ZIP), await edge.ask(path, ZIP)

        assert files_in(reply) == entries(pacs, *([2] if level == "instance" else [1, 2, 3]))
        assert reply.get("cache-status") == DERIVED
        assert reply.get("content-length") == str(len(reply.body))
        assert (again.body, again.get("etag")) == (reply.body, reply.get("etag"))
        assert pacs.asked == [pacs.study]


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_what_is_not_held_is_fetched_and_kept(tmp_path: Path, level: str) -> None:
    pacs = Pacs()
    path = {"study": pacs.study, "series": pacs.series, "instance": pacs.instance(2)}[level]
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, ZIP)
        warm = await edge.ask(path, ZIP)

        assert cold.body == warm.body
        assert files_in(cold) == entries(pacs, *([2] if level == "instance" else [1, 2, 3]))
        assert (cold.get("cache-status"), warm.get("cache-status")) == (FETCHED, DERIVED)
        assert (await edge.ask(path, DICOM)).get("cache-status") == HIT
        assert pacs.asked == [path]


async def test_only_what_is_missing_crosses_the_line(tmp_path: Path) -> None:
    pacs = Pacs(slices=4, size=3000)
    async with keeping(pacs, folder=tmp_path) as edge:
        for number in (1, 2, 4):
            await edge.ask(pacs.instance(number), DICOM)
        await edge.kept()
        asked = len(pacs.seen)
        reply = await edge.ask(pacs.series, ZIP)

        assert files_in(reply) == entries(pacs, 1, 2, 3, 4)
        assert reply.get("cache-status") == "edgerouter; fwd=partial; stored; detail=derived"
        assert pacs.asked[asked:] == [f"{pacs.series}/instances", pacs.instance(3)]


async def test_ranges_of_an_archive_add_up_to_it(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        # The end first: it holds checksums of what was not read yet.
        tail = await edge.ask(pacs.series, ZIP, fields=[("Range", "bytes=9000-")])
        head = await edge.ask(pacs.series, ZIP, fields=[("Range", "bytes=0-8999")])
        whole = await edge.ask(pacs.series, ZIP)
        size = len(whole.body)
        beyond = await edge.ask(pacs.series, ZIP, fields=[("Range", f"bytes={size}-")])
        asked = await edge.ask(pacs.series, ZIP, method="HEAD")
        same = await edge.ask(pacs.series, ZIP, fields=[("If-None-Match", whole.get("etag") or "")])

        assert (head.status, tail.status) == (206, 206)
        assert head.body + tail.body == whole.body
        assert tail.get("content-range") == f"bytes 9000-{size - 1}/{size}"
        assert beyond.status == 416
        assert (asked.status, asked.body, asked.get("content-length")) == (200, b"", str(size))
        assert (same.status, same.get("etag")) == (304, whole.get("etag"))
        assert pacs.asked == [pacs.series]


async def test_a_transfer_syntax_is_that_of_the_files(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for accept in (f"{ZIP}; transfer-syntax={EXPLICIT}", f"{ZIP}{AS_STORED}"):
            assert (await edge.ask(pacs.series, accept)).get("cache-status") == DERIVED
        refusing(pacs, pacs.series, 406)
        other = await edge.ask(pacs.series, f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.4.90")
        accepts = [seen.get("accept") for seen in pacs.seen]

        assert other.status == 406
        assert accepts[1:] == [
            f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90",
            f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.4.90",
        ]


@pytest.mark.parametrize("why", ["no-store", "some are missing", "refused"])
async def test_what_cannot_be_kept_whole_is_the_archives_own_zip(tmp_path: Path, why: str) -> None:
    pacs = Pacs()

    def answer(seen: Seen) -> list[Step]:
        if ZIP in (seen.get("accept") or ""):
            return [Scripted(body=THEIRS, fields=[("Content-Type", ZIP)])]
        if why == "refused":
            return [Scripted(406)]
        fields = [related("application/dicom")]
        if why == "no-store":
            fields.append(("Cache-Control", "no-store"))
        parts = multipart(*(([("Content-Type", "application/dicom")], file) for file in pacs.files))
        return [Scripted(206 if why == "some are missing" else 200, parts, fields)]

    pacs.say[pacs.series] = answer
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(pacs.series, ZIP)

        assert (reply.body, reply.get("cache-status")) == (THEIRS, BYPASS)


async def test_head_of_what_is_not_held_is_the_archives_to_answer(tmp_path: Path) -> None:
    pacs = Pacs()
    pacs.say[pacs.series] = lambda _: [Scripted(body=THEIRS, fields=[("Content-Type", ZIP)])]
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(pacs.series, ZIP, method="HEAD")

        assert (reply.status, reply.get("cache-status")) == (200, BYPASS)
        assert [seen.get("accept") for seen in pacs.seen] == [ZIP]


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    pacs = Pacs(slices=0)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(pacs.series, ZIP)
        assert reply.status == 404
        assert len(pacs.seen) == 1


async def test_an_archive_that_breaks_off_is_an_error_and_what_was_whole_is_held(tmp_path: Path) -> None:
    pacs = Pacs()
    pacs.cut(pacs.series, Reset(), at=9000)
    async with keeping(pacs, folder=tmp_path) as edge:
        broken = await edge.ask(pacs.series, ZIP)
        whole = await edge.ask(pacs.series, ZIP)

        broken.problem(502)
        assert files_in(whole) == entries(pacs, 1, 2, 3)


async def test_a_damaged_file_is_fetched_anew_on_the_way(tmp_path: Path) -> None:
    pacs = Pacs(slices=3)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        second = [
            file
            for file in (tmp_path / "cache" / "units").rglob("*")
            if file.is_file() and file.read_bytes() == pacs.files[1]
        ]
        assert len(second) == 1
        second[0].write_bytes(bytes(len(pacs.files[1])))
        reply = await edge.ask(pacs.series, ZIP)

        assert files_in(reply) == entries(pacs, 1, 2, 3)
        assert pacs.asked == [pacs.series, pacs.instance(2)]


async def test_several_who_want_it_share_one_fetch(tmp_path: Path) -> None:
    """Law 4, whatever each of them makes of it."""
    pacs = Pacs()
    gate = pacs.hold(pacs.series, at=100)
    async with keeping(pacs, folder=tmp_path) as edge, RawClient(edge.port) as first:
        await first.send(request(f"/dicomweb{pacs.series}", fields=[("Accept", ZIP)]))
        await gate.reached.wait()
        async with asyncio.TaskGroup() as group:
            second = group.create_task(edge.ask(pacs.series, ZIP))
            third = group.create_task(edge.ask(pacs.series, DICOM))
            await until(lambda: crowd(edge) == 2)
            gate.open.set()
        assert files_in(second.result()) == entries(pacs, 1, 2, 3)
        assert len(third.result().parts) == 3
        assert (await first.response()).complete
        assert pacs.asked == [pacs.series]


async def test_bytes_that_are_not_those_of_their_checksum_are_a_cut(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    async with keeping(pacs, folder=tmp_path) as edge, retrieves(edge) as cached:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        [held] = await instances(edge)
        cached.provisions.crcs.note((held.key, held.stored_at), 1234)
        reply = await asked(cached, pacs.series, ZIP).held(["north"])

        assert reply is not None
        with pytest.raises(Cut):
            await got(reply)


async def test_two_entries_of_one_name_are_no_archive(tmp_path: Path) -> None:
    """The same instance in two transfer syntaxes, say: whoever unpacks it would keep one of them."""
    pacs = Pacs(slices=1)
    async with keeping(pacs, folder=tmp_path) as edge, retrieves(edge) as cached:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        [held] = await instances(edge)
        request = Request(cached.provisions, inbound(pacs.series, accept=ZIP), [])
        hit = ZipHit(cached.provisions, request.inbound, [held, held], request.mender(), FRESH)

        assert await hit.reply(held.stored_at) is None


async def test_a_client_that_leaves_while_it_is_fetched_leaves_nothing_half_done(tmp_path: Path) -> None:
    pacs = Pacs()
    gate = pacs.hold(pacs.series, at=5000)
    async with keeping(pacs, folder=tmp_path) as edge:
        async with RawClient(edge.port) as client:
            await client.send(request(f"/dicomweb{pacs.series}", fields=[("Accept", ZIP)]))
            await gate.reached.wait()
            client.reset()
        await until(lambda: edge.listening.connections == 0)
        gate.open.set()
        await edge.kept()
        reply = await edge.ask(pacs.series, ZIP)

        assert files_in(reply) == entries(pacs, 1, 2, 3)
