"""The URI service through the cache (PS3.18 §9): instances are the units of every other service, what is
rendered is kept under its sorted parameters, what is made anew each time is not."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM
from tests.scenarios.pacs import BYPASS, EXPLICIT, HIT, MISS, Pacs, keeping
from tests.scenarios.pictures import compressed, holding
from tests.support.scripted import Reply as Scripted

J2K = "1.2.840.10008.1.2.4.90"
NAMED = "/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2.3&objectUID=1.2.3.1"
FILE = f"{NAMED}&contentType=application%2Fdicom"


def serving(pacs: Pacs, body: bytes, media: str = "application/dicom") -> Pacs:
    """Let the URI service of the archive answer so."""
    pacs.say["/wado"] = lambda _: [Scripted(body=body, fields=[("Content-Type", media)])]
    return pacs


async def test_a_held_instance_answers_whoever_names_it(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for query in (FILE, f"{FILE}&transferSyntax={EXPLICIT}", f"{FILE}&transferSyntax=%2A"):
            reply = await edge.ask(query)
            assert (reply.body, reply.get("cache-status")) == (pacs.files[0], HIT)
            assert (reply.get("content-type") or "").startswith("application/dicom")
        some = await edge.ask(FILE, fields=[("Range", "bytes=128-131")])
        head = await edge.ask(FILE, method="HEAD")
        same = await edge.ask(FILE, fields=[("If-None-Match", head.get("etag") or "")])

        assert (some.status, some.body) == (206, b"DICM")
        assert (head.body, head.get("content-length")) == (b"", str(len(pacs.files[0])))
        assert same.status == 304
        assert pacs.asked == [pacs.series]


async def test_what_the_service_brings_is_kept_as_the_instance_it_is(tmp_path: Path) -> None:
    pacs = Pacs()
    serving(pacs, pacs.files[0])
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(FILE, fields=[("Range", "bytes=0-9")])
        await edge.kept()
        warm = await edge.ask(FILE)
        instance = await edge.ask(pacs.instance(1), DICOM)

        assert (cold.status, cold.body, cold.get("cache-status")) == (200, pacs.files[0], MISS)
        assert (warm.body, warm.get("cache-status")) == (cold.body, HIT)
        assert (instance.parts[0].body, instance.get("cache-status")) == (pacs.files[0], HIT)
        assert [seen.target for seen in pacs.seen] == [FILE]


async def test_another_instance_than_the_one_asked_for_is_passed_on_and_never_kept(tmp_path: Path) -> None:
    pacs = Pacs()
    serving(pacs, pacs.files[1])
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(FILE)
            await edge.kept()
            assert reply.body == pacs.files[1]
            assert HIT not in (reply.get("cache-status") or "")
        assert pacs.asked == ["/wado", "/wado"]


async def test_a_transfer_syntax_is_that_one(tmp_path: Path) -> None:
    pacs = Pacs()
    serving(pacs, compressed(pacs, 1))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(f"{FILE}&transferSyntax={J2K}")
        await edge.kept()

        assert (reply.body, reply.get("cache-status")) == (compressed(pacs, 1), MISS)
        assert (await edge.ask(f"{FILE}&transferSyntax={J2K}")).get("cache-status") == HIT
        assert (await edge.ask(FILE)).body == pacs.files[0]
        assert pacs.asked == [pacs.series, "/wado"]


async def test_without_a_transfer_syntax_a_compressed_file_is_held_back_until_the_archive_gave_one(
    tmp_path: Path,
) -> None:
    pacs = Pacs(slices=2)
    holding(pacs, compressed(pacs, 1), compressed(pacs, 2))
    serving(pacs, pacs.files[0])
    other = FILE.replace("1.2.3.1", "1.2.3.2")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, f"{DICOM}; transfer-syntax=*")
        await edge.kept()
        first = await edge.ask(FILE)
        await edge.kept()
        second = await edge.ask(other)

        assert first.get("cache-status") == MISS
        assert (second.body, second.get("cache-status")) == (pacs.files[1], HIT)
        assert pacs.asked == [pacs.series, "/wado"]


@pytest.mark.parametrize(
    "more",
    ["&anonymize=yes", "&annotation=patient", "&rows=64", "&charset=UTF-8"],
)
async def test_a_file_that_is_changed_on_the_way_is_asked_for_each_time(tmp_path: Path, more: str) -> None:
    pacs = Pacs()
    serving(pacs, pacs.files[0])
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for _ in range(2):
            assert (await edge.ask(FILE + more)).get("cache-status") == BYPASS
        assert len(pacs.seen) == 3


async def test_who_wants_nothing_kept_is_passed_on(tmp_path: Path) -> None:
    pacs = Pacs()
    serving(pacs, pacs.files[0])
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(FILE, fields=[("Cache-Control", "no-store")])
            assert reply.get("cache-status") == BYPASS
        again = await edge.ask(FILE, fields=[("Cache-Control", "no-cache")])
        await edge.kept()

        assert again.get("cache-status") == "edgerouter; fwd=request; stored"
        assert (await edge.ask(FILE)).get("cache-status") == HIT


async def test_what_is_no_instance_is_passed_on(tmp_path: Path) -> None:
    pacs = serving(Pacs(), b"a picture", "image/jpeg")
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(FILE)

        assert (reply.body, reply.get("content-type")) == (b"a picture", "image/jpeg")
        assert reply.get("cache-status") == BYPASS


async def test_a_service_that_does_not_have_it_says_nothing_of_what_is_held(tmp_path: Path) -> None:
    """Many archives have no URI service, or one for some instances only."""
    pacs = Pacs()
    pacs.say["/wado"] = lambda _: [Scripted(404)]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        gone = await edge.ask(f"{FILE}&transferSyntax={J2K}")

        gone.problem(404)
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT


async def test_what_is_rendered_is_kept_under_its_sorted_parameters(tmp_path: Path) -> None:
    pacs = serving(Pacs(), b"a picture", "image/jpeg")
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(f"{NAMED}&rows=64&columns=64&contentType=image/jpeg")
        await edge.kept()
        other = "/wado?columns=64&objectUID=1.2.3.1&contentType=image%2Fjpeg&seriesUID=1.2.3&rows=64"
        warm = await edge.ask(f"{other}&studyUID=1.2&requestType=WADO")

        assert (cold.status, cold.body, cold.get("cache-status")) == (200, b"a picture", MISS)
        assert (warm.body, warm.get("cache-status")) == (b"a picture", HIT)
        assert warm.get("content-type") == "image/jpeg"
        assert len(pacs.seen) == 1
        for query in ("&rows=32&columns=64&contentType=image/jpeg", "&frameNumber=2"):
            assert (await edge.ask(NAMED + query)).get("cache-status") == MISS
        await edge.kept()
        assert (await edge.ask(f"{NAMED}&frameNumber=2", "*/*")).get("cache-status") == HIT
        for _ in range(2):
            assert (await edge.ask(f"{NAMED}&anonymize=yes")).get("cache-status") == BYPASS


async def test_the_rendering_of_one_service_is_not_that_of_another(tmp_path: Path) -> None:
    pacs = serving(Pacs(), b"a picture", "image/jpeg")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(NAMED)
        await edge.kept()
        assert (await edge.ask(f"{pacs.instance(1)}/rendered", "image/jpeg")).get("cache-status") == MISS
