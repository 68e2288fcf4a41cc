"""Hits under validators, ranges and wishes: what is held answers exactly what it is, and nothing else."""

import gzip
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC, Edge, Reply
from tests.scenarios.pacs import AS_STORED, COMPRESSED, HIT, MISS, RLE, Pacs, keeping
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Seen, Step

ALONE = "application/octet-stream"


async def kept(edge: Edge, path: str, accept: str) -> Reply:
    """A hit on what was just fetched."""
    await edge.ask(path, accept)
    await edge.kept()
    reply = await edge.ask(path, accept)
    assert reply.get("cache-status") == HIT
    return reply


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("{series}", DICOM),
        ("{instance}", "application/dicom"),
        ("{instance}/frames/1,2", OCTETS),
        ("{instance}/rendered", "image/jpeg"),
        ("{series}/metadata", JSON),
    ],
)
async def test_who_has_it_is_told_so(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs()
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        etag = (await kept(edge, path, accept)).get("etag") or ""
        same = await edge.ask(path, accept, fields=[("If-None-Match", f'"other", {etag}')])
        other = await edge.ask(path, accept, fields=[("If-None-Match", '"other"')])
        gone = await edge.ask(path, accept, fields=[("If-Match", '"other"')])

        assert etag.startswith('"')
        assert (same.status, same.body, same.get("etag")) == (304, b"", etag)
        assert same.get("content-type") is None
        assert other.status == 200
        assert gone.status == 412
        assert len(pacs.seen) == 1


async def test_an_entity_tag_changes_with_what_leaves(tmp_path: Path) -> None:
    pacs = Pacs()
    path, metadata = f"{pacs.instance(1)}/frames/1", f"{pacs.series}/metadata"
    other = [("X-Forwarded-Host", "other.example")]
    async with keeping(pacs, folder=tmp_path, server={"trusted_proxies": ["127.0.0.0/8"]}) as edge:
        replies = [
            await kept(edge, path, OCTETS),
            await edge.ask(path, OCTETS, fields=other),
            await edge.ask(path, ALONE),
            await kept(edge, f"{pacs.instance(1)}/frames/1,1", OCTETS),
            await kept(edge, metadata, JSON),
            await edge.ask(metadata, JSON, fields=[("Accept-Encoding", "gzip")]),
            await edge.ask(metadata, JSON, fields=other),
        ]
        alone = await edge.ask(path, ALONE, fields=other)

        assert len({reply.get("etag") for reply in replies}) == len(replies)
        assert alone.get("etag") == replies[2].get("etag")  # no byte of it is ours

        again = await edge.ask(path, OCTETS, fields=[("Cache-Control", "no-cache")])
        await edge.kept()
        assert again.get("cache-status") == "edgerouter; fwd=request; stored"
        assert (await edge.ask(path, OCTETS)).get("etag") != replies[0].get("etag")


async def test_metadata_is_gzipped_for_those_who_accept_it_and_pixels_for_nobody(tmp_path: Path) -> None:
    pacs = Pacs(slices=40)
    packed = [("Accept-Encoding", "gzip")]
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(f"{pacs.series}/metadata", JSON, fields=packed)
        await edge.kept()
        warm = await edge.ask(f"{pacs.series}/metadata", JSON, fields=packed)
        plain = await edge.ask(f"{pacs.series}/metadata", JSON)
        frame = await kept(edge, f"{pacs.instance(1)}/frames/1", ALONE)

        assert cold.get("content-encoding") == warm.get("content-encoding") == "gzip"
        assert gzip.decompress(warm.raw.body) == gzip.decompress(cold.raw.body) == plain.body
        assert warm.get("vary") == "accept, accept-encoding"
        assert plain.get("content-encoding") is frame.get("content-encoding") is None


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("{instance}", "application/dicom"),
        ("{instance}/frames/1", ALONE),
        ("{instance}/bulk/7fe00010", ALONE),
        ("{instance}/rendered", "image/jpeg"),
    ],
)
async def test_a_range_of_what_is_held_is_cut_by_us(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs()
    path = path.format(instance=pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        whole = await kept(edge, path, accept)
        body, etag = whole.body, whole.get("etag") or ""
        size = len(body)

        async def part(asked: str, *fields: tuple[str, str]) -> Reply:
            return await edge.ask(path, accept, fields=[("Range", asked), *fields])

        middle, last = await part("bytes=10-19"), await part("bytes=-5")
        assert whole.get("accept-ranges") == "bytes"
        assert (middle.status, middle.body) == (206, body[10:20])
        assert middle.get("content-range") == f"bytes 10-19/{size}"
        assert (last.status, last.body) == (206, body[-5:])
        beyond = await part(f"bytes={size}-")
        assert (beyond.status, beyond.get("content-range")) == (416, f"bytes */{size}")
        assert (await part("bytes=10-19", ("If-Range", etag))).status == 206
        assert (await part("bytes=10-19", ("If-Range", '"other"'))).status == 200
        assert (await part("bytes=0-1,4-5")).body == body
        assert len(pacs.seen) == 1


async def test_a_range_of_an_envelope_is_the_whole_envelope(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await kept(edge, pacs.series, DICOM)
        reply = await edge.ask(pacs.series, DICOM, fields=[("Range", "bytes=0-9")])

        assert (reply.status, len(reply.parts)) == (200, 3)


@pytest.mark.parametrize(
    ("path", "accept"),
    [("{series}", DICOM), ("{instance}", "application/dicom"), ("{series}/metadata", JSON)],
)
async def test_head_says_what_get_would(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs()
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        got = await kept(edge, path, accept)
        head = await edge.ask(path, accept, method="HEAD")

        assert (head.status, head.body) == (200, b"")
        names = ("etag", "content-type", "cache-status", "cache-control", "vary", "content-length")
        assert [head.get(name) for name in names] == [got.get(name) for name in names]
        assert len(pacs.seen) == 1


async def test_head_of_what_is_not_held_leaves_nothing_half_done(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        head = await edge.ask(pacs.series, DICOM, method="HEAD")
        got = await edge.ask(pacs.series, DICOM)

        assert (head.status, head.body) == (200, b"")
        assert [part.body for part in got.parts] == pacs.files


async def test_an_answer_has_an_age_and_is_for_its_client_alone(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        frame = await kept(edge, f"{pacs.instance(1)}/frames/1", OCTETS)
        series = await kept(edge, pacs.series, DICOM)
        metadata = await kept(edge, f"{pacs.series}/metadata", JSON)

        assert {reply.get("age") for reply in (frame, series, metadata)} <= {"0", "1", "2", "3"}
        assert frame.get("cache-control") == "private, max-age=300"
        assert series.get("cache-control") == metadata.get("cache-control") == "private, no-cache"
        assert frame.get("vary") == "accept"


async def test_no_syntax_named_means_uncompressed_and_never_a_compressed_copy(tmp_path: Path) -> None:
    """dicomweb 4.3; conformance cases 1 to 3."""
    pacs = Pacs(form=COMPRESSED)
    path = f"{pacs.instance(1)}/frames/1"
    async with keeping(pacs, folder=tmp_path) as edge:
        await kept(edge, path, OCTETS + AS_STORED)
        named = await edge.ask(path, f'multipart/related; type="image/dicom-rle"; transfer-syntax={RLE}')
        assert (named.get("cache-status"), named.parts[0].fields["content-type"]) == (HIT, COMPRESSED)

        pacs.form = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert (await edge.ask(path, OCTETS)).get("cache-status") == MISS
        await edge.kept()
        assert (await edge.ask(path, OCTETS)).get("cache-status") == HIT
        as_stored = await edge.ask(path, OCTETS + AS_STORED)
        assert as_stored.parts[0].fields["content-type"] == COMPRESSED
        assert len(pacs.seen) == 2


async def test_what_the_archive_refuses_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    pacs = Pacs()
    path = pacs.instance(1)

    def picky(seen: Seen) -> list[Step]:
        if "1.2.4.90" in (seen.get("accept") or ""):
            return [Scripted(406, fields=[("Warning", "299 pacs.internal: No.")])]
        return pacs.answer(path)

    pacs.say[path] = picky
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(path, f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90")
            assert reply.status == 406
            assert reply.get("warning") == f"299 {PUBLIC}: No."
            assert reply.get("cache-status") == "edgerouter; fwd=miss"
        assert (await edge.ask(path, DICOM)).get("cache-status") == MISS
